"""A decoded channel, and batches of it.

Training batches are jittered (scale, place, brightness, contrast, tint); nothing is mirrored, because
mirrored digits, letters and signs are other things.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from include.algorithms.decoded import collect
from include.algorithms.object_detection.channels import Record

_ZOOM = 0.2  # natural logarithm of the largest scale
_STRETCH = 0.1  # the same for the aspect ratio
_SHIFT = 0.1  # of the image's side
_BRIGHTNESS = 0.2
_CONTRAST = 0.2
_TINT = 0.1
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
        """The largest number of boxes in one image, at least 1."""
        return max([1, *(len(rows) for rows in self.boxes)])

    def batches(self, size: int, generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch of jittered batches in random order: images, and boxes (size, widest, 5) padded with
        class -1.

        Every batch has the same shape, so that one compiled step serves all; the few images that fill no
        batch are others in each epoch.
        """
        order = generator.permutation(len(self))
        for start in range(0, len(self) - size + 1, size):
            images = np.empty((size, *self.pixels.shape[1:]), np.uint8)
            boxes = np.full((size, self.widest, 5), -1.0, np.float32)
            for slot, index in enumerate(order[start : start + size]):
                images[slot], rows = jitter(self.pixels[index], self.boxes[index], generator)
                boxes[slot, : len(rows)] = rows
            yield images, boxes


def load(name: str, records: Iterable[Record], side: int) -> Dataset:
    """Decode a whole channel."""
    found = collect(name, records, lambda labels: f"{sum(map(len, labels))} boxes")
    return Dataset(found.pixels.reshape(-1, side, side, 3), found.labels, found.bad)


def jitter(
    pixels: np.ndarray, boxes: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One random variation of an image and its boxes; light stays light and dark stays dark."""
    side = pixels.shape[0]
    picture = Image.fromarray(pixels)
    mean = np.asarray(picture.resize((1, 1), Image.Resampling.BOX))[0, 0]
    stretch = generator.uniform(-_STRETCH, _STRETCH)
    scale = np.exp(generator.uniform(-_ZOOM, _ZOOM) + np.array([stretch, -stretch]))
    offset = (1 - scale) / 2 + generator.uniform(-_SHIFT, _SHIFT, 2)
    inverse = (1 / scale[0], 0, -offset[0] * side / scale[0], 0, 1 / scale[1], -offset[1] * side / scale[1])
    fill = (int(mean[0]), int(mean[1]), int(mean[2]))
    moved = picture.transform(
        (side, side), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=fill
    )
    # Contrast about the image's own mean, then its brightness: one table of 256 values per colour.
    gain = generator.uniform(1 - _CONTRAST, 1 + _CONTRAST) * generator.uniform(1 - _TINT, 1 + _TINT, 3)
    middle = float(mean.mean())
    level = middle * generator.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)
    table = ((np.arange(256) - middle) * gain[:, None] + level).clip(0, 255).astype(np.uint8)
    return np.asarray(moved.point(table.ravel().tolist())), _moved(boxes, scale, offset)


def _moved(boxes: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    corners = boxes[:, 1:] * np.tile(scale, 2) + np.tile(offset, 2)
    clipped = corners.clip(0.0, 1.0)
    shown = (clipped[:, 2:] - clipped[:, :2]).prod(-1)
    kept = shown > _VISIBLE * (corners[:, 2:] - corners[:, :2]).prod(-1)
    return np.column_stack([boxes[kept, 0], clipped[kept]]).astype(np.float32)
