"""From pixels to the scores of the classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from include.algorithms.image_classification.artifact import Kind
from include.algorithms.image_classification.hyperparameters import Shape, shape
from include.algorithms.image_classification.network import network
from include.algorithms.layers import Variables
from include.algorithms.pretrained import Features


class Predictor:
    """A trained network ready to look at images of one size."""

    def __init__(self, kind: Kind, variables: Variables) -> None:
        self.image_shape, self._multi_label = shape(kind.image_shape), kind.multi_label
        self._variables = jax.device_put(variables)  # jnp.asarray would compile a copy for each shape
        self._forward = _forward(kind.num_classes, kind.num_layers, self.image_shape, kind.features)

    def warm_up(self) -> None:
        """Compile for single images."""
        self.scores(np.zeros((self.image_shape.height, self.image_shape.width, 3), np.uint8))

    def logits(self, pixels: np.ndarray, batch: int) -> np.ndarray:
        """Of up to ``batch`` images (n, H, W, 3; uint8), run in that one compiled shape: (n, classes)."""
        padded = np.zeros((batch, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        return np.asarray(self._forward(self._variables, padded), np.float64)[: len(pixels)]

    def scores(self, pixels: np.ndarray) -> list[float]:
        """Of one image (H, W, 3): a probability for each class, which sum to 1, or with multi_label are
        independent of one another.
        """
        (logits,) = self.logits(pixels[None], 1)
        if self._multi_label:
            return cast(list[float], (1 / (1 + np.exp(-logits.clip(-500, 500)))).tolist())
        shares = np.exp(logits - logits.max())
        return cast(list[float], (shares / shares.sum()).tolist())


@functools.cache
def _forward(
    num_classes: int, num_layers: int, image_shape: Shape, features: Features
) -> Callable[[Variables, np.ndarray], jnp.ndarray]:
    """Compiled: images (B, H, W, 3; uint8) to logits (B, classes)."""
    classifier = network(num_classes, num_layers, image_shape, features)

    @jax.jit
    def run(variables: Variables, images: jnp.ndarray) -> jnp.ndarray:
        return cast(jnp.ndarray, classifier.apply(variables, images, train=False))

    return run
