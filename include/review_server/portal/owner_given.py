"""One answer as the owners' pages show it: what it says, how long it took, what stands out about it.

Also the questions that several of these pages ask: the newest answers of a queue, and what items are called.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.db.models import HumanLoop, ObjectItem, Task, WorkItem, inline
from include.review_server.db.statuses import TaskStatus
from include.review_server.portal.owner_reading import Said, read_answer
from include.review_server.work.answers import FAST_SECONDS

LONGEST = 32 * 1024  # characters of an answer or input that is read
FLAGS = {
    "fast": "too fast",
    "unlike": "unlike the others",
    "changed": "pre-labels changed",
    "comment": "with a comment",
}


@dataclass(frozen=True)
class Given:
    """One answer. ``apart`` is how far it is from the item's others, None when it is the only one."""

    task_id: str
    item_id: int
    item: str
    worker_id: str
    worker: str
    ended_at: datetime
    seconds: float
    comment: str | None
    said: Said | None
    apart: float | None
    flags: tuple[str, ...]

    @property
    def words(self) -> str:
        return self.said.words if self.said else "too long to be shown here"


def newest_answers(queue_id: int, most: int) -> Select[Task]:
    """The newest answered tasks of a queue, newest first."""
    return (
        select(Task)
        .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.ANSWERED))
        .order_by(Task.ended_at.desc(), Task.id.desc())
        .limit(most)
    )


def titles_of(session: Session, item_ids: Iterable[int]) -> dict[int, str]:
    """What the items are called before people."""
    numbers = sorted(set(item_ids))
    names: dict[int, str] = {}
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        loops, objects = HumanLoop.__table__, ObjectItem.__table__
        names.update(
            dict(session.execute(select(loops.c.id, loops.c.name).where(loops.c.id.in_(some))).all())
        )
        for number, place in session.execute(
            select(objects.c.id, objects.c.number).where(objects.c.id.in_(some))
        ):
            names[number] = f"object {place}"
    return names


def said_of(content: str | None) -> Said | None:
    """An answer's JSON text, read; None when it was too long to be."""
    return None if content is None else read_answer(jsontext.parse(content))


def flags_of(seconds: float, said: Said | None, comment: str | None, unlike: bool) -> tuple[str, ...]:
    """What stands out about an answer, as names of ``FLAGS``."""
    marks = {
        "fast": seconds < FAST_SECONDS,
        "unlike": unlike,
        "changed": bool(said and said.modified),
        "comment": bool(comment),
    }
    return tuple(name for name, is_so in marks.items() if is_so)


def item_of(session: Session, queue_id: int, item_id: int) -> WorkItem | None:
    """An item of that queue."""
    item = session.get(WorkItem, item_id)
    return item if item is not None and item.queue_id == queue_id else None
