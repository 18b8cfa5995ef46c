"""A classifier's predictions beside the labels, as arrays: what every number of it is computed from.

Takes labelled images and predictions by image, gives a ``Table``. An image that was not predicted has a score
of 0 for every class, and nothing that is said of it counts as right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from include.loop.tasks.classification.values import ClassScore, LabelledImage
from include.loop.tasks.measuring import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """I images, K classes. ``truth`` (I x K) is what the labels say, ``scores`` (I x K) what the model does;
    ``predicted`` (I) whether it said anything. ``threshold`` is the score that counts at work, ``top_k``
    among how many classes the right one has to be for top-k accuracy.
    """

    truth: Bools
    scores: Floats
    predicted: Bools
    multi_label: bool
    threshold: float
    top_k: int

    @cached_property
    def said(self) -> Bools:
        """The classes that the model names, I x K: the best one (the lower index of equal ones) or, where
        images have many, all that count at work.
        """
        if self.multi_label:
            return (self.scores >= self.threshold) & self.predicted[:, None]
        return self._rank < 1

    @cached_property
    def among_best(self) -> Bools:
        """The ``top_k`` best classes of each image, I x K."""
        return self._rank < self.top_k

    @cached_property
    def at_work(self) -> Bools:
        """What of ``said`` has a score that counts at work, I x K."""
        return self.said & (self.scores >= self.threshold)

    @property
    def right(self) -> Bools:
        """Images of which just the right classes are named, I."""
        return self.predicted & (self.said == self.truth).all(axis=1)

    @property
    def right_among_best(self) -> Bools:
        """Images that have their class among the ``top_k`` best ones, I."""
        return np.asarray((self.among_best & self.truth).any(axis=1))

    @property
    def top_score(self) -> Floats:
        """Of each image, I."""
        return self.scores.max(axis=1)

    @cached_property
    def _rank(self) -> Ints:
        """The place of each class in its image, from 0, I x K; past the last where nothing was predicted."""
        order = np.argsort(-self.scores, axis=1, kind="stable")
        rank = np.argsort(order, axis=1, kind="stable")
        return np.where(self.predicted[:, None], rank, self.scores.shape[1])


def make_table(
    images: Sequence[LabelledImage],
    predictions: Mapping[str, Sequence[ClassScore]],
    classes: int,
    *,
    multi_label: bool,
    threshold: float,
    top_k: int,
) -> Table:
    """Predictions are by image source; one that is not there was not predicted."""
    truth = np.zeros((len(images), classes), dtype=bool)
    scores = np.zeros((len(images), classes))
    predicted = np.zeros(len(images), dtype=bool)
    for row, image in enumerate(images):
        truth[row, list(image.classes)] = True
        said = predictions.get(image.source, ())
        predicted[row] = bool(said)
        for item in said:
            scores[row, item.class_id] = item.score
    return Table(truth, scores, predicted, multi_label, threshold, top_k)
