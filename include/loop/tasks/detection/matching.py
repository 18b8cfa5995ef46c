"""Which detections hit which labelled boxes, image by image, as COCO matches them at an overlap of one half.

Takes labelled images and detections, gives ``Matches``: flat numpy arrays from which every other number is
counted (metrics.py) and resampled (bootstrap.py), so that each image is matched once. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.predictions import Detection

OVERLAP = 0.5  # the IoU of mAP@0.5
# COCO looks at the best 100 detections of an image and class.
MAX_DETECTIONS = 100

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matches:
    """D detections, best first within an image, and T labelled boxes of I images and C classes.

    ``hit`` is the index of the labelled box of its class that a detection found, or -1. Boxes are rows of
    left, top, width and height in pixels.
    """

    images: int
    classes: int
    image: Ints  # D
    class_id: Ints  # D
    score: Floats  # D
    hit: Ints  # D
    box: Floats  # D x 4
    true_image: Ints  # T
    true_class: Ints  # T
    true_box: Floats  # T x 4

    def boxes(self) -> Ints:
        """How many labelled boxes each image has of each class, I x C."""
        counts = np.zeros((self.images, self.classes), dtype=np.int64)
        np.add.at(counts, (self.true_image, self.true_class), 1)
        return counts


def match(
    images: Sequence[LabelledImage], detections: Mapping[str, Sequence[Detection]], classes: int
) -> Matches:
    """Match every image's detections (by its source; none when it is not there) with its labelled boxes.

    COCO's rule: the best detection chooses first, and takes the free box of its class that it overlaps most.
    """
    found = [_best(detections.get(image.source, ())) for image in images]
    box = _rows([_pixels(item, image) for image, items in zip(images, found, strict=True) for item in items])
    true_box = _rows([(b.left, b.top, b.width, b.height) for image in images for b in image.boxes])
    class_id = _integers([item.class_id for items in found for item in items])
    true_class = _integers([b.class_id for image in images for b in image.boxes])
    hit = np.full(len(class_id), -1, dtype=np.int64)
    first = true_first = 0
    for image, items in zip(images, found, strict=True):
        own = slice(first, first + len(items))
        true = slice(true_first, true_first + len(image.boxes))
        same = class_id[own, None] == true_class[None, true]
        chosen = choose(np.where(same, overlaps(box[own], true_box[true]), 0.0))
        hit[own] = np.where(chosen >= 0, chosen + true_first, -1)
        first, true_first = own.stop, true.stop
    return Matches(
        images=len(images),
        classes=classes,
        image=np.repeat(np.arange(len(images)), [len(items) for items in found]),
        class_id=class_id,
        score=np.array([item.score for items in found for item in items], dtype=np.float64),
        hit=hit,
        box=box,
        true_image=np.repeat(np.arange(len(images)), [len(image.boxes) for image in images]),
        true_class=true_class,
        true_box=true_box,
    )


def overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of every box with every other one; 0 where both are empty."""
    left, top = (np.maximum(boxes[:, None, side], others[None, :, side]) for side in (0, 1))
    right, bottom = (
        np.minimum(
            boxes[:, None, side] + boxes[:, None, side + 2], others[None, :, side] + others[None, :, side + 2]
        )
        for side in (0, 1)
    )
    shared = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    areas, other_areas = boxes[:, 2] * boxes[:, 3], others[:, 2] * others[:, 3]
    union = areas[:, None] + other_areas[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def choose(overlap: Floats) -> Ints:
    """For each row in turn the free column with the largest overlap, from ``OVERLAP`` on, or -1.

    Of equal overlaps the last wins, as in COCO's own evaluation.
    """
    chosen = np.full(len(overlap), -1, dtype=np.int64)
    if overlap.size:
        free = overlap.copy()
        for row in np.flatnonzero(overlap.max(axis=1) >= OVERLAP):
            column = free.shape[1] - 1 - int(np.argmax(free[row, ::-1]))
            if free[row, column] >= OVERLAP:
                chosen[row] = column
                free[:, column] = 0.0
    return chosen


def _best(items: Sequence[Detection]) -> list[Detection]:
    """Best first, at most ``MAX_DETECTIONS`` of a class; equal scores keep their order."""
    kept: list[Detection] = []
    counts: dict[int, int] = {}
    for item in sorted(items, key=lambda item: -item.score):
        counts[item.class_id] = counts.get(item.class_id, 0) + 1
        if counts[item.class_id] <= MAX_DETECTIONS:
            kept.append(item)
    return kept


def _pixels(item: Detection, image: LabelledImage) -> tuple[float, float, float, float]:
    return (
        item.xmin * image.width,
        item.ymin * image.height,
        (item.xmax - item.xmin) * image.width,
        (item.ymax - item.ymin) * image.height,
    )


def _rows(values: list[tuple[float, float, float, float]]) -> Floats:
    return np.array(values, dtype=np.float64).reshape(-1, 4)


def _integers(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)
