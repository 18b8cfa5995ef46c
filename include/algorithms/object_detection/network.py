"""Single-shot networks: a feature network, a small pyramid, one shared head.

They take square images and give for each cell of three grids (strides 8, 16 and 32, so that small and large
objects have cells of their size) whether an object is there, which class it would be, and how far its four
sides are. The features come from a compact network that learns everything from the labels, or from one that
has seen ImageNet. The compact one is sized for CPUs: XLA is slow with convolutions at full resolution, so its
stem goes straight to a quarter of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from include.algorithms import layers
from include.algorithms.layers import Layer, Variables, normalisation, scaled
from include.algorithms.pretrained import BACKBONE, Features
from include.algorithms.pretrained.lite0 import Lite0Maps

STRIDES = (8, 16, 32)
_COARSEST = STRIDES[-1]
_NECK = 96  # channels of every pyramid level
# Added to the objectness: at first every cell says "hardly anything here", which focal loss needs.
_RARE = -4.0
LOG_SIDES = (-6.0, 6.0)  # limits of a distance's logarithm
_LOOKS = 2  # layers between the pretrained features and the head
_GREY = 127  # what the pretrained features take for nothing


class Output(NamedTuple):
    """The network's answer for N cells, in the order of `cells`."""

    objectness: jnp.ndarray  # (B, N) logits
    classes: jnp.ndarray  # (B, N, classes) logits, each cell's classes excluding one another
    distances: jnp.ndarray  # (B, N, 4) logarithms of the distances left, top, right, bottom, in strides


class Detector(nn.Module):
    """Images (B, S, S, 3), 0 to 255, to an Output."""

    num_classes: int
    features: Features = "compact"

    @nn.compact
    def __call__(self, images: jnp.ndarray, train: bool, frozen: bool = False) -> Output:
        """``frozen``: no gradient reaches the pretrained features, which makes a step much cheaper."""
        layer = functools.partial(Layer, train=train)
        rest = -images.shape[1] % _COARSEST
        # So that every cell lies on its grid exactly.
        around = ((0, 0), (0, rest), (0, rest), (0, 0))
        if self.features == "compact":
            fine, middle, coarse = _compact(layer, jnp.pad(scaled(images), around))
        else:
            maps = Lite0Maps(name=BACKBONE)(jnp.pad(images, around, constant_values=_GREY))
            fine, middle, coarse = (maps[stride] for stride in STRIDES)
            if frozen:
                fine, middle, coarse = map(lax.stop_gradient, (fine, middle, coarse))

        level5 = layer(_NECK, kernel=1, name="neck5")(coarse)
        level4 = layer(_NECK, kernel=1, name="neck4")(middle) + _double(level5)
        level3 = layer(_NECK, kernel=1, name="neck3")(fine) + _double(level4)

        levels = [level3, level4, level5]
        if self.features != "compact":
            levels = _looked_around(levels, train)
        # From here on each cell is on its own, so the three grids become one row: (B, N, 1, channels).
        row = jnp.concatenate([level.reshape(len(images), -1, 1, _NECK) for level in levels], axis=1)
        row = layer(_NECK, kernel=1, name="head_tower")(row)[:, :, 0]
        objectness = nn.Dense(1, name="head_objectness")(row)[..., 0] + _RARE
        classes = nn.Dense(self.num_classes, name="head_classes")(row)
        distances = nn.Dense(4, name="head_distances")(row)
        return Output(objectness, classes, distances)


def _looked_around(levels: list[jnp.ndarray], train: bool) -> list[jnp.ndarray]:
    """Layers that see the neighbours of a cell, which tell where an object ends: the same ones for all grids,
    but each grid's numbers are normalised alone.
    """
    for number in range(1, _LOOKS + 1):
        convolution = nn.Conv(_NECK, (3, 3), use_bias=False, name=f"look{number}")
        levels = [
            nn.relu(normalisation(train, f"look{number}_{stride}")(convolution(level)))
            for stride, level in zip(STRIDES, levels, strict=True)
        ]
    return levels


def _compact(layer: Callable[..., Layer], x: jnp.ndarray) -> tuple[jnp.ndarray, jnp.ndarray, jnp.ndarray]:
    x = layer(32, kernel=4, stride=4, name="conv1_patches")(x)
    x = layer(32, name="conv2_1")(x)
    x = layer(64, stride=2, name="conv3_1")(x)
    x = x + layer(64, name="conv3_2")(x)
    fine = x + layer(64, name="conv3_3")(x)
    x = layer(96, stride=2, name="conv4_1")(fine)
    middle = x + layer(96, name="conv4_2")(x)
    x = layer(128, stride=2, name="conv5_1")(middle)
    coarse = x + layer(128, name="conv5_2")(x)
    return fine, middle, coarse


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


def initial_variables(num_classes: int, seed: int, features: Features = "compact") -> Variables:
    """An untrained detector's variables."""
    return layers.initial_variables(Detector(num_classes, features), (_COARSEST, _COARSEST), seed)


def _double(x: jnp.ndarray) -> jnp.ndarray:
    return x.repeat(2, axis=1).repeat(2, axis=2)
