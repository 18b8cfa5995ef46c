"""Image classification as a ``Task``: what it does for the classes and the label attribute of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include import recordio
from include.consensus.classes import NONES
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.classification import manifest, records
from include.loop.tasks.classification.agreement import compare_classes
from include.loop.tasks.classification.algorithm import ClassificationAlgorithm
from include.loop.tasks.classification.answers import ClassAnswer, read_output
from include.loop.tasks.classification.consensus import agree
from include.loop.tasks.classification.difficulty import difficulty
from include.loop.tasks.classification.measuring import ClassificationMeasuring
from include.loop.tasks.classification.predictions import read_scores
from include.loop.tasks.classification.question import make_question
from include.loop.tasks.classification.values import ClassScore, LabelledImage
from include.loop.tasks.manifest_lines import flag_too_fast
from include.loop.tasks.protocol import Task
from include.loop.tasks.values import Agreement, Origin, RejectedAnswer, ReviewersDisagree


class ImageClassification(ClassificationMeasuring, Task[Sequence[ClassScore], LabelledImage, ClassAnswer]):
    """One class for each image, or with ``multi_label`` any number of them."""

    def __init__(
        self,
        classes: Sequence[str],
        label_attribute: str,
        *,
        multi_label: bool = False,
        metric: str | None = None,
        top_k: int = 2,
    ) -> None:
        """``metric`` names the number that decides (None: the first one), see measuring.py."""
        if multi_label and (taken := [name for name in classes if name.casefold() in NONES]):
            raise ConfigurationError(
                f"classes: {taken[0]!r} is what a reviewer chooses when no class fits; leave it out: an "
                "image without a label says the same"
            )
        self.classes = tuple(classes)
        self.label_attribute = label_attribute
        self.multi_label = multi_label
        self.metric_name, self.top_k = metric, top_k
        self._algorithm = ClassificationAlgorithm(multi_label=multi_label)

    @property
    def algorithm(self) -> ClassificationAlgorithm:
        return self._algorithm

    def read_prediction(self, body: bytes) -> list[ClassScore]:
        return read_scores(body, len(self.classes))

    def question(
        self, prediction: Sequence[ClassScore] | None, size: tuple[int, int], threshold: float
    ) -> dict[str, Any]:
        return make_question(prediction or (), self.classes, threshold, multi_label=self.multi_label)

    def read_answers(
        self, body: bytes, loop: str, size: tuple[int, int] | None
    ) -> tuple[list[ClassAnswer], list[RejectedAnswer]]:
        return read_output(body, loop, self.classes, multi_label=self.multi_label)

    def write_labels(
        self, asked: Sequence[tuple[Sequence[ClassAnswer], Origin]]
    ) -> list[dict[str, Any] | ReviewersDisagree]:
        found = agree([answers for answers, _ in asked], len(self.classes), multi_label=self.multi_label)
        return [
            label if isinstance(label, ReviewersDisagree) else self._line(label, answers, origin)
            for label, (answers, origin) in zip(found, asked, strict=True)
        ]

    def _line(
        self, labels: dict[int, float], answers: Sequence[ClassAnswer], origin: Origin
    ) -> dict[str, Any]:
        submitted = max(answer.submitted for answer in answers)
        workers = [answer.worker for answer in answers]
        if self.multi_label:
            line = manifest.many_classes(
                self.label_attribute, self.classes, origin, labels, submitted, workers
            )
        else:
            ((label, confidence),) = labels.items()
            line = manifest.one_class(
                self.label_attribute, self.classes, origin, label, confidence, submitted, workers
            )
        return flag_too_fast(line, self.label_attribute, answers)

    def is_negative(self, line: dict[str, Any]) -> bool:
        return bool(line[self.label_attribute] == [])

    def read_value(self, value: Any) -> LabelledImage:
        return manifest.read_value(value, self.label_attribute, self.classes, multi_label=self.multi_label)

    def read_record(
        self, label: recordio.Label, source: str, size: tuple[int, int], ids: Sequence[int]
    ) -> dict[str, Any]:
        return records.read_record(
            label, source, self.label_attribute, self.classes, ids, multi_label=self.multi_label
        )

    def write_record(self, label: LabelledImage) -> recordio.Label:
        return records.write_record(label, len(self.classes), multi_label=self.multi_label)

    def write_coco(self, label: LabelledImage) -> list[dict[str, Any]]:
        raise ConfigurationError(
            "adapter.channels.format: COCO's annotations are boxes, and an image of image-classification has "
            "classes as a whole: leave format out"
        )

    def describe(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        return manifest.describe(line, self.label_attribute, self.classes)

    def compare_labels(self, first: LabelledImage, second: LabelledImage) -> Agreement:
        return compare_classes(first, second)

    def difficulty(self, label: LabelledImage, prediction: Sequence[ClassScore], threshold: float) -> float:
        return difficulty(label, prediction, threshold, multi_label=self.multi_label)
