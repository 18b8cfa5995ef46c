"""What a batch should have answered, and how far the network was from it: assignment of boxes to cells, and
losses.

Takes the network's output and padded boxes, gives the cross entropy (focal for "is there an object", plain
for "which class"), the smooth L1 of the log distances and how far boxes are from overlapping, each a mean per
answering cell. All shapes are static, so one compiled step serves every batch.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from include.algorithms.object_detection.network import LOG_SIDES, STRIDES, Output

# A box belongs to the grid whose stride is about an eighth to a quarter of its longer side.
_LARGEST = {
    8: 56.0,
    16: 112.0,
    32: float("inf"),
}  # pixels, longer side; the next finer grid's limit is the lower end
_RADIUS = 1.5  # cells around a box's centre that answer for it
_FOCUS = 2.0  # focal loss: how much easy cells are turned down
_POSITIVE = 0.25
_BETA = 0.2  # smooth L1: quadratic below it


class Targets(NamedTuple):
    """Per cell: its class (-1: nothing there) and log distances to the four sides of its box, in strides."""

    classes: jnp.ndarray  # (B, N) int
    distances: jnp.ndarray  # (B, N, 4): left, top, right, bottom


def assign(boxes: jnp.ndarray, centres: jnp.ndarray, strides: jnp.ndarray) -> Targets:
    """Give each cell at most one box: of those near it whose size suits its grid, the smallest.

    `boxes` (B, M, 5): class, xmin, ymin, xmax, ymax in pixels; class -1 is padding.
    """
    low, high = boxes[:, None, :, 1:3], boxes[:, None, :, 3:5]
    at = centres[None, :, None, :]
    stride = strides[None, :, None]
    size = (high - low).max(-1)
    finest = min(STRIDES)
    limits = jnp.array([_LARGEST[s] for s in STRIDES])
    floors = jnp.array([0.0, *(_LARGEST[s] for s in STRIDES[:-1])])
    level = jnp.round(jnp.log2(strides / finest)).astype(int)
    suits = (size > floors[level][None, :, None]) & (size <= limits[level][None, :, None])
    offset = jnp.abs(at - (low + high) / 2).max(-1)
    inside = ((at > low) & (at < high)).all(-1)
    # The cell that holds the centre answers even for a box so thin that no cell's centre lies inside.
    near = (offset <= stride / 2) | (inside & (offset <= _RADIUS * stride))
    chosen = near & suits & (boxes[:, None, :, 0] >= 0)
    area = jnp.where(chosen, (high - low).prod(-1), jnp.inf)
    best = area.argmin(-1)  # (B, N)
    taken = chosen.any(-1)
    owner = jnp.take_along_axis(boxes, best[:, :, None], axis=1)  # (B, N, 5)
    sides = jnp.concatenate([centres - owner[..., 1:3], owner[..., 3:5] - centres], -1) / strides[:, None]
    classes = jnp.where(taken, owner[..., 0], -1).astype(jnp.int32)
    return Targets(classes, jnp.log(jnp.clip(sides, 0.05)))


def losses(output: Output, targets: Targets) -> tuple[jnp.ndarray, jnp.ndarray]:
    """Cross entropy and smooth L1 of a batch.

    One objectness and exclusive classes, rather than an independent score per class: the classes then learn
    from the first step on, where focal loss alone would first have to find out that there are objects at all.
    """
    positive = targets.classes >= 0
    count = jnp.maximum(positive.sum(), 1)
    logits = output.objectness
    probability = jax.nn.sigmoid(logits)
    miss = jnp.where(positive, 1 - probability, probability)
    weight = jnp.where(positive, _POSITIVE, 1 - _POSITIVE) * miss**_FOCUS
    presence = weight * (jax.nn.softplus(logits) - logits * positive)
    kind = jnp.maximum(targets.classes, 0)[..., None]
    entropy = -jnp.take_along_axis(jax.nn.log_softmax(output.classes), kind, axis=-1)[..., 0]
    difference = jnp.abs(output.distances - targets.distances)
    smooth = jnp.where(difference < _BETA, difference**2 / (2 * _BETA), difference - _BETA / 2).sum(-1)
    cross_entropy = presence.sum() + jnp.where(positive, entropy, 0.0).sum()
    return cross_entropy / count, jnp.where(positive, smooth, 0.0).sum() / count


def overlap_loss(distances: jnp.ndarray, targets: Targets) -> jnp.ndarray:
    """One minus the generalised IoU (Rezatofighi et al. 2019): IoU, less the share of the smallest box around
    both that neither fills. What is measured in the end is IoU; a big and a small box count the same in it.
    """
    ours, theirs = jnp.exp(jnp.clip(distances, *LOG_SIDES)), jnp.exp(targets.distances)
    shared = _area(jnp.minimum(ours, theirs))  # both boxes hold the cell's centre, so they do meet
    union = _area(ours) + _area(theirs) - shared
    around = _area(jnp.maximum(ours, theirs))
    positive = targets.classes >= 0
    loss = jnp.where(positive, 1 - (shared / union - (around - union) / around), 0.0)
    return loss.sum() / jnp.maximum(positive.sum(), 1)


def _area(sides: jnp.ndarray) -> jnp.ndarray:
    """Of boxes that reach so far to the left, the top, the right and the bottom."""
    return (sides[..., 0] + sides[..., 2]) * (sides[..., 1] + sides[..., 3])
