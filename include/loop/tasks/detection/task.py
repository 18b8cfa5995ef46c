"""Object detection as a ``Task``: what it does for the classes and the label attribute of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include import recordio
from include.loop.core.records.calibration import Calibration
from include.loop.tasks.detection.agreement import compare_boxes
from include.loop.tasks.detection.algorithm import DetectionAlgorithm
from include.loop.tasks.detection.answers import BoxAnswer, read_output
from include.loop.tasks.detection.calibration import apply
from include.loop.tasks.detection.coco import READERS, write_annotations
from include.loop.tasks.detection.consensus import AgreedBox, agree_on_all
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage, describe, manifest_value, read_value
from include.loop.tasks.detection.measuring import DetectionMeasuring
from include.loop.tasks.detection.predictions import Detection, read_detections, read_foreign
from include.loop.tasks.detection.question import prelabels
from include.loop.tasks.detection.records import read_record, write_record
from include.loop.tasks.detection.suspicion import suspicion, suspicions
from include.loop.tasks.manifest_lines import flag_too_fast
from include.loop.tasks.protocol import Task
from include.loop.tasks.values import Agreement, Origin, RejectedAnswer, ReviewersDisagree


class ObjectDetection(DetectionMeasuring, Task[Sequence[Detection], LabelledImage, BoxAnswer]):
    """Boxes with a class."""

    algorithm = DetectionAlgorithm()
    readers = READERS

    def __init__(self, classes: Sequence[str], label_attribute: str) -> None:
        self.classes = tuple(classes)
        self.label_attribute = label_attribute

    def read_prediction(self, body: bytes) -> list[Detection]:
        return read_detections(body, len(self.classes))

    def read_foreign(self, body: bytes, ids: Mapping[int, int]) -> list[Detection]:
        return read_foreign(body, len(self.classes), ids)

    def calibrated(self, prediction: Sequence[Detection], by: Calibration) -> list[Detection]:
        return apply(prediction, by, self.classes)

    def question(
        self, prediction: Sequence[Detection] | None, size: tuple[int, int], threshold: float
    ) -> dict[str, Any]:
        boxes = prelabels(prediction or (), self.classes, *size, threshold)
        return {"labels": list(self.classes), "initialValue": boxes}

    def read_answers(
        self, body: bytes, loop: str, size: tuple[int, int] | None
    ) -> tuple[list[BoxAnswer], list[RejectedAnswer]]:
        return read_output(body, loop, self.classes, size)

    def write_labels(
        self, asked: Sequence[tuple[Sequence[BoxAnswer], Origin]]
    ) -> list[dict[str, Any] | ReviewersDisagree]:
        agreed = agree_on_all([answers for answers, _ in asked], len(self.classes))
        return [
            boxes if isinstance(boxes, ReviewersDisagree) else self._line(boxes, answers, origin)
            for boxes, (answers, origin) in zip(agreed, asked, strict=True)
        ]

    def _line(
        self, boxes: Sequence[AgreedBox], answers: Sequence[BoxAnswer], origin: Origin
    ) -> dict[str, Any]:
        submitted = max(answer.submitted for answer in answers)
        workers = [answer.worker for answer in answers]
        line = manifest_value(self.label_attribute, self.classes, origin, boxes, submitted, workers)
        return flag_too_fast(line, self.label_attribute, answers)

    def is_negative(self, line: dict[str, Any]) -> bool:
        return not line[self.label_attribute]["annotations"]

    def read_value(self, value: Any) -> LabelledImage:
        return read_value(value, self.label_attribute, self.classes)

    def read_record(
        self, label: recordio.Label, source: str, size: tuple[int, int], ids: Sequence[int]
    ) -> dict[str, Any]:
        return read_record(label, source, size, self.label_attribute, self.classes, ids)

    def write_record(self, label: LabelledImage) -> recordio.Label:
        return write_record(label)

    def write_coco(self, label: LabelledImage) -> list[dict[str, Any]]:
        return write_annotations(label.boxes)

    def describe(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        return describe(line, self.label_attribute, self.classes)

    def compare_labels(self, first: LabelledImage, second: LabelledImage) -> Agreement:
        return compare_boxes(first.boxes, second.boxes)

    def difficulty(self, label: LabelledImage, prediction: Sequence[Detection], threshold: float) -> float:
        return difficulty(label, prediction, threshold)

    def suspicion(self, label: LabelledImage, prediction: Sequence[Detection], threshold: float) -> float:
        return suspicion(suspicions(label, prediction))
