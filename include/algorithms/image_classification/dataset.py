"""A decoded channel, and batches of it, varied as ``augmentation_type`` says.

As documented, ``crop`` takes a random place of the image and mirrors every other one, ``crop_color`` shifts
hue, saturation and lightness too, ``crop_color_transform`` rotates, shears and stretches besides. Without it
SageMaker's own takes images as they are; here they are jittered a little and not mirrored, as a detector's
are: a network that learns a few hundred images from scratch knows them by heart otherwise (600 digits over
photographs: 0.80 of new ones right after 15 epochs; jittered, 0.90 after 20).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from include.algorithms.decoded import collect
from include.algorithms.image_classification.channels import Record
from include.algorithms.image_classification.hyperparameters import Hyperparameters, Shape
from include.algorithms.jitter import jitter

_HUE, _SATURATION, _LIGHTNESS = 36 / 180, 50 / 255, 50 / 255  # of their ranges, as documented (of OpenCV's)
_ROTATION = 10.0  # degrees
_SHEAR = 0.1
_ASPECT = 0.25
_TOLD = 20  # classes whose counts the log tells


@dataclass(frozen=True)
class Dataset:
    """Images (height, width, 3; uint8; at least of image_shape), and classes (N,) or rows (N, classes)."""

    pixels: Sequence[np.ndarray]
    labels: np.ndarray
    settings: Hyperparameters
    bad: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def histogram(self) -> list[int]:
        """How many images have each class."""
        if self.settings.multi_label:
            return [int(count) for count in self.labels.sum(0, dtype=np.int64)]
        return np.bincount(self.labels, minlength=self.settings.num_classes).tolist()

    def batches(self, size: int, generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch of varied batches in random order. Every batch has the same shape, so that one compiled
        step serves all; the few images that fill no batch are others in each epoch.
        """
        shape = self.settings.image_shape
        order = generator.permutation(len(self))
        for start in range(0, len(self) - size + 1, size):
            chosen = order[start : start + size]
            images = np.empty((size, shape.height, shape.width, 3), np.uint8)
            for slot, index in enumerate(chosen):
                images[slot] = varied(self.pixels[index], self.settings.augmentation_type, shape, generator)
            yield images, self.labels[chosen]

    def in_order(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All images as they are, so many at once; the last batch may be smaller."""
        for start in range(0, len(self), size):
            yield np.stack(self.pixels[start : start + size]), self.labels[start : start + size]


def load(name: str, records: Iterable[Record], settings: Hyperparameters) -> Dataset:
    """Decode a whole channel."""

    def summary(labels: list[np.ndarray]) -> str:
        counts = Dataset([], _stacked(labels, settings), settings).histogram()
        more = f" and {len(counts) - _TOLD} classes more" if len(counts) > _TOLD else ""
        return f"per class {', '.join(map(str, counts[:_TOLD]))}{more}"

    found = collect(name, records, summary)
    pixels, start = [], 0
    for shape in found.shapes:
        end = start + math.prod(shape)
        pixels.append(found.pixels[start:end].reshape(shape))
        start = end
    return Dataset(pixels, _stacked(found.labels, settings), settings, found.bad)


def varied(
    pixels: np.ndarray, augmentation_type: str | None, shape: Shape, generator: np.random.Generator
) -> np.ndarray:
    """One random variation of an image, in the size of ``shape``."""
    if augmentation_type is None:
        return jitter(pixels, generator)[0]  # decoded in this size
    if augmentation_type == "crop_color_transform":
        pixels = _transformed(pixels, generator)
    top = generator.integers(pixels.shape[0] - shape.height + 1)
    left = generator.integers(pixels.shape[1] - shape.width + 1)
    pixels = pixels[top : top + shape.height, left : left + shape.width]
    if generator.random() < 0.5:
        pixels = pixels[:, ::-1]
    return pixels if augmentation_type == "crop" else _coloured(pixels, generator)


def _transformed(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Turned, sheared and stretched about the middle; what comes in from outside has the image's mean."""
    height, width = pixels.shape[:2]
    angle = math.radians(generator.uniform(-_ROTATION, _ROTATION))
    shear = generator.uniform(-_SHEAR, _SHEAR)
    stretch = math.sqrt(1 + generator.uniform(-_ASPECT, _ASPECT))
    cos, sin = math.cos(angle), math.sin(angle)
    # From places of the result to places of the image, as Pillow wants it.
    matrix = np.array([[cos, -sin], [sin, cos]]) @ [[1, shear], [0, 1]] @ np.diag([stretch, 1 / stretch])
    middle = np.array([width / 2, height / 2])
    offset = middle - matrix @ middle
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    picture = Image.fromarray(pixels)
    red, green, blue = (int(level) for level in pixels.reshape(-1, 3).mean(0))
    moved = picture.transform(
        (width, height),
        Image.Transform.AFFINE,
        tuple(float(number) for number in data),
        Image.Resampling.BILINEAR,
        fillcolor=(red, green, blue),
    )
    return np.asarray(moved)


def _coloured(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Hue, saturation and value shifted, each by one random number for the whole image."""
    levels = np.arange(256)
    hue, saturation, value = (
        round(generator.uniform(-most, most) * 255) for most in (_HUE, _SATURATION, _LIGHTNESS)
    )
    tables = [(levels + hue) % 256, (levels + saturation).clip(0, 255), (levels + value).clip(0, 255)]
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("HSV")
    return np.asarray(picture.point(np.concatenate(tables).tolist()).convert("RGB"))


def _stacked(labels: list[np.ndarray], settings: Hyperparameters) -> np.ndarray:
    if not labels:
        return np.empty((0, settings.num_classes) if settings.multi_label else 0, np.int32)
    return np.stack(labels)
