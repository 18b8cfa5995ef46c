"""What the networks here are made of, and how untrained ones are drawn."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import nn as activations

Variables = dict[str, Any]  # flax's tree: {"params": …, "batch_stats": …}


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
        return activations.relu(normalisation(self.train, "normalisation")(x))


def normalisation(train: bool, name: str) -> nn.BatchNorm:
    """A batch normalisation as all networks here have it."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.95, name=name)


def scaled(images: jnp.ndarray) -> jnp.ndarray:
    """Pixels 0 to 255 to numbers about zero."""
    return (images.astype(jnp.float32) - 127.5) / 64.0


def initial_variables(network: nn.Module, shape: tuple[int, int], seed: int) -> Variables:
    """Untrained variables: kernels normal with variance 1 / inputs, the rest neutral.

    Drawn by NumPy, because compiling JAX's generators for every shape takes longer than an epoch of a small
    job.
    """
    generator = np.random.default_rng(seed)
    shapes = jax.eval_shape(
        lambda images: network.init(jax.random.key(0), images, train=True),
        jax.ShapeDtypeStruct((1, *shape, 3), np.uint8),
    )

    def fill(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        kind = path[-1].key
        if kind == "kernel":
            spread = np.prod(leaf.shape[:-1]) ** -0.5
            return generator.normal(0.0, spread, leaf.shape).astype(np.float32)
        return np.full(leaf.shape, 1.0 if kind in ("scale", "var") else 0.0, np.float32)

    return cast(Variables, jax.tree_util.tree_map_with_path(fill, shapes))
