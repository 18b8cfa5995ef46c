"""From an image to detections: resize, run the network, decode the cells, suppress what overlaps.

Takes pixels and a trained network, gives rows of (class, score, xmin, ymin, xmax, ymax), normalised to 0..1
and sorted by score.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from include.algorithms.layers import Variables
from include.algorithms.object_detection.artifact import ArtifactSettings
from include.algorithms.object_detection.network import LOG_SIDES, Detector, Output, cells
from include.algorithms.pretrained import Features

MAX_DETECTIONS = 100
_CANDIDATES = 300  # best cells that go into suppression
_LOWEST_SCORE = 0.01

Detections = np.ndarray  # (K, 6): class, score, xmin, ymin, xmax, ymax; best first
Forward = Callable[[Variables, np.ndarray], tuple[jnp.ndarray, jnp.ndarray]]


class Predictor:
    """A trained network ready to look at images of one size."""

    def __init__(self, settings: ArtifactSettings, variables: Variables) -> None:
        self.image_shape = settings.image_shape
        self._nms_threshold = settings.nms_threshold
        self._variables = jax.device_put(variables)  # jnp.asarray would compile a copy for each shape
        self._forward = forward(settings.num_classes, settings.features, settings.image_shape)

    def warm_up(self) -> None:
        """Compile for single images."""
        self.detect(np.zeros((1, self.image_shape, self.image_shape, 3), np.uint8))

    def detect(self, pixels: np.ndarray, batch: int = 1) -> list[Detections]:
        """Detections of up to `batch` images (n, S, S, 3; uint8), run in that one compiled shape."""
        padded = np.zeros((batch, *pixels.shape[1:]), np.uint8)
        padded[: len(pixels)] = pixels
        scores, boxes = (np.asarray(array) for array in self._forward(self._variables, padded))
        return [suppress(scores[index], boxes[index], self._nms_threshold) for index in range(len(pixels))]


@functools.cache
def forward(num_classes: int, features: Features, image_shape: int) -> Forward:
    """Compiled: images (B, S, S, 3; uint8) to scores (B, N, classes) and boxes (B, N, 4; 0..1)."""
    network = Detector(num_classes, features)
    centres, strides = jax.device_put(cells(image_shape))

    @jax.jit
    def run(variables: Variables, images: jnp.ndarray) -> tuple[jnp.ndarray, jnp.ndarray]:
        output = cast(Output, network.apply(variables, images, train=False))
        scores = jax.nn.sigmoid(output.objectness)[..., None] * jax.nn.softmax(output.classes)
        return scores, decode(output.distances, centres, strides) / image_shape

    return run


def decode(distances: jnp.ndarray, centres: jnp.ndarray, strides: jnp.ndarray) -> jnp.ndarray:
    """Log distances (…, N, 4), in strides, to corners xmin, ymin, xmax, ymax in pixels."""
    sides = jnp.exp(jnp.clip(distances, *LOG_SIDES)) * strides[:, None]
    return jnp.concatenate([centres - sides[..., :2], centres + sides[..., 2:]], -1)


def suppress(scores: np.ndarray, boxes: np.ndarray, nms_threshold: float) -> np.ndarray:
    """Non-maximum suppression within each class: scores (N, classes), boxes (N, 4) to rows, best first."""
    cell, kind = np.nonzero(scores >= _LOWEST_SCORE)
    score = scores[cell, kind]
    order = np.argsort(-score, kind="stable")[:_CANDIDATES]
    cell, kind, score = cell[order], kind[order], score[order]
    box = boxes[cell].clip(0.0, 1.0)
    # Boxes of different classes never meet once each class is moved to a square of its own.
    kept = _suppress(box + 2.0 * kind[:, None], nms_threshold)[:MAX_DETECTIONS]
    return np.column_stack([kind[kept], score[kept], box[kept]]).astype(np.float64)


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair: (K, 4) and (L, 4) corners to (K, L)."""
    a, b = boxes.T[:, :, None], others.T[:, None]  # side by side: many times faster than pairs of corners
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = width.clip(0) * height.clip(0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None] + (others[:, 2:] - others[:, :2]).prod(-1)[None]
    return shared / np.maximum(areas - shared, 1e-12)


def _suppress(boxes: np.ndarray, threshold: float) -> np.ndarray:
    overlaps = iou(boxes, boxes) > threshold
    alive = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~overlaps[index, index + 1 :]
    return np.flatnonzero(alive)
