"""The half of a task type that measures: how good predictions are, how sure that is, how it is said and
drawn.

What evaluation, gate, report and smoke test ask of a task. Predictions and labels are opaque to them: they
come from the task (``read_prediction``, ``read_line``) and go back to it. Every share and score is from 0 to
1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from include.loop.core.records.calibration import Calibration
from include.loop.core.records.metrics import Mistake, ModelScores
from include.loop.tasks.calibrating import Wish

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
P = TypeVar("P", contravariant=True)  # a prediction of the task
L = TypeVar("L", contravariant=True)  # a labelled image of the task


@dataclass(frozen=True)
class Metric:
    """The number that decides about a model, and what it is called.

    ``key`` stands beside every stored score, and on pages; ``label`` in the middle of a sentence. The same
    for the score of one class, which ``class_title`` names in full. ``definition`` is a sentence for a
    footer.
    """

    key: str
    label: str
    class_key: str
    class_label: str
    class_title: str
    definition: str


@dataclass(frozen=True)
class Words:
    """What a page says of this task and could not say of another; each is a whole sentence or a plain noun.

    ``part`` and ``parts`` are what the label of an image is made of, ``objects`` what recall counts;
    ``found`` says with a {share} what recall is; ``at_work`` tells with a {threshold} what counts, and what
    recall, precision and calibration are; ``by_image`` is what an image is compared by; ``legend`` is the key
    to the pictures: a style of the page's sheet (or none) and a text.

    ``confusion`` tells with a {threshold} how a confusion is to be read, ``invented`` what it is when a class
    is {said} where there is none. ``nothing`` and ``missed`` are the names in it that stand for no class,
    empty where there are none; ``matrix`` is whether one class can stand for another at all, ``both`` whether
    the champion's confusion is worth its place beside the challenger's.
    """

    part: str
    parts: str
    objects: str
    found: str
    at_work: str
    by_image: str
    confusion: str
    reliability: str
    score_axis: str
    legend: tuple[tuple[str, str], ...]
    invented: str = ""
    nothing: str = ""
    missed: str = ""
    matrix: bool = True
    both: bool = False
    second_labels: str = ""


@dataclass(frozen=True)
class Draws:
    """One model's numbers by draw: R draws, C classes; NaN where a draw has nothing to measure."""

    score: Floats  # R
    classes: Floats  # R x C
    recall: Floats  # R
    precision: Floats  # R


@dataclass(frozen=True)
class Outcomes:
    """What became of I images at work, in counts: what is ``true`` on each by its label, how much of that is
    ``found``, and how much is ``said``; ``right`` where nothing is missed and nothing wrong is said.
    """

    true: Ints  # I
    found: Ints  # I
    said: Ints  # I
    right: Bools  # I


class Measured(Protocol):
    """One model on one set of I labelled images."""

    def scores(self) -> ModelScores:
        """Every number of a slice, without the bounds of a bootstrap."""

    def recall(self) -> float | None:
        """The share of the labelled objects that are found at work."""

    def resample(self, weights: Ints) -> Draws:
        """The numbers under each draw; ``weights`` say how often each image counts in it, R x I."""

    def by_image(self) -> Floats:
        """How right each image is at work, I."""

    def outcomes(self) -> Outcomes:
        """What became of each image at work: recall and precision are shares of sums over images."""

    def mistakes(self) -> Mapping[int, Mistake]:
        """What each image is mistaken for, by its place among the images; those that are right have none.
        Nothing where one word per image could not say it.
        """


@dataclass(frozen=True)
class Drawn:
    """A picture with the label and the prediction on it, and what it shows in a few words."""

    picture: Image
    told: str


class MeasuringTask(Protocol[P, L]):
    """How a task type measures. ``evaluator`` is the package that computes the score."""

    @property
    def metric(self) -> Metric: ...
    @property
    def words(self) -> Words: ...
    @property
    def evaluator(self) -> str: ...

    def measure(self, images: Sequence[L], predictions: Mapping[str, P], threshold: float) -> Measured:
        """A model's predictions on labelled images, by image: one that is not there was not predicted.
        ``threshold`` is the score that counts at work.
        """

    def calibrate(
        self,
        held_out: Mapping[str, Sequence[L]],
        judging: Mapping[str, Sequence[L]],
        predictions: Mapping[str, P],
        wish: Wish,
    ) -> Calibration | None:
        """How a model's scores are to be read: fitted on the labelled images of ``held_out``, which it has
        not learned, and measured on those of ``judging``, each by slice. None where a task's scores stay as
        they are.
        """
        return None

    def difference(self, expected: P, answer: P) -> float:
        """How far two answers to the same image are apart: 0 when they are the same."""

    def says_something(self, prediction: P) -> bool:
        """Whether a prediction has anything in it by which two answers could differ."""

    def draw(self, picture: Image, label: L, prediction: P, threshold: float) -> Drawn:
        """Label and prediction on a copy of an RGB picture; what scores below the threshold is not drawn."""

    def show(self, picture: Image, prediction: P, threshold: float) -> Image:
        """What a model says, without a label to compare it with, on a copy of an RGB picture."""
