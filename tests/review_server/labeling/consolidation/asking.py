"""Answers to consolidate, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from include.review_server.labeling.consolidation import AnsweredObject, Consolidated, JobFacts, consolidate
from include.review_server.labeling.task_types import TASK_TYPES

NOW = datetime(2026, 2, 11, 9, 14, 3, 120551, tzinfo=UTC)


def outcome(task: str, categories: Sequence[str], *objects: Sequence[Any], **line: Any) -> list[Consolidated]:
    """Each of ``objects`` is what its workers' elements say; one that is None did not answer."""
    element = TASK_TYPES[task].element
    return consolidate(
        TASK_TYPES[task],
        JobFacts("Grade-R1", "grade", tuple(categories), "s3://o/grade-r1/files/"),
        [
            AnsweredObject(
                number,
                {"source-ref": f"s3://a/{number}.jpg"} | line,
                {f"w{place}": {element: told} for place, told in enumerate(answers) if told is not None},
            )
            for number, answers in enumerate(objects)
        ],
        NOW,
    )


def labels(task: str, categories: Sequence[str], *objects: Sequence[Any], **line: Any) -> list[Any]:
    """Label and metadata of each object; all of them have one."""
    found = []
    for item in outcome(task, categories, *objects, **line):
        assert item.content is not None, item.failure_reason
        assert list(item.content) == ["grade", "grade-metadata"]
        found.append(tuple(item.content.values()))
    return found


def reason(task: str, categories: Sequence[str], *answers: Any, **line: Any) -> str:
    """Why one object with these answers has no label."""
    (item,) = outcome(task, categories, answers, **line)
    assert item.content is None
    assert item.failure_reason is not None
    assert len(item.failure_reason) < 500
    assert "\n" not in item.failure_reason
    return item.failure_reason


def check_bad_answer(task: str, categories: Sequence[str], good: Any, bad: Any, says: str) -> None:
    """A bad answer fails its object when it is the only one; beside a good one it is as if nobody gave it."""
    first, spoilt, saved, last = outcome(task, categories, [good], [bad], [good, bad], [good])
    assert spoilt.content is None
    assert not spoilt.files
    assert says in str(spoilt.failure_reason)
    alone = outcome(task, categories, [good], [], [good], [good])
    assert (first, saved, last) == (alone[0], alone[2], alone[3])
    assert None not in (first.content, saved.content, last.content)
