"""Boxes of one image from several workers' boxes, drawn anew or adjusted (include/consensus/boxes.py).

A worker's mouse may leave the image by a pixel, which is cut off; what lies farther outside, or has no area,
belongs to some other image, and makes the whole answer one that cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.consensus.boxes import AgreedBox, Box, TooManyPairs, agree_on_boxes
from include.review_server.labeling.consolidation.reading import (
    adjustment,
    class_of,
    image_size,
    member,
    number,
    one_by_one,
    plain,
    read_answers,
    same_size,
)
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question

MOST_BOXES = 1_000  # of one answer; a person who draws ten a minute needs nearly two hours
_TOLERANCE = 1.0  # pixels


@dataclass(frozen=True)
class _Drawn:
    boxes: tuple[Box, ...]
    size: tuple[int, int]
    modified: bool


def label_boxes(question: Question, objects: Sequence[AnsweredObject]) -> list[Label | BadAnswer]:
    """The boxes that more than half of the workers drew, their sides averaged and not rounded; each with the
    share of workers as its confidence, 0 where there was one worker.
    """
    return one_by_one(_label, question, objects)


def _label(question: Question, item: AnsweredObject) -> Label:
    told = read_answers(question, item, lambda content: _read(question, content))
    width, height = same_size(drawn.size for drawn in told.values())
    try:
        agreed = agree_on_boxes([drawn.boxes for drawn in told.values()])
    except TooManyPairs as error:
        raise BadAnswer(str(error)) from None
    written = sorted((_written(question, box), round(box.share, 4) if len(told) > 1 else 0) for box in agreed)
    used = sorted({row[0] for row, _ in written})
    return Label(
        {
            # SageMaker's object detection takes images of three channels only.
            "image_size": [{"width": width, "height": height, "depth": 3}],
            "annotations": [
                dict(zip(("class_id", "top", "left", "height", "width"), row, strict=True))
                for row, _ in written
            ],
        },
        {
            "objects": [{"confidence": share} for _, share in written],
            "class-map": {str(index): question.job.categories[int(index)] for index in used},
            "type": question.task_type.output_type,
            "human-annotated": "yes",
            "creation-date": question.date,
            "job-name": question.job_name,
        }
        | adjustment(question, [drawn.modified for drawn in told.values()]),
    )


def _written(question: Question, box: AgreedBox[Box]) -> tuple[int, float, float, float, float]:
    """Class, top, left, height and width of what was agreed on."""
    return (
        question.classes[box.label],
        plain(box.mean(lambda one: one.top)),
        plain(box.mean(lambda one: one.left)),
        plain(box.mean(lambda one: one.height)),
        plain(box.mean(lambda one: one.width)),
    )


def _read(question: Question, content: Any) -> _Drawn:
    # Null is what some pages write of an image with nothing on it.
    boxes = member(content, "boundingBoxes", object)
    boxes = [] if boxes is None else member(content, "boundingBoxes", list)
    if len(boxes) > MOST_BOXES:
        raise BadAnswer(f"it has {len(boxes):,} boxes, more than {MOST_BOXES:,}")
    size = image_size(content)
    # The same box drawn twice is one: it would be learned twice, and its copy never be found.
    read = dict.fromkeys(
        _box(question, box, f"box {place}", size) for place, box in enumerate(boxes, start=1)
    )
    return _Drawn(tuple(read), size, bool(content.get("initialValueModified")))


def _box(question: Question, box: Any, at: str, size: tuple[int, int]) -> Box:
    label = member(box, "label", str, at)
    class_of(question, label)
    left, top, width, height = (number(box, name, at) for name in ("left", "top", "width", "height"))
    right, bottom = left + width, top + height
    shown = f"{at} at {left:g},{top:g} of {width:g} x {height:g} pixels"
    if max(-left, -top, right - size[0], bottom - size[1]) > _TOLERANCE:
        raise BadAnswer(f"{shown} is outside the image of {size[0]} x {size[1]}")
    if min(width, height) <= 0 or left >= size[0] or top >= size[1] or min(right, bottom) <= 0:
        raise BadAnswer(f"{shown} has no area")
    # Cut only where it must be: sums and differences would change the last digits of all others.
    if left < 0 or right > size[0]:
        left, width = max(0, left), min(size[0], right) - max(0, left)
    if top < 0 or bottom > size[1]:
        top, height = max(0, top), min(size[1], bottom) - max(0, top)
    return Box(label, left, top, width, height)
