"""Mean average precision at one overlap, as the training log reports it.

Takes detections and true boxes per image, gives one number. The area under the interpolated precision-recall
curve (every recall level, as PASCAL VOC counts it since 2010), averaged over the classes that occur.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from include.algorithms.object_detection.predict import iou


def mean_average_precision(
    detections: Sequence[np.ndarray], truths: Sequence[np.ndarray], overlap_threshold: float
) -> float:
    """`detections`: per image rows (class, score, box), best first; `truths`: per image rows (class, box).

    A detection is right when it overlaps a true box of its class, not yet found by a better one, by at least
    the threshold. 0.0 when no image has a box.
    """
    kinds = sorted({int(row[0]) for rows in truths for row in rows})
    if not kinds:
        return 0.0
    return float(np.mean([_average_precision(detections, truths, kind, overlap_threshold) for kind in kinds]))


def _average_precision(
    detections: Sequence[np.ndarray], truths: Sequence[np.ndarray], kind: int, overlap_threshold: float
) -> float:
    scores: list[float] = []
    hits: list[bool] = []
    expected = 0
    for found, true in zip(detections, truths, strict=True):
        boxes = true[true[:, 0] == kind][:, 1:5]
        expected += len(boxes)
        rows = found[found[:, 0] == kind]
        overlaps = iou(rows[:, 2:6], boxes)
        free = np.ones(len(boxes), bool)
        for row, overlap in zip(rows, overlaps, strict=True):
            best = int(np.argmax(np.where(free, overlap, -1.0))) if free.any() else -1
            hit = best >= 0 and bool(overlap[best] >= overlap_threshold)
            if hit:
                free[best] = False
            scores.append(float(row[1]))
            hits.append(hit)
    order = np.argsort(-np.asarray(scores), kind="stable")
    right = np.cumsum(np.asarray(hits, float)[order])
    precision = right / np.arange(1, len(right) + 1)
    recall = right / expected
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision at this recall or beyond
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
