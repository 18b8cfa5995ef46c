"""Boxes that a person drew, checked and turned into integer pixels of the stored image.

Takes one answer of A2I's output.json, gives a ``BoxAnswer``; BadRecord names the field, the label or the box
that is wrong. A bad box spoils its whole answer: a training image with a box left out would teach that
nothing is there. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from include.loop.core.errors import BadRecord
from include.loop.core.images import MAX_PIXELS
from include.loop.tasks import a2i_output
from include.loop.tasks.a2i_output import Envelope
from include.loop.tasks.values import RejectedAnswer

# A worker's mouse may leave the image by a little; more than a pixel is a box of some other image.
TOLERANCE_PIXELS = 1.0
MOST_BOXES = 1_000  # of one answer; a person who draws ten a minute needs nearly two hours
# The name of the template's crowd-bounding-box element.
ELEMENT = "annotatedResult"

Pixels = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, order=True)
class Box:
    """A labelled box in integer pixels of the stored image, origin top left, entirely inside the image."""

    label: str
    left: int
    top: int
    width: int
    height: int

    @property
    def told(self) -> str:
        """The box in words."""
        return f"{self.label} at {self.left},{self.top} of {self.width} x {self.height}"


@dataclass(frozen=True)
class BoxAnswer:
    """One worker's usable answer. ``submitted`` is in UTC; ``seconds`` is None where nobody measured, or what
    was measured is no time (negative, or more than a year).
    """

    worker: str
    boxes: tuple[Box, ...]
    width: int
    height: int
    submitted: datetime
    seconds: float | None = None

    @property
    def labels(self) -> list[str]:
        return [box.label for box in self.boxes]

    @property
    def said(self) -> list[str]:
        return [box.told for box in sorted(self.boxes)]


class _Drawn(BaseModel):
    label: str
    left: Pixels
    top: Pixels
    width: Pixels
    height: Pixels


class _ImageProperties(BaseModel):
    width: int = Field(gt=0, le=MAX_PIXELS)
    height: int = Field(gt=0, le=MAX_PIXELS)


class _Result(BaseModel):
    boundingBoxes: list[_Drawn]
    inputImageProperties: _ImageProperties


def read_output(
    body: bytes, loop: str, classes: Sequence[str], size: tuple[int, int] | None = None
) -> tuple[list[BoxAnswer], list[RejectedAnswer]]:
    """The answers in an output.json, by worker. BadRecord when the file as a whole is unusable.

    ``size`` is the image's width and height where it is known: boxes drawn on an image of another size
    (rotated by its EXIF tag, or replaced meanwhile) do not fit the pixels that will be trained on.
    """
    return a2i_output.read_answers(body, loop, lambda item: read_answer(item, classes, size))


def read_answer(item: Any, classes: Sequence[str], size: tuple[int, int] | None = None) -> BoxAnswer:
    """One entry of ``humanAnswers``."""
    answer = Envelope(item, ELEMENT)
    try:
        result = _Result.model_validate(answer.content)
    except ValidationError as error:
        raise BadRecord(f"answer lacks fields: {a2i_output.where(error)}") from None
    width, height = result.inputImageProperties.width, result.inputImageProperties.height
    if size is not None and (width, height) != tuple(size):
        raise BadRecord(f"answer is for an image of {width} x {height} pixels, not {size[0]} x {size[1]}")
    if len(result.boundingBoxes) > MOST_BOXES:
        raise BadRecord(f"answer has {len(result.boundingBoxes):,} boxes, more than {MOST_BOXES:,}")
    # The same box drawn twice is one: it would be learned twice, and its copy never be found.
    boxes = tuple(dict.fromkeys(_box(box, classes, width, height) for box in result.boundingBoxes))
    return BoxAnswer(answer.worker, boxes, width, height, answer.submitted, answer.seconds)


def _box(box: _Drawn, classes: Sequence[str], width: int, height: int) -> Box:
    if box.label not in classes:
        raise BadRecord(f"unknown label: {box.label!r} (the pipeline's classes are {', '.join(classes)})")
    right, bottom = box.left + box.width, box.top + box.height
    outside = max(-box.left, -box.top, right - width, bottom - height)
    shown = f"{box.label} at {box.left:g},{box.top:g} of {box.width:g} x {box.height:g}"
    if outside > TOLERANCE_PIXELS:
        raise BadRecord(f"box outside the image: {shown} in {width} x {height} pixels")
    left, top = max(0, math.floor(box.left + 0.5)), max(0, math.floor(box.top + 0.5))
    right, bottom = min(width, math.floor(right + 0.5)), min(height, math.floor(bottom + 0.5))
    if right <= left or bottom <= top:
        raise BadRecord(f"box without area: {shown}")
    return Box(box.label, left, top, right - left, bottom - top)
