"""A decoded channel, and batches of it.

Training batches are jittered, boxes with their pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from include.algorithms.decoded import collect
from include.algorithms.jitter import jitter
from include.algorithms.object_detection.channels import Record

_ROOM = 8  # boxes
_VISIBLE = 0.5  # share of a box that must stay in the picture for it to stay an object


@dataclass(frozen=True)
class Dataset:
    """Pixels (N, side, side, 3; uint8) and per image its boxes (n, 5): class, then corners as fractions."""

    pixels: np.ndarray
    boxes: list[np.ndarray]
    bad: int = 0

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def widest(self) -> int:
        """Room for the boxes of any image: a multiple of ``_ROOM``, so that a few boxes more in tomorrow's
        images are no other shape, for which the step would be compiled anew.
        """
        most = max((len(rows) for rows in self.boxes), default=0)
        return max(1, math.ceil(most / _ROOM)) * _ROOM

    def batches(
        self, size: int, generator: np.random.Generator, mirrored: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch of jittered batches in random order: images, and boxes (size, widest, 5) padded with
        class -1. ``mirrored``: every other image, left to right.

        Every batch has the same shape, so that one compiled step serves all; the few images that fill no
        batch are others in each epoch.
        """
        order, widest = generator.permutation(len(self)), self.widest
        for start in range(0, len(self) - size + 1, size):
            images = np.empty((size, *self.pixels.shape[1:]), np.uint8)
            boxes = np.full((size, widest, 5), -1.0, np.float32)
            for slot, index in enumerate(order[start : start + size]):
                images[slot], scale, offset = jitter(self.pixels[index], generator)
                rows = moved(self.boxes[index], scale, offset)
                if mirrored and generator.random() < 0.5:
                    images[slot] = images[slot][:, ::-1]
                    rows[:, [1, 3]] = 1 - rows[:, [3, 1]]
                boxes[slot, : len(rows)] = rows
            yield images, boxes


def load(name: str, records: Iterable[Record], side: int) -> Dataset:
    """Decode a whole channel."""
    found = collect(name, records, lambda labels: f"{sum(map(len, labels))} boxes")
    return Dataset(found.pixels.reshape(-1, side, side, 3), found.labels, found.bad)


def moved(boxes: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Boxes in an image that was varied so: those of which enough is still in the picture, clipped to it."""
    corners = boxes[:, 1:] * np.tile(scale, 2) + np.tile(offset, 2)
    clipped = corners.clip(0.0, 1.0)
    shown = (clipped[:, 2:] - clipped[:, :2]).prod(-1)
    kept = shown > _VISIBLE * (corners[:, 2:] - corners[:, :2]).prod(-1)
    return np.column_stack([boxes[kept, 0], clipped[kept]]).astype(np.float32)
