"""The most diverse images of many, by their pixels alone: what to ask about before there is a model.

Takes pictures, gives a short description of each (colours and edges by place); takes descriptions, gives the
order in which each next one is as far as can be from all before it (k-centre, greedy). Pure: the same
pictures in the same order are always ordered the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

# A decoded picture of this side has all that is described.
SIDE = 64
_COLOURS = 8  # the picture in colour, of so many pixels a side
_CELLS, _DIRECTIONS = 4, 8  # histograms of the directions of edges, in so many cells a side


def describe(picture: Image) -> NDArray[np.float32]:
    """The description of an RGB picture: 320 numbers, half of the weight on colours and half on edges."""
    import numpy as np
    from PIL import Image as pillow

    small = picture.resize((SIDE, SIDE), pillow.Resampling.BOX)
    thumbnail = small.resize((_COLOURS, _COLOURS), pillow.Resampling.BOX)
    colours = np.asarray(thumbnail, np.float32).ravel() / np.float32(255)
    edges = _edges(np.asarray(small.convert("L"), np.float32) / np.float32(255))
    return np.concatenate([colours / np.sqrt(len(colours)), edges / np.sqrt(len(edges))])


def farthest_first(descriptions: NDArray[np.float32], count: int) -> list[int]:
    """The first ``count`` of N descriptions (N x D) by how much they add: first the one nearest to the mean,
    then always the one farthest from those before; of equals the first. Memory is N x D, time N x D x count.
    """
    import numpy as np

    if not len(descriptions) or count < 1:
        return []
    chosen = [int(_squares(descriptions - descriptions.mean(axis=0)).argmin())]
    nearest = np.full(len(descriptions), np.inf, np.float32)
    while len(chosen) < min(count, len(descriptions)):
        np.minimum(nearest, _squares(descriptions - descriptions[chosen[-1]]), out=nearest)
        nearest[chosen[-1]] = -1  # even among equals nobody is chosen twice
        chosen.append(int(nearest.argmax()))
    return chosen


def _squares(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    return np.einsum("nd,nd->n", differences, differences)


def _edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strong the edges of each direction are in each cell, as the root of its share of the picture."""
    import numpy as np

    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    row, column = np.indices(grey.shape) * _CELLS // SIDE
    cell = (row * _CELLS + column) * _DIRECTIONS + direction
    sums = np.bincount(cell.ravel(), strength.ravel(), _CELLS * _CELLS * _DIRECTIONS)
    return np.sqrt(sums / (SIDE / _CELLS) ** 2).astype(np.float32)
