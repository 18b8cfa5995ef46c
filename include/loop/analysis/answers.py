"""The answers of all workers about one object: a labeling job's worker-response file, or a human loop's
output.json.

Takes the bytes of the file; one answer that cannot be read costs none of the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.loop.analysis.labels import Label, read_answer
from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse_loosely

MOST_BYTES = 8 << 20  # of a file; nine answers with a thousand boxes take one
MOST_ANSWERS = 9  # Ground Truth asks no more people about an object
MOST_SECONDS = 366 * 24 * 3600
MOST_LETTERS = 200
_PRIVATE = re.compile(r"private\.[a-z0-9-]{1,30}\.(?=.)")


@dataclass(frozen=True, slots=True)
class Answer:
    """``seconds`` is None where nobody says how long the worker took."""

    worker: str
    label: Label
    seconds: float | None


def read_answers(body: bytes) -> tuple[list[Answer], list[str]]:
    """One answer per worker, the newest, in the order in which they came; and what is wrong with the others.
    BadRecord when the file has no answers at all.
    """
    try:
        value = parse_loosely(body)
    except ValueError as error:
        raise BadRecord(f"worker response is not JSON: {error}") from None
    items = value.get("answers", value.get("humanAnswers")) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise BadRecord("worker response has no answers")
    found: dict[str, Answer] = {}
    problems = []
    for item in items:
        try:
            answer = _answer(item)
        except BadRecord as error:
            problems.append(str(error))
            continue
        found.pop(answer.worker, None)
        found[answer.worker] = answer
    return list(found.values())[-MOST_ANSWERS:], problems


def short_name(worker: str) -> str:
    """The id of a private team's worker as portals show it: without ``private.{region}.``."""
    return _PRIVATE.sub("", worker, count=1) if _PRIVATE.match(worker) else worker


def _answer(item: Any) -> Answer:
    worker = item.get("workerId") if isinstance(item, dict) else None
    if not isinstance(worker, str):
        raise BadRecord("an answer has no workerId")
    return Answer(worker[:MOST_LETTERS], read_answer(item.get("answerContent")), _seconds(item))


def _seconds(item: Mapping[str, Any]) -> float | None:
    said = item.get("timeSpentInSeconds")
    if isinstance(said, bool) or not isinstance(said, int | float):
        try:
            begun, ended = (
                datetime.fromisoformat(item[name]) for name in ("acceptanceTime", "submissionTime")
            )
            said = (ended - begun).total_seconds()
        except (KeyError, TypeError, ValueError):
            return None
    return float(said) if 0 <= said <= MOST_SECONDS else None
