"""How good a classifier is: the measuring half of image classification.

Takes labelled images and the scores of every class, gives the number that the pipeline has chosen and what
stands beside it, by the modules of this room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from include.loop.core.records.metrics import Mistake, ModelScores, finite
from include.loop.tasks.classification import metrics, resampling
from include.loop.tasks.classification.choices import Choice, choose, once
from include.loop.tasks.classification.difference import largest_difference
from include.loop.tasks.classification.drawing import draw, show
from include.loop.tasks.classification.table import Table, make_table
from include.loop.tasks.classification.values import ClassScore, LabelledImage
from include.loop.tasks.classification.words import MANY_LABELS, ONE_LABEL
from include.loop.tasks.measuring import Drawn, Draws, Floats, Ints, Metric, Outcomes, Words

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class MeasuredClasses:
    """One classifier on one set of labelled images."""

    classes: tuple[str, ...]
    table: Table
    choice: Choice

    def scores(self) -> ModelScores:
        return metrics.scores(self.table, self.classes, self.choice)

    def recall(self) -> float | None:
        return finite(resampling.recall_at_work(self.table, once(self.table))[0])

    def resample(self, weights: Ints) -> Draws:
        classes = self.choice.by_class(self.table, weights)
        return Draws(
            score=self.choice.score(self.table, weights, classes),
            classes=classes,
            recall=resampling.recall_at_work(self.table, weights),
            precision=resampling.precision_at_work(self.table, weights),
        )

    def by_image(self) -> Floats:
        """Of one label the score of the true class; of many F1, which is 1 where there are none and none is
        said.
        """
        if not self.table.multi_label:
            return np.asarray((self.table.scores * self.table.truth).sum(axis=1))
        hits = (self.table.said & self.table.truth).sum(axis=1)
        total = self.table.said.sum(axis=1) + self.table.truth.sum(axis=1)
        return np.divide(2.0 * hits, total, out=self.table.predicted.astype(float), where=total > 0)

    def outcomes(self) -> Outcomes:
        """An image is right when just its classes are named; of one label whatever the score is, as accuracy
        counts it.
        """
        truth, at_work = self.table.truth, self.table.at_work
        true, found, said = (what.sum(axis=1) for what in (truth, at_work & truth, at_work))
        return Outcomes(true, found, said, right=self.table.right)

    def mistakes(self) -> dict[int, Mistake]:
        return metrics.mistakes(self.table, self.classes)


class ClassificationMeasuring:
    """How image classification measures; a part of the task. ``metric_name`` is the pipeline's
    ``evaluation.metric``, None for the first that is allowed.
    """

    evaluator = "scikit-learn"
    classes: tuple[str, ...]
    multi_label: bool
    metric_name: str | None
    top_k: int

    @property
    def metric(self) -> Metric:
        return self._choice.metric

    @property
    def words(self) -> Words:
        return MANY_LABELS if self.multi_label else ONE_LABEL

    def measure(
        self,
        images: Sequence[LabelledImage],
        predictions: Mapping[str, Sequence[ClassScore]],
        threshold: float,
    ) -> MeasuredClasses:
        table = make_table(
            images,
            predictions,
            len(self.classes),
            multi_label=self.multi_label,
            threshold=threshold,
            top_k=self.top_k,
        )
        return MeasuredClasses(self.classes, table, self._choice)

    def difference(self, expected: Sequence[ClassScore], answer: Sequence[ClassScore]) -> float:
        return largest_difference(expected, answer)

    def says_something(self, prediction: Sequence[ClassScore]) -> bool:
        return bool(prediction)

    def draw(
        self, picture: Image, label: LabelledImage, prediction: Sequence[ClassScore], threshold: float
    ) -> Drawn:
        return draw(picture, label, prediction, self.classes, threshold, multi_label=self.multi_label)

    def show(self, picture: Image, prediction: Sequence[ClassScore], threshold: float) -> Image:
        return show(picture, prediction, self.classes, threshold, multi_label=self.multi_label)

    @property
    def _choice(self) -> Choice:
        return choose(self.metric_name, self.multi_label, self.top_k)
