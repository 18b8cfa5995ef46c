"""The compact single-shot network: patch stem, strided convolutions, a small pyramid, one shared head.

Takes square images, gives for each cell of three grids (strides 8, 16 and 32, so that small and large objects
have cells of their size) whether an object is there, which class it would be, and how far its four sides are.
Sized for CPUs: XLA is slow with convolutions at full resolution, so the stem goes straight to a quarter of
it.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from include.algorithms import layers
from include.algorithms.layers import Layer, Variables, scaled

STRIDES = (8, 16, 32)
_COARSEST = STRIDES[-1]
_NECK = 96  # channels of every pyramid level
# Added to the objectness: at first every cell says "hardly anything here", which focal loss needs.
_RARE = -4.0


class Output(NamedTuple):
    """The network's answer for N cells, in the order of `cells`."""

    objectness: jnp.ndarray  # (B, N) logits
    classes: jnp.ndarray  # (B, N, classes) logits, each cell's classes excluding one another
    distances: jnp.ndarray  # (B, N, 4) logarithms of the distances left, top, right, bottom, in strides


class Detector(nn.Module):
    """Images (B, S, S, 3), 0 to 255, to an Output."""

    num_classes: int

    @nn.compact
    def __call__(self, images: jnp.ndarray, train: bool) -> Output:
        layer = functools.partial(Layer, train=train)
        x = scaled(images)
        rest = -x.shape[1] % _COARSEST
        x = jnp.pad(x, ((0, 0), (0, rest), (0, rest), (0, 0)))  # so that every cell lies on its grid exactly
        x = layer(32, kernel=4, stride=4, name="conv1_patches")(x)
        x = layer(32, name="conv2_1")(x)
        x = layer(64, stride=2, name="conv3_1")(x)
        x = x + layer(64, name="conv3_2")(x)
        fine = x + layer(64, name="conv3_3")(x)
        x = layer(96, stride=2, name="conv4_1")(fine)
        middle = x + layer(96, name="conv4_2")(x)
        x = layer(128, stride=2, name="conv5_1")(middle)
        coarse = x + layer(128, name="conv5_2")(x)

        level5 = layer(_NECK, kernel=1, name="neck5")(coarse)
        level4 = layer(_NECK, kernel=1, name="neck4")(middle) + _double(level5)
        level3 = layer(_NECK, kernel=1, name="neck3")(fine) + _double(level4)

        # From here on each cell is on its own, so the three grids become one row: (B, N, 1, channels).
        levels = (level3, level4, level5)
        row = jnp.concatenate([level.reshape(len(images), -1, 1, _NECK) for level in levels], axis=1)
        row = layer(_NECK, kernel=1, name="head_tower")(row)[:, :, 0]
        objectness = nn.Dense(1, name="head_objectness")(row)[..., 0] + _RARE
        classes = nn.Dense(self.num_classes, name="head_classes")(row)
        distances = nn.Dense(4, name="head_distances")(row)
        return Output(objectness, classes, distances)


def cells(image_shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2; x then y, pixels) and strides (N,) of the cells, in the output's order."""
    padded = image_shape + (-image_shape % _COARSEST)
    centres, strides = [], []
    for stride in STRIDES:
        middle = (np.arange(padded // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(middle, middle)
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


def initial_variables(num_classes: int, seed: int) -> Variables:
    """An untrained detector's variables."""
    return layers.initial_variables(Detector(num_classes), (_COARSEST, _COARSEST), seed)


def _double(x: jnp.ndarray) -> jnp.ndarray:
    return x.repeat(2, axis=1).repeat(2, axis=2)
