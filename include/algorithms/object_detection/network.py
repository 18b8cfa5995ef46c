"""The compact single-shot network: a patch stem, strided convolutions, a small top-down pyramid, one shared head.

Takes square images, gives class scores and box distances for the cells of three grids (strides 8, 16 and 32), so that
small and large objects each have cells of their size. Sized for CPUs: XLA is slow with convolutions at full
resolution, so the stem goes straight to a quarter of it. Knows nothing of labels or files.
"""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import nn as activations

STRIDES = (8, 16, 32)
_COARSEST = STRIDES[-1]
_NECK = 96  # channels of every pyramid level
_RARE = -4.0  # bias of the class scores: at first every cell says "hardly anything here", which focal loss needs


class Detector(nn.Module):
    """Images (B, S, S, 3), 0 to 255, to class logits (B, N, classes) and log distances (B, N, 4); N: see `cells`."""

    num_classes: int

    @nn.compact
    def __call__(self, images: jnp.ndarray, train: bool) -> tuple[jnp.ndarray, jnp.ndarray]:
        layer = functools.partial(Layer, train=train)
        x = (images.astype(jnp.float32) - 127.5) / 64.0
        rest = -x.shape[1] % _COARSEST
        x = jnp.pad(x, ((0, 0), (0, rest), (0, rest), (0, 0)))  # so that every cell lies on its grid exactly
        x = layer(32, kernel=4, stride=4, name="conv1_patches")(x)
        x = layer(32, name="conv2_1")(x)
        x = layer(80, stride=2, name="conv3_1")(x)
        x = x + layer(80, name="conv3_2")(x)
        fine = x + layer(80, name="conv3_3")(x)
        x = layer(96, stride=2, name="conv4_1")(fine)
        middle = x + layer(96, name="conv4_2")(x)
        x = layer(128, stride=2, name="conv5_1")(middle)
        coarse = x + layer(128, name="conv5_2")(x)

        level5 = layer(_NECK, kernel=1, name="neck5")(coarse)
        level4 = layer(_NECK, kernel=1, name="neck4")(middle) + _double(level5)
        level3 = layer(_NECK, kernel=1, name="neck3")(fine) + _double(level4)

        # The three grids as one row of cells would need padding between them; the head is shared by name instead.
        tower = Layer(_NECK, train=train, name="head_tower")
        classes = nn.Dense(
            self.num_classes,
            bias_init=nn.initializers.constant(_RARE),
            kernel_init=nn.initializers.normal(0.01),
            name="head_classes",
        )
        boxes = nn.Dense(4, kernel_init=nn.initializers.normal(0.01), name="head_boxes")
        logits, distances = [], []
        for level in (level3, level4, level5):
            features = tower(level)
            logits.append(classes(features).reshape(len(images), -1, self.num_classes))
            distances.append(boxes(features).reshape(len(images), -1, 4))
        return jnp.concatenate(logits, 1), jnp.concatenate(distances, 1)


class Layer(nn.Module):
    """Convolution, batch normalisation, rectifier."""

    channels: int
    train: bool
    kernel: int = 3
    stride: int = 1

    @nn.compact
    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        size = (self.kernel, self.kernel)
        x = nn.Conv(self.channels, size, (self.stride, self.stride), use_bias=False, name="convolution")(x)
        x = nn.BatchNorm(use_running_average=not self.train, momentum=0.95, name="normalisation")(x)
        return activations.relu(x)


def cells(image_shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2; x then y, pixels) and strides (N,) of the cells, in the order of the network's outputs."""
    padded = image_shape + (-image_shape % _COARSEST)
    centres, strides = [], []
    for stride in STRIDES:
        middle = (np.arange(padded // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(middle, middle)
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


def _double(x: jnp.ndarray) -> jnp.ndarray:
    return x.repeat(2, axis=1).repeat(2, axis=2)


Variables = dict[str, Any]  # flax's tree: {"params": …, "batch_stats": …}
