"""Two networks that tell classes. A small residual one: a stem of patches, three stages of residual blocks,
the mean of all places; and one on features that have seen ImageNet.

``num_layers`` scales the depth of the small one, as it does in SageMaker's own: one to four blocks a stage.
It is sized for CPUs: the stem goes straight to a quarter of the resolution, or to a half when there is not
much of it.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from include.algorithms import layers
from include.algorithms.image_classification.hyperparameters import Hyperparameters, Shape
from include.algorithms.layers import Layer, Variables, scaled
from include.algorithms.pretrained import BACKBONE, Features
from include.algorithms.pretrained.lite0 import Lite0Vector

_CHANNELS = (32, 64, 128)  # of the stages; each but the first halves the resolution
_SMALL = 48  # pixels of the shorter side below which the stem's patches are of 2 pixels, not 4
# num_layers up to which a stage has so many blocks
_BLOCKS = ((20, 1), (44, 2), (56, 3), (110, 3), (200, 4))


class Classifier(nn.Module):
    """Images (B, H, W, 3), 0 to 255, to logits (B, classes)."""

    num_classes: int
    blocks: int
    patch: int

    @nn.compact
    def __call__(self, images: jnp.ndarray, train: bool, frozen: bool = False) -> jnp.ndarray:
        """``frozen`` is for features that were trained before: here are none."""
        layer = functools.partial(Layer, train=train)
        x = layer(_CHANNELS[0], kernel=self.patch, stride=self.patch, name="stem")(scaled(images))
        for stage, channels in enumerate(_CHANNELS, 1):
            if stage > 1:
                x = layer(channels, stride=2, name=f"stage{stage}_down")(x)
            for block in range(1, self.blocks + 1):
                y = layer(channels, name=f"stage{stage}_block{block}_1")(x)
                x = x + layer(channels, name=f"stage{stage}_block{block}_2")(y)
        return nn.Dense(self.num_classes, name="head")(x.mean((1, 2)))


class PretrainedClassifier(nn.Module):
    """The same on features that have seen ImageNet: of all that is here, only the last layer is new."""

    num_classes: int

    @nn.compact
    def __call__(self, images: jnp.ndarray, train: bool, frozen: bool = False) -> jnp.ndarray:
        """``frozen``: no gradient reaches the features, which makes a step much cheaper."""
        vector = Lite0Vector(name=BACKBONE)(images)
        if frozen:
            vector = lax.stop_gradient(vector)
        # Each vector by itself: statistics of batches are wrong for longer than a short job has steps.
        vector = nn.LayerNorm(use_bias=False, use_scale=False)(vector)
        return nn.Dense(self.num_classes, name="head")(vector)


def network(
    num_classes: int, num_layers: int, image_shape: Shape, features: Features
) -> Classifier | PretrainedClassifier:
    if features != "compact":
        return PretrainedClassifier(num_classes)
    blocks = next(count for most, count in _BLOCKS if num_layers <= most)
    patch = 2 if min(image_shape.height, image_shape.width) < _SMALL else 4
    return Classifier(num_classes, blocks, patch)


def initial_variables(settings: Hyperparameters, seed: int, features: Features) -> Variables:
    """An untrained classifier's variables."""
    shape = settings.image_shape
    built = network(settings.num_classes, settings.num_layers, shape, features)
    return layers.initial_variables(built, (shape.height, shape.width), seed)
