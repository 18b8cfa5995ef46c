"""Draws one scene: handwritten digits on a crop of a photograph, and the tight box of each digit; some on a
large picture, or a single one on a small picture.

Digits and photographs are those scikit-learn carries, so nothing is fetched. A scene is a pure function of
its seed words; knows nothing of files, manifests or S3.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

SIDE = 128  # pixels; every scene is a square
SINGLE_SIDE = 64  # the same for a scene of a single digit
LEARNING_DIGITS = 1200  # the first 1,200 of the 1,797 digits; the others were written by other people
Light = Literal["day", "night"]
Writers = Literal["learning", "test"]

_DIGIT_HEIGHT, _SINGLE_HEIGHT = (22, 44), (44, 55)  # pixels
_EDGE = 0.3  # ink coverage from which a pixel counts as part of the digit when its box is measured
_GAP = 2  # pixels between the boxes of two digits
_DRAW_TRIES = 30


@dataclass(frozen=True)
class Box:
    """A digit's place in pixels, origin top-left."""

    label: str
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """One picture (uint8, side x side x 3) and the digits in it."""

    pixels: np.ndarray
    boxes: tuple[Box, ...]


def draw(light: Light, writers: Writers, *seed: int) -> Scene:
    """The scene of these seed words, with one to five digits: dark ink on a lightened photograph by day,
    light on dark by night.
    """
    return _scene(light, writers, seed, SIDE, 5, _DIGIT_HEIGHT)


def draw_single(light: Light, writers: Writers, *seed: int) -> Scene:
    """The same with one digit, which nearly fills its smaller picture."""
    return _scene(light, writers, seed, SINGLE_SIDE, 1, _SINGLE_HEIGHT)


def _scene(
    light: Light, writers: Writers, seed: tuple[int, ...], side: int, most: int, heights: tuple[int, int]
) -> Scene:
    rng = np.random.default_rng(seed)
    canvas = _background(light, rng, side)
    boxes: list[Box] = []
    for _ in range(int(rng.integers(1, most + 1))):
        label, coverage = _glyph(writers, heights, rng)
        place = _free_place(coverage.shape, boxes, rng, side)
        if place is None:
            break  # the scene is full
        top, left = place
        height, width = coverage.shape
        below = canvas[top : top + height, left : left + width]
        below += coverage[:, :, None] * (_ink(light, rng) - below)
        boxes.append(Box(label, left, top, width, height))
    canvas += rng.normal(0.0, 2.5, canvas.shape).astype(np.float32)  # a camera's noise
    return Scene(canvas.clip(0, 255).astype(np.uint8), tuple(boxes))


def _background(light: Light, rng: np.random.Generator, size: int) -> np.ndarray:
    photograph = _photographs()[rng.integers(2)]
    side = float(rng.uniform(110, 400))
    left = float(rng.uniform(0, photograph.width - side))
    top = float(rng.uniform(0, photograph.height - side))
    crop = photograph.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    pixels = np.asarray(crop, np.float32)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]  # the photograph mirrored, before any digit is on it
    if light == "day":
        return 255.0 - (255.0 - pixels) * np.float32(rng.uniform(0.35, 0.55))
    return pixels * np.float32(rng.uniform(0.25, 0.45))


def _ink(light: Light, rng: np.random.Generator) -> np.ndarray:
    """One colour: about black by day, about white by night."""
    shade = rng.uniform(0, 70, 3).astype(np.float32)
    return shade if light == "day" else 255.0 - shade


def _glyph(writers: Writers, heights: tuple[int, int], rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """A random digit of these writers: its label and its ink coverage, 0 to 1, cut to the tight box."""
    images, targets = _digits()
    low, high = (0, LEARNING_DIGITS) if writers == "learning" else (LEARNING_DIGITS, len(targets))
    chosen = int(rng.integers(low, high))
    ink = (
        np.pad(images[chosen], 2).astype(np.float32) / 16.0
    )  # a margin, so that smoothing and turning lose nothing
    height = float(rng.uniform(*heights))
    scale = height / 8.0
    size = (round(12 * scale * rng.uniform(0.85, 1.15)), round(12 * scale))
    picture = Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)
    picture = picture.rotate(float(rng.uniform(-8, 8)), Image.Resampling.BILINEAR)
    # Steeper than the blur of the enlargement: a stroke with an edge, as a pen draws it.
    coverage = ((np.asarray(picture) - 0.25) * 2.2).clip(0.0, 1.0)
    rows = np.flatnonzero((coverage >= _EDGE).any(axis=1))
    columns = np.flatnonzero((coverage >= _EDGE).any(axis=0))
    return str(targets[chosen]), coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_place(
    shape: tuple[int, ...], taken: list[Box], rng: np.random.Generator, side: int
) -> tuple[int, int] | None:
    """A random (top, left) that keeps clear of every box already there, or None."""
    height, width = shape
    for _ in range(_DRAW_TRIES):
        top = int(rng.integers(0, side - height + 1))
        left = int(rng.integers(0, side - width + 1))
        if all(
            left + width + _GAP <= box.left
            or box.left + box.width + _GAP <= left
            or top + height + _GAP <= box.top
            or box.top + box.height + _GAP <= top
            for box in taken
        ):
            return top, left
    return None


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # a second of imports: only when something is drawn

    digits = load_digits()
    return digits.images, digits.target


@functools.cache
def _photographs() -> tuple[Image.Image, ...]:
    from sklearn.datasets import load_sample_images

    return tuple(Image.fromarray(pixels) for pixels in load_sample_images().images)
