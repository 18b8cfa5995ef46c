"""A detector's numbers on images that are drawn again: what a bootstrap over images needs.

Takes the matches of one model (matching.py) and how often each image counts in each draw, gives mAP@0.5, AP
by class, recall and precision under each draw. Each image was matched once: a draw is a vector of weights.
"""

from __future__ import annotations

import numpy as np

from include.loop.tasks.detection.matching import Matches
from include.loop.tasks.detection.metrics import at_work
from include.loop.tasks.measuring import Draws, Floats, Ints
from include.loop.tasks.shares import mean_over_classes, ratio

RECALL_POINTS = np.linspace(0.0, 1.0, 101)  # COCO's
# Elements of one work array: draws are taken in portions, so that memory stays bounded.
PORTION = 4_000_000


def resample(matches: Matches, weights: Ints, threshold: float) -> Draws:
    """A model's numbers under each draw; ``threshold`` is the working score of recall and precision."""
    working = at_work(matches, threshold)
    hits = np.bincount(matches.image[working & (matches.hit >= 0)], minlength=matches.images)
    found = np.bincount(matches.image[working], minlength=matches.images)
    boxes = matches.boxes()
    hits_drawn = weights @ hits
    classes = average_precision(matches, weights)
    return Draws(
        score=mean_over_classes(classes),
        classes=classes,
        recall=ratio(hits_drawn, weights @ boxes.sum(axis=1)),
        precision=ratio(hits_drawn, weights @ found),
    )


def average_precision(matches: Matches, weights: Ints) -> Floats:
    """COCO's AP at IoU 0.5 under each draw, R x C; NaN for a class that a draw has no box of.

    Equal to faster-coco-eval on a set in which each image stands as often as its weight says (but for the
    order of equal scores within one image).
    """
    boxes = weights @ matches.boxes()
    result = np.full(boxes.shape, np.nan)
    for index in range(matches.classes):
        own = np.flatnonzero(matches.class_id == index)
        own = own[np.argsort(-matches.score[own], kind="stable")]
        step = max(1, PORTION // max(1, len(own)))
        for first in range(0, len(weights), step):
            rows = slice(first, first + step)
            drawn = weights[rows][:, matches.image[own]]
            result[rows, index] = _class_precision(drawn, matches.hit[own] >= 0, boxes[rows, index])
    return result


def _class_precision(drawn: Ints, hit: np.ndarray, boxes: Ints) -> Floats:
    """AP of one class from its detections, best first: ``drawn`` R x D weights, ``hit`` D, ``boxes`` R."""
    # Precision has its peaks at hits: the 101 recall points never read another place.
    hits = np.cumsum(drawn[:, hit], axis=1, dtype=np.float64)
    found = np.cumsum(drawn, axis=1, dtype=np.float64)[:, hit]
    precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.maximum(boxes, 1)[:, None]
    # How many recall points each hit is the first to reach.
    reached = np.searchsorted(RECALL_POINTS, recall.ravel(), side="right").reshape(recall.shape)
    width = np.diff(reached, axis=1, prepend=0)
    area = (envelope * width).sum(axis=1) / len(RECALL_POINTS)
    return np.where(boxes > 0, area, np.nan)
