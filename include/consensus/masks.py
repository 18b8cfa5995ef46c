"""The label map that several workers' label maps of one image come to.

Ground Truth's documents: each pixel is a vote among classes, with more information from the pixels around it
by a smoothing. Here a pixel that all workers gave the same class keeps it, so that a thin line that everybody
painted stays; where they differ, the class with the most votes in the 3 x 3 pixels around wins, of those that
somebody gave this very pixel; between equal votes the lowest class, and class 0 is that nobody painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.uint8]


@dataclass(frozen=True)
class AgreedMap:
    """The class of each pixel, and the mean share of the workers that gave it, over the pixels that anybody
    painted (1 where nobody did).
    """

    classes: Map
    share: float


def agree_on_map(maps: Sequence[Map]) -> AgreedMap:
    """``maps`` are one for each worker, all of one shape, 0 where the worker painted nothing; at most 25
    workers, whose votes around a pixel fit a byte.
    """
    agreed = maps[0].copy()
    contested = np.zeros(agreed.shape, dtype=np.bool_)
    painted = agreed > 0
    for other in maps[1:]:
        contested |= other != agreed
        painted |= other > 0
    if contested.any():
        agreed[contested] = _most_votes(maps)[contested]
    if not painted.any():
        return AgreedMap(agreed, 1.0)
    right = np.zeros(agreed.shape, dtype=np.uint8)
    for one in maps:
        right += one == agreed
    return AgreedMap(agreed, float(right[painted].mean()) / len(maps))


def _most_votes(maps: Sequence[Map]) -> Map:
    most = np.zeros(maps[0].shape, dtype=np.uint8)
    winner = np.zeros(maps[0].shape, dtype=np.uint8)
    for index in np.flatnonzero(sum(np.bincount(one.ravel(), minlength=256) for one in maps)):
        votes = np.zeros(maps[0].shape, dtype=np.uint8)
        for one in maps:
            votes += one == index
        around = np.where(votes > 0, _around(votes), 0)
        better = around > most
        most[better], winner[better] = around[better], index
    return winner


def _around(votes: Map) -> Map:
    """The sum over each pixel and its neighbours; what is outside of the image has no vote."""
    across = np.pad(votes, 1)
    across = across[:, :-2] + across[:, 1:-1] + across[:, 2:]
    return across[:-2] + across[1:-1] + across[2:]
