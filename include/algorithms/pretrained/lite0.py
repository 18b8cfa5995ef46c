"""EfficientNet-Lite0 as a feature network: images to maps of strides 8, 16 and 32.

The network's shape and its weights are those of the package named in `weights`. Each batch normalisation is
part of the convolution before it: its statistics are ImageNet's and stay so, because a few hundred labels are
too few for others. A depthwise convolution is written as k x k shifted products, which XLA compiles to code
that is several times as fast on CPUs as its own.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax


class Block(NamedTuple):
    """One inverted residual: depthwise kernel and stride, how many times the channels are expanded, and how
    many it takes and gives.
    """

    kernel: int
    stride: int
    expand: int
    takes: int
    gives: int


def _blocks() -> tuple[Block, ...]:
    stages = (  # repeats, kernel, stride, expansion, channels
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
    blocks, takes = [], STEM
    for repeats, kernel, stride, expand, gives in stages:
        for number in range(repeats):
            blocks.append(Block(kernel, 1 if number else stride, expand, takes, gives))
            takes = gives
    return tuple(blocks)


STEM = 32  # channels
BLOCKS = _blocks()
_MAPS = {8: 4, 16: 10, 32: 15}  # after which block a map is taken, by its stride
# The first blocks see edges and textures, which are the same in all pictures, and their maps are the largest:
# they stay as they are.
_GENERAL = 5
FIXED = ("stem", *(f"block{number}" for number in range(_GENERAL)))
_HEAD = 1280  # channels that are averaged over the image


class Lite0Maps(nn.Module):
    """Images (B, S, S, 3), 0 to 255, S a multiple of 32, to the maps of strides 8, 16 and 32: (B, S/stride,
    S/stride, C) with 40, 112 and 320 channels.
    """

    @nn.compact
    def __call__(self, images: jnp.ndarray) -> dict[int, jnp.ndarray]:
        after = _after_blocks(images)
        return {stride: after[number] for stride, number in _MAPS.items()}


class Lite0Vector(nn.Module):
    """Images (B, H, W, 3), 0 to 255, to one vector each (B, 1280): what ImageNet's classes were told by."""

    @nn.compact
    def __call__(self, images: jnp.ndarray) -> jnp.ndarray:
        x = nn.Conv(_HEAD, (1, 1), name="head")(_after_blocks(images)[-1])
        return nn.relu6(x).mean((1, 2))


def _after_blocks(images: jnp.ndarray) -> list[jnp.ndarray]:
    """The maps after each block, whose parameters are those of the module that calls."""
    x = (images.astype(jnp.float32) - 127.0) / 128.0
    x = nn.relu6(nn.Conv(STEM, (3, 3), (2, 2), name="stem")(x))
    maps = []
    for number, block in enumerate(BLOCKS):
        x = _Inverted(block, name=f"block{number}")(x)
        if number == _GENERAL - 1:
            x = lax.stop_gradient(x)
        maps.append(x)
    return maps


class _Inverted(nn.Module):
    block: Block

    @nn.compact
    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        block, given = self.block, x
        wide = block.takes * block.expand
        if block.expand > 1:
            x = nn.relu6(nn.Conv(wide, (1, 1), name="expand")(x))
        x = nn.relu6(_Depthwise(wide, block.kernel, block.stride, name="depthwise")(x))
        x = nn.Conv(block.gives, (1, 1), name="project")(x)
        return x + given if block.stride == 1 and block.takes == block.gives else x


class _Depthwise(nn.Module):
    """A kernel (k, k, 1, C) for each channel, with the padding of TensorFlow's SAME."""

    channels: int
    size: int
    stride: int

    @nn.compact
    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        k, stride = self.size, self.stride
        kernel = self.param("kernel", nn.initializers.zeros, (k, k, 1, self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        out = [-(-side // stride) for side in x.shape[1:3]]
        missing = [max(0, (n - 1) * stride + k - side) for n, side in zip(out, x.shape[1:3], strict=True)]
        x = jnp.pad(x, ((0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)))
        return _depthwise(x, kernel[:, :, 0], stride) + bias


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _depthwise(x: jnp.ndarray, kernel: jnp.ndarray, stride: int) -> jnp.ndarray:
    """Padded maps (B, H, W, C) and a kernel (k, k, C) to the sum of k x k shifted products."""
    size = len(kernel)
    rows, columns = (n - size + 1 for n in x.shape[1:3])
    shifted = [
        x[:, i : i + rows : stride, j : j + columns : stride] * kernel[i, j]
        for i in range(size)
        for j in range(size)
    ]
    return sum(shifted[1:], shifted[0])


def _forward(
    x: jnp.ndarray, kernel: jnp.ndarray, stride: int
) -> tuple[jnp.ndarray, tuple[jnp.ndarray, jnp.ndarray]]:
    return _depthwise(x, kernel, stride), (x, kernel)


def _backward(
    stride: int, given: tuple[jnp.ndarray, jnp.ndarray], gradient: jnp.ndarray
) -> tuple[jnp.ndarray, jnp.ndarray]:
    """The same shifts one after the other in a loop: written out, XLA compiles them for minutes."""
    x, kernel = given
    between = ((0, 0, 0), (0, 0, stride - 1), (0, 0, stride - 1), (0, 0, 0))
    gradient = lax.pad(gradient, jnp.zeros((), x.dtype), between)  # as if the stride were 1

    def shift(number: jnp.ndarray, sums: tuple[jnp.ndarray, jnp.ndarray]) -> tuple[jnp.ndarray, jnp.ndarray]:
        to_x, to_kernel = sums
        i, j = jnp.divmod(number, len(kernel))
        start = (0, i, j, 0)
        seen = lax.dynamic_slice(x, start, gradient.shape)
        moved = lax.dynamic_slice(to_x, start, gradient.shape) + gradient * kernel[i, j]
        return (
            lax.dynamic_update_slice(to_x, moved, start),
            to_kernel.at[i, j].set((seen * gradient).sum((0, 1, 2))),
        )

    return lax.fori_loop(0, kernel[:, :, 0].size, shift, (jnp.zeros_like(x), jnp.zeros_like(kernel)))


_depthwise.defvjp(_forward, _backward)
