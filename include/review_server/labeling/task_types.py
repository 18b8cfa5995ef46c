"""The built-in task types of labeling jobs, and how a request names one.

CreateLabelingJob has no field for it: the type is read from the names of the two functions, as in
``arn:aws:lambda:us-east-1:432418664414:function:PRE-BoundingBox``. Account and Region may be any, for
requests carry those of AWS's own functions; built-in functions never leave this process. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

BUILT_IN_ARN = re.compile(r":function:(PRE|ACS)-(\w+)\Z")
# Built in and yet no type: the object's line goes to the template, and the answers stay as they are.
PASS_THROUGH = "PassThrough"  # noqa: S105 (no secret)

Reviews = Literal["adjustment", "verification"]


@dataclass(frozen=True)
class TaskType:
    """What is asked of a worker, and in which shape the labels come out.

    ``element`` is the name of the template's crowd element: the answer stands under it. ``output_type`` is
    the ``type`` of a label's metadata. ``attribute_ends_ref`` is whether the label is a file, so that its
    attribute must end with "-ref" (it must not for all others). ``most_labels`` is None where the categories
    have no limit.
    """

    name: str
    element: str
    output_type: str
    attribute_ends_ref: bool = False
    reviews: Reviews | None = None
    least_labels: int = 1
    most_labels: int | None = None


class UnknownTaskType(ValueError):
    """The functions name no task type that there is."""


# An indexed PNG has 256 colours, and the first is what nobody painted.
_MOST_COLOURS = 255
_CLASSIFIER = "crowd-image-classifier"
_MASK = "crowd-semantic-segmentation"

TASK_TYPES: dict[str, TaskType] = {
    item.name: item
    for item in (
        TaskType("ImageMultiClass", _CLASSIFIER, "groundtruth/image-classification", least_labels=2),
        TaskType(
            "ImageMultiClassMultiLabel",
            "crowd-image-classifier-multi-select",
            "groundtruth/image-classification-multilabel",
            least_labels=2,
            most_labels=50,
        ),
        TaskType("BoundingBox", "boundingBox", "groundtruth/object-detection", most_labels=50),
        TaskType(
            "SemanticSegmentation",
            _MASK,
            "groundtruth/semantic-segmentation",
            attribute_ends_ref=True,
            most_labels=_MOST_COLOURS,
        ),
        TaskType("TextMultiClass", "crowd-classifier", "groundtruth/text-classification", least_labels=2),
        TaskType(
            "TextMultiClassMultiLabel",
            "crowd-classifier-multi-select",
            "groundtruth/text-classification-multilabel",
            least_labels=2,
            most_labels=50,
        ),
        TaskType("NamedEntityRecognition", "crowd-entity-annotation", "groundtruth/text-span"),
        TaskType(
            "VerificationBoundingBox",
            _CLASSIFIER,
            "groundtruth/label-verification",
            reviews="verification",
            least_labels=2,
        ),
        TaskType(
            "VerificationSemanticSegmentation",
            _CLASSIFIER,
            "groundtruth/label-verification",
            reviews="verification",
            least_labels=2,
        ),
        TaskType(
            "AdjustmentBoundingBox",
            "boundingBox",
            "groundtruth/object-detection",
            reviews="adjustment",
            most_labels=50,
        ),
        TaskType(
            "AdjustmentSemanticSegmentation",
            _MASK,
            "groundtruth/semantic-segmentation",
            attribute_ends_ref=True,
            reviews="adjustment",
            most_labels=_MOST_COLOURS,
        ),
    )
}


def task_type(pre_arn: str | None, acs_arn: str | None) -> TaskType | None:
    """The type that both functions of a request name. None is a custom task: functions of the requester's
    own, PassThrough, or none at all. UnknownTaskType when they do not fit together, or for a type that is not
    supported (video and point clouds).
    """
    pre, acs = built_in(pre_arn), built_in(acs_arn)
    named = {name for name in (pre, acs) if name is not None and name != PASS_THROUGH}
    if not named:
        return None
    if unknown := sorted(named - TASK_TYPES.keys()):
        raise UnknownTaskType(
            f"task type {unknown[0]!r} is not supported: built in are {', '.join(TASK_TYPES)}; "
            "all else is a custom task with functions of your own"
        )
    if pre != acs:
        raise UnknownTaskType(
            f"a built-in task type takes both its functions, PRE-{min(named)} as PreHumanTaskLambdaArn and "
            f"ACS-{min(named)} as AnnotationConsolidationLambdaArn; these are {pre_arn or 'none'} and "
            f"{acs_arn or 'none'}"
        )
    return TASK_TYPES[min(named)]


def built_in(arn: str | None) -> str | None:
    """The type in the name of a built-in function; None for a function of the requester's own, or none."""
    found = BUILT_IN_ARN.search(arn or "")
    return found[2] if found else None
