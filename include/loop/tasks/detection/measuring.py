"""How good a detector is: the measuring half of object detection.

Takes labelled images and detections, gives mAP@0.5 and what stands beside it, by the modules of this room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.loop.core.records.calibration import Calibration
from include.loop.core.records.metrics import ClassScore, Mistake, ModelScores
from include.loop.tasks.calibrating import Wish
from include.loop.tasks.detection import metrics
from include.loop.tasks.detection.calibration import calibrate
from include.loop.tasks.detection.difference import MIN_SCORE, largest_difference
from include.loop.tasks.detection.drawing import draw, show
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import Matches, match
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.detection.resampling import resample
from include.loop.tasks.measuring import Drawn, Draws, Floats, Ints, Metric, Outcomes, Words

if TYPE_CHECKING:
    from PIL.Image import Image

METRIC = Metric(
    key="mAP@0.5",
    label="mAP",
    class_key="AP@0.5",
    class_label="AP",
    class_title="Average precision",
    definition="mAP@0.5 is the mean over classes of the average precision at an overlap of one half",
)
STRICT = "mAP@[.5:.95]"
WORDS = Words(
    part="box",
    parts="boxes",
    objects="objects",
    found="finds {share} of the objects",
    at_work=(
        "At work a detection counts from a score of {threshold}. Recall is the share of the objects that "
        "are found, precision the share of the detections that are right, the calibration error the mean "
        "distance between scores and that share."
    ),
    by_image="F1 of its boxes",
    confusion=(
        "At the working score of {threshold}. In the row “nothing” are the detections where no object is."
    ),
    invented="“{said}” seen where nothing is",
    reliability="of detections with score 0.8, eight in ten are right",
    score_axis="score of the detection",
    second_labels="Boxes that are in both overlap by {share} on average.",
    legend=(
        ("right", "right"),
        ("wrong", "× wrong"),
        ("label", "label"),
        ("", "missed: a label without a detection"),
    ),
    nothing=metrics.BACKGROUND,
    missed=metrics.MISSED,
)


@dataclass(frozen=True)
class MeasuredDetections:
    """One detector on one set of labelled images, each image matched once."""

    classes: tuple[str, ...]
    images: Sequence[LabelledImage]
    detections: Mapping[str, Sequence[Detection]]
    threshold: float
    matches: Matches

    def scores(self) -> ModelScores:
        precise = metrics.average_precision(self.images, self.detections, self.classes)
        recall, precision = metrics.recall_and_precision(self.matches, self.threshold)
        error, reliability = metrics.calibration(self.matches)
        boxes = self.matches.boxes().sum(axis=0)
        return ModelScores(
            score=precise.score,
            more={STRICT: precise.strict},
            recall=recall,
            precision=precision,
            calibration_error=error,
            reliability=reliability,
            classes={
                label: ClassScore(score=precise.classes[label], objects=int(boxes[index]))
                for index, label in enumerate(self.classes)
            },
            confusion=metrics.confusion(self.matches, self.classes, self.threshold),
            unpredicted=sum(line.source not in self.detections for line in self.images),
        )

    def recall(self) -> float | None:
        return metrics.recall_and_precision(self.matches, self.threshold)[0]

    def resample(self, weights: Ints) -> Draws:
        return resample(self.matches, weights, self.threshold)

    def by_image(self) -> Floats:
        return metrics.f1_by_image(self.matches, self.threshold)

    def outcomes(self) -> Outcomes:
        return metrics.outcomes(self.matches, self.threshold)

    def mistakes(self) -> dict[int, Mistake]:
        """None: an image has many detections, and pictures show what is wrong with each."""
        return {}


class DetectionMeasuring:
    """How object detection measures; a part of the task."""

    metric = METRIC
    words = WORDS
    evaluator = "faster-coco-eval"
    classes: tuple[str, ...]

    def measure(
        self,
        images: Sequence[LabelledImage],
        predictions: Mapping[str, Sequence[Detection]],
        threshold: float,
    ) -> MeasuredDetections:
        matches = match(images, predictions, len(self.classes))
        return MeasuredDetections(self.classes, images, predictions, threshold, matches)

    def calibrate(
        self,
        held_out: Mapping[str, Sequence[LabelledImage]],
        judging: Mapping[str, Sequence[LabelledImage]],
        predictions: Mapping[str, Sequence[Detection]],
        wish: Wish,
    ) -> Calibration:
        return calibrate(held_out, judging, predictions, self.classes, wish)

    def difference(self, expected: Sequence[Detection], answer: Sequence[Detection]) -> float:
        return largest_difference(expected, answer)

    def says_something(self, prediction: Sequence[Detection]) -> bool:
        return any(item.score >= MIN_SCORE for item in prediction)

    def draw(
        self, picture: Image, label: LabelledImage, prediction: Sequence[Detection], threshold: float
    ) -> Drawn:
        counted = [item for item in prediction if item.score >= threshold]
        return draw(picture, label, counted, self.classes)

    def show(self, picture: Image, prediction: Sequence[Detection], threshold: float) -> Image:
        return show(picture, prediction, self.classes, threshold)
