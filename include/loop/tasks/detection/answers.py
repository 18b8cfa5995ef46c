"""A2I's output.json, checked and turned into typed answers.

Takes the bytes that A2I wrote and the question they answer; gives one ``Answer`` per worker whose answer is
usable and one ``RejectedAnswer`` per worker whose answer is not, so that one bad answer never costs the good
ones. A bad box spoils its whole answer: a training image with a box left out would teach that nothing is
there. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from include.loop.core.errors import BadRecord
from include.loop.core.images import MAX_PIXELS
from include.loop.core.storage import parse_loosely

# A worker's mouse may leave the image by a hair; more than a pixel is a box of some other image.
TOLERANCE_PIXELS = 1.0
# Of one output.json: a hundred times what three answers with a thousand boxes each take.
MOST_BYTES = 32 * 1024 * 1024
MOST_BOXES = 1_000  # of one answer; a person who draws ten a minute needs nearly two hours
MOST_SECONDS = 366 * 24 * 3600
SUPERSEDED = "the same worker has answered again later: only the last answer counts"
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
class Answer:
    """One worker's usable answer. ``submitted`` is in UTC; ``seconds`` is None where nobody measured, or what
    was measured is no time (negative, or more than a year).
    """

    worker: str
    boxes: tuple[Box, ...]
    width: int
    height: int
    submitted: datetime
    seconds: float | None = None


@dataclass(frozen=True)
class RejectedAnswer:
    """One worker's answer that cannot be used, and why."""

    worker: str
    reason: str


def _seconds(value: Any, read: ValidatorFunctionWrapHandler) -> float | None:
    """How long an answer took says nothing about its boxes: it is never lost for it."""
    try:
        seconds = read(value)
    except ValidationError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= MOST_SECONDS else None


class _Box(BaseModel):
    label: str
    left: Pixels
    top: Pixels
    width: Pixels
    height: Pixels


class _ImageProperties(BaseModel):
    width: int = Field(gt=0, le=MAX_PIXELS)
    height: int = Field(gt=0, le=MAX_PIXELS)


class _Result(BaseModel):
    boundingBoxes: list[_Box]
    inputImageProperties: _ImageProperties


class _HumanAnswer(BaseModel):
    """The documented fields that are always there, and those that newer outputs add."""

    workerId: str
    submissionTime: datetime
    answerContent: dict[str, Any]
    timeSpentInSeconds: Annotated[float | None, WrapValidator(_seconds)] = None


def read_output(
    body: bytes, loop: str, classes: Sequence[str], size: tuple[int, int] | None = None
) -> tuple[list[Answer], list[RejectedAnswer]]:
    """The answers in an output.json, by worker. BadRecord when the file as a whole is unusable.

    ``size`` is the image's width and height where it is known: boxes drawn on an image of another size
    (rotated by its EXIF tag, or replaced meanwhile) do not fit the pixels that will be trained on.
    """
    answers: list[Answer] = []
    rejected = []
    for item in _human_answers(body, loop):
        try:
            answers.append(read_answer(item, classes, size))
        except BadRecord as error:
            rejected.append(RejectedAnswer(_worker(item), _short(str(error))))
    last = {item.worker: item for item in sorted(answers, key=lambda item: item.submitted)}
    # Nobody has two voices.
    rejected += [RejectedAnswer(item.worker, SUPERSEDED) for item in answers if item is not last[item.worker]]
    return [item for item in answers if item is last[item.worker]], rejected


def read_answer(item: Any, classes: Sequence[str], size: tuple[int, int] | None = None) -> Answer:
    """One entry of ``humanAnswers``; BadRecord names the field, the label or the box that is wrong."""
    try:
        human = _HumanAnswer.model_validate(item)
        if ELEMENT not in human.answerContent:
            raise BadRecord(f"answer lacks fields: answerContent.{ELEMENT}")
        result = _Result.model_validate(human.answerContent[ELEMENT])
    except ValidationError as error:
        raise BadRecord(f"answer lacks fields: {_where(error)}") from None
    width, height = result.inputImageProperties.width, result.inputImageProperties.height
    if size is not None and (width, height) != tuple(size):
        raise BadRecord(f"answer is for an image of {width} x {height} pixels, not {size[0]} x {size[1]}")
    if len(result.boundingBoxes) > MOST_BOXES:
        raise BadRecord(f"answer has {len(result.boundingBoxes):,} boxes, more than {MOST_BOXES:,}")
    # The same box drawn twice is one: it would be learned twice, and its copy never be found.
    boxes = tuple(dict.fromkeys(_box(box, classes, width, height) for box in result.boundingBoxes))
    return Answer(
        _short(human.workerId), boxes, width, height, _utc(human.submissionTime), human.timeSpentInSeconds
    )


def _human_answers(body: bytes, loop: str) -> list[Any]:
    if len(body) > MOST_BYTES:
        raise BadRecord(f"output.json is larger than {MOST_BYTES:,} bytes")
    try:
        output = parse_loosely(body)
    except ValueError:
        raise BadRecord("output.json is not JSON") from None
    if not isinstance(output, dict) or not isinstance(output.get("humanAnswers"), list):
        raise BadRecord("output.json lacks fields: humanAnswers")
    if not output["humanAnswers"]:
        raise BadRecord("output.json holds no answer")
    if output.get("humanLoopName") != loop:
        name = output.get("humanLoopName")
        other = _short(name) if isinstance(name, str) else "one without a name"
        raise BadRecord(f"output.json belongs to another loop: {other}")
    return output["humanAnswers"]


def _box(box: _Box, classes: Sequence[str], width: int, height: int) -> Box:
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


def _utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:  # the first or last day of all years, in another zone
        raise BadRecord("answer lacks fields: submissionTime: is no time in UTC") from None


def _worker(item: Any) -> str:
    worker = item.get("workerId") if isinstance(item, dict) else None
    return _short(worker) if isinstance(worker, str) else "unknown"


def _short(text: str) -> str:
    """Text of others as it is kept beside a record: of a length to be read, and of whole characters."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 500 else f"{text[:499]}…"


def _where(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    return f"{path}: {first['msg'].lower()}"
