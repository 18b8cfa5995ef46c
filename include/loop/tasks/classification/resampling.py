"""A classifier's numbers on images that are drawn again: what a bootstrap over images needs.

Takes a table and how often each image counts in each draw, gives every number under each draw. Whatever
cannot be measured in a draw is NaN. The curves' areas are those of scikit-learn on a set in which each image
stands as often as its weight says.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from include.loop.tasks.classification.table import Bools, Table
from include.loop.tasks.measuring import Floats, Ints
from include.loop.tasks.shares import ratio

# Elements of one work array: draws are taken in portions, so that memory stays bounded.
PORTION = 4_000_000


class Area(Protocol):
    """Of the positive and negative images in each group of equal scores, best first, R x G each."""

    def __call__(self, positive: Ints, negative: Ints) -> Floats: ...


def precision(table: Table, weights: Ints) -> Floats:
    """By class, R x K: of the images that are said to be of it, the share that is."""
    return ratio(_count(weights, table.said & table.truth), _count(weights, table.said))


def recall(table: Table, weights: Ints) -> Floats:
    """By class, R x K: of the images that are of it, the share that is said to be."""
    return ratio(_count(weights, table.said & table.truth), _count(weights, table.truth))


def recall_among_best(table: Table, weights: Ints) -> Floats:
    """By class, R x K: of the images that are of it, the share that has it among the best."""
    return ratio(_count(weights, table.among_best & table.truth), _count(weights, table.truth))


def f1(table: Table, weights: Ints) -> Floats:
    """By class, R x K; NaN for a class that no image is of, and none is said to be of."""
    hits = _count(weights, table.said & table.truth)
    return ratio(2 * hits, _count(weights, table.said) + _count(weights, table.truth))


def micro_f1(table: Table, weights: Ints) -> Floats:
    """Of all classes together, R."""
    hits = _count(weights, table.said & table.truth).sum(axis=1)
    return ratio(2 * hits, (_count(weights, table.said) + _count(weights, table.truth)).sum(axis=1))


def class_accuracy(table: Table, weights: Ints) -> Floats:
    """By class, R x K: the share of the images of which it is rightly said, or rightly not said."""
    right = (table.said == table.truth) & table.predicted[:, None]
    return ratio(_count(weights, right), weights.sum(axis=1)[:, None])


def share_of_images(weights: Ints, images: Bools) -> Floats:
    """R: the share of the images that are among these."""
    return ratio(_count(weights, images), weights.sum(axis=1))


def recall_at_work(table: Table, weights: Ints) -> Floats:
    """R: of all labels, the share that is named with a score that counts."""
    hits = _count(weights, table.at_work & table.truth).sum(axis=1)
    return ratio(hits, _count(weights, table.truth).sum(axis=1))


def precision_at_work(table: Table, weights: Ints) -> Floats:
    """R: of all that is named with a score that counts, the share that is right."""
    hits = _count(weights, table.at_work & table.truth).sum(axis=1)
    return ratio(hits, _count(weights, table.at_work).sum(axis=1))


def auroc(table: Table, weights: Ints) -> Floats:
    """By class against the rest, R x K: the chance that an image of the class has a higher score than one
    that is not, ties half. NaN without the one or the other.
    """
    return _by_class(table, weights, _area_under_roc)


def auprc(table: Table, weights: Ints) -> Floats:
    """By class against the rest, R x K: average precision, the sum of (R_n - R_n-1) P_n without
    interpolation. NaN without an image of the class.
    """
    return _by_class(table, weights, _average_precision)


def _count(weights: Ints, what: Bools) -> Floats:
    """How many there are in each draw. As floats: integers have no fast matrix product."""
    return np.asarray(weights.astype(np.float64) @ what.astype(np.float64))


def _by_class(table: Table, weights: Ints, area: Area) -> Floats:
    images, classes = table.truth.shape
    result = np.full((len(weights), classes), np.nan)
    step = max(1, PORTION // max(1, images))
    for index in range(classes):
        order = np.argsort(-table.scores[:, index], kind="stable")
        scores, own = table.scores[order, index], table.truth[order, index]
        # Images of equal scores come together: where each such group begins.
        starts = np.flatnonzero(np.diff(scores, prepend=np.inf))
        for first in range(0, len(weights), step):
            rows = slice(first, first + step)
            drawn = weights[rows][:, order]
            positive = np.add.reduceat(drawn * own, starts, axis=1)
            negative = np.add.reduceat(drawn * ~own, starts, axis=1)
            result[rows, index] = area(positive, negative)
    return result


def _area_under_roc(positive: Ints, negative: Ints) -> Floats:
    above = np.cumsum(positive, axis=1) - positive / 2
    return ratio((negative * above).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(positive: Ints, negative: Ints) -> Floats:
    hits = np.cumsum(positive, axis=1)
    found = hits + np.cumsum(negative, axis=1)
    precise = np.divide(hits, found, out=np.zeros(hits.shape), where=found > 0)
    return ratio((positive * precise).sum(axis=1), positive.sum(axis=1))
