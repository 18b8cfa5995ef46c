"""What the answers of an object's workers come to: its label, as Ground Truth writes it.

Takes the built-in task type, the job's facts and up to fifty objects with their answers; gives for each
object a label with its metadata, or why there is none. An answer that cannot be read is left out; an object
that has no other fails alone. One module for each family of tasks; how answers are weighed is in
include/consensus. Pure: the same answers and the same ``now`` give the same bytes, so that a consolidation
can be done again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from include.review_server.labeling.consolidation.boxes import label_boxes
from include.review_server.labeling.consolidation.classes import label_classes
from include.review_server.labeling.consolidation.masks import label_masks
from include.review_server.labeling.consolidation.multi_label import label_multi
from include.review_server.labeling.consolidation.spans import label_spans
from include.review_server.labeling.consolidation.values import (
    AnsweredObject,
    BadAnswer,
    Consolidated,
    JobFacts,
    Label,
    Question,
)
from include.review_server.labeling.task_types import TaskType

__all__ = ["AnsweredObject", "Consolidated", "JobFacts", "consolidate"]

# By the type that the metadata of a label says.
_FAMILIES: dict[str, Callable[[Question, Sequence[AnsweredObject]], list[Label | BadAnswer]]] = {
    "groundtruth/image-classification": label_classes,
    "groundtruth/text-classification": label_classes,
    "groundtruth/label-verification": label_classes,
    "groundtruth/object-detection": label_boxes,
    "groundtruth/image-classification-multilabel": label_multi,
    "groundtruth/text-classification-multilabel": label_multi,
    "groundtruth/semantic-segmentation": label_masks,
    "groundtruth/text-span": label_spans,
}


def consolidate(
    task_type: TaskType, job: JobFacts, objects: Sequence[AnsweredObject], now: datetime
) -> list[Consolidated]:
    """The objects in the order of their numbers. Those of one call are weighed together: the same answers in
    other groups come to other confidences.
    """
    ordered = sorted(objects, key=lambda item: item.number)
    labels = _FAMILIES[task_type.output_type](Question(task_type, job, now), ordered)
    return [_told(job, item, label) for item, label in zip(ordered, labels, strict=True)]


def _told(job: JobFacts, item: AnsweredObject, label: Label | BadAnswer) -> Consolidated:
    if isinstance(label, BadAnswer):
        return Consolidated(item.number, None, str(label))
    name = job.label_attribute
    return Consolidated(
        item.number, {name: label.value, f"{name}-metadata": label.metadata}, files=label.files
    )
