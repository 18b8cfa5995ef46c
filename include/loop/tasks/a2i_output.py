"""What all of A2I's output.json files have in common, whatever task their answers are of.

Takes the bytes that A2I wrote and a function that reads one answer; gives the usable answers, one per worker,
and one ``RejectedAnswer`` for each of the others, so that one bad answer never costs the good ones. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse_loosely
from include.loop.tasks.values import A, RejectedAnswer

# Of one output.json: a hundred times what three answers with a thousand boxes each take.
MOST_BYTES = 32 * 1024 * 1024
MOST_SECONDS = 366 * 24 * 3600
SUPERSEDED = "the same worker has answered again later: only the last answer counts"


def _seconds(value: Any, read: ValidatorFunctionWrapHandler) -> float | None:
    """How long an answer took says nothing about the rest of it: it is never lost for it."""
    try:
        seconds = read(value)
    except ValidationError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= MOST_SECONDS else None


class _HumanAnswer(BaseModel):
    """The documented fields that are always there, and those that newer outputs add."""

    workerId: str
    submissionTime: datetime
    answerContent: dict[str, Any]
    timeSpentInSeconds: Annotated[float | None, WrapValidator(_seconds)] = None


class Envelope:
    """One entry of ``humanAnswers`` around what the task's element of the template gave."""

    def __init__(self, item: Any, element: str) -> None:
        """BadRecord names the field that is wrong. ``element`` is the name of the crowd element."""
        try:
            human = _HumanAnswer.model_validate(item)
        except ValidationError as error:
            raise BadRecord(f"answer lacks fields: {where(error)}") from None
        if element not in human.answerContent:
            raise BadRecord(f"answer lacks fields: answerContent.{element}")
        self.worker = short(human.workerId)
        self.submitted = _utc(human.submissionTime)
        self.seconds = human.timeSpentInSeconds
        self.content = human.answerContent[element]


def read_answers(
    body: bytes, loop: str, read_one: Callable[[Any], A]
) -> tuple[list[A], list[RejectedAnswer]]:
    """The answers in an output.json, by worker. BadRecord when the file as a whole is unusable."""
    answers: list[A] = []
    rejected = []
    for item in _human_answers(body, loop):
        try:
            answers.append(read_one(item))
        except BadRecord as error:
            rejected.append(RejectedAnswer(_worker(item), short(str(error))))
    last = {item.worker: item for item in sorted(answers, key=lambda item: item.submitted)}
    # Nobody has two voices.
    rejected += [RejectedAnswer(item.worker, SUPERSEDED) for item in answers if item is not last[item.worker]]
    return [item for item in answers if item is last[item.worker]], rejected


def short(text: str) -> str:
    """Text of others as it is kept beside a record: of a length to be read, and of whole characters."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= 500 else f"{text[:499]}…"


def where(error: ValidationError) -> str:
    """The first wrong field, and what is wrong with it."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    return f"{path}: {first['msg'].lower()}"


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
        other = short(name) if isinstance(name, str) else "one without a name"
        raise BadRecord(f"output.json belongs to another loop: {other}")
    return output["humanAnswers"]


def _utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:  # the first or last day of all years, in another zone
        raise BadRecord("answer lacks fields: submissionTime: is no time in UTC") from None


def _worker(item: Any) -> str:
    worker = item.get("workerId") if isinstance(item, dict) else None
    return short(worker) if isinstance(worker, str) else "unknown"
