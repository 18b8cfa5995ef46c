"""The list of a queue's answers, a page at a time: by worker, by what stands out, by what became of the task.

Takes the database, gives frozen values. All answers are listed, newest first, by an index; what can only be
told by looking into answers (flags, how far they are apart) is listed of the newest thousand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Select, case, func, literal, or_, select

from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Moment, Task, Worker, inline, milliseconds
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import BadAnswer
from include.review_server.portal.owner_given import (
    FLAGS,
    LONGEST,
    Given,
    flags_of,
    said_of,
    titles_of,
)
from include.review_server.portal.owner_now import REASONS
from include.review_server.portal.owner_sample import Samples
from include.review_server.work.answers import spent

PAGE = 50
ORDERS = {"newest": "newest first", "apart": "farthest apart first"}
STATUSES = {"answered": TaskStatus.ANSWERED, "declined": TaskStatus.DECLINED}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORKER = re.compile(r"[0-9a-f]{16}")
_PLACE = re.compile(r"(\d{1,14})-([0-9a-f]{32})")


@dataclass(frozen=True)
class Asked:
    """Which answers are to be listed. ``after`` says where the page before ended."""

    worker: str = ""
    flag: str = ""
    status: str = "answered"
    order: str = "newest"
    after: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """From an address. ``BadAnswer`` for what no link of ours says."""
        names = ("worker", "flag", "status", "order", "after")
        asked = cls(**{name: query[name] for name in names if query.get(name)})
        if asked.worker and not _WORKER.fullmatch(asked.worker):
            raise BadAnswer("worker must be a worker's id: 16 hex digits")
        for name, known in (("flag", FLAGS), ("status", STATUSES), ("order", ORDERS)):
            if (value := getattr(asked, name)) and value not in known:
                raise BadAnswer(f"{name} must be one of {', '.join(known)}")
        return asked

    @property
    def of_sample(self) -> bool:
        """Whether only the newest thousand can be asked so."""
        return self.status == "answered" and bool(self.flag or self.order == "apart")

    def then(self, after: str) -> str:
        """The query of the next page."""
        fields = {"worker": self.worker, "flag": self.flag, "status": self.status, "order": self.order}
        return urlencode({name: value for name, value in fields.items() if value} | {"after": after})


@dataclass(frozen=True)
class Listed:
    """One line of the list. ``seconds`` and ``apart`` are of answers alone."""

    item_id: int
    item: str
    worker: str
    ended_at: datetime
    words: str
    seconds: float | None
    apart: float | None
    flags: tuple[str, ...]
    comment: str | None


class Answers:
    """Lists answers."""

    def __init__(self, database: Database, samples: Samples) -> None:
        self._database = database
        self._samples = samples

    def page(self, queue_id: int, asked: Asked) -> tuple[list[Listed], str | None]:
        """A page, and the query of the next one."""
        sample = self._samples.of(queue_id)
        if asked.of_sample:
            return _of_sample(sample.answers, asked)
        known = {given.task_id: given for given in sample.answers}
        with self._database.read() as session:
            rows = session.execute(_query(queue_id, asked)).all()
            more, rows = len(rows) > PAGE, rows[:PAGE]
            titles = titles_of(session, [row.item_id for row in rows])
        lines = [_line(row, titles, known.get(row.id)) for row in rows]
        return lines, asked.then(f"{milliseconds(rows[-1].ended_at)}-{rows[-1].id}") if more else None

    def workers(self, queue_id: int) -> list[tuple[str, str]]:
        """Who may be chosen: id and name of those who gave the newest answers."""
        return [(worker.worker_id, worker.name) for worker in self._samples.of(queue_id).tally.workers]


def _of_sample(answers: tuple[Given, ...], asked: Asked) -> tuple[list[Listed], str | None]:
    chosen = [
        one
        for one in answers
        if (not asked.worker or one.worker_id == asked.worker) and (not asked.flag or asked.flag in one.flags)
    ]
    if asked.order == "apart":
        chosen = sorted((one for one in chosen if one.apart is not None), key=lambda one: -(one.apart or 0))
    start = int(asked.after) if asked.after.isdecimal() and len(asked.after) < 6 else 0
    end = start + PAGE
    return [_of_given(one) for one in chosen[start:end]], asked.then(str(end)) if end < len(chosen) else None


def _query(queue_id: int, asked: Asked) -> Select[Any]:
    query = (
        select(
            Task.id,
            Task.item_id,
            Task.status,
            Task.accepted_at,
            Task.ended_at,
            Task.active_milliseconds,
            Task.reason,
            Task.comment,
            Worker.name.label("worker"),
            case((func.length(Answer.content) <= LONGEST, Answer.content)).label("content"),
        )
        .join(Worker, Worker.id == Task.worker_id)
        .outerjoin(Answer, Answer.task_id == Task.id)
        .where(Task.queue_id == queue_id, Task.status == inline(STATUSES[asked.status]))
        .order_by(Task.ended_at.desc(), Task.id.desc())
        .limit(PAGE + 1)
    )
    if asked.worker:
        query = query.where(Task.worker_id == asked.worker)
    if asked.after:
        place = _PLACE.fullmatch(asked.after)
        if place is None:
            raise BadAnswer("after is not the end of a page that was shown")
        moment = literal(_EPOCH + timedelta(milliseconds=int(place[1])), Moment)
        query = query.where(Task.ended_at <= moment, or_(Task.ended_at < moment, Task.id < place[2]))
    return query


def _line(row: Any, titles: Mapping[int, str], known: Given | None) -> Listed:
    if known is not None:
        return _of_given(known)
    title = titles.get(row.item_id, "")
    if row.status is TaskStatus.DECLINED:
        words = f"declined: {REASONS[row.reason]}"
        return Listed(row.item_id, title, row.worker, row.ended_at, words, None, None, (), row.comment)
    said = said_of(row.content)
    seconds = spent(row.accepted_at, row.ended_at, row.active_milliseconds)
    words = said.words if said else "too long to be shown here"
    flags = flags_of(seconds, said, row.comment, False)
    return Listed(row.item_id, title, row.worker, row.ended_at, words, seconds, None, flags, row.comment)


def _of_given(given: Given) -> Listed:
    return Listed(
        given.item_id,
        given.item,
        given.worker,
        given.ended_at,
        given.words,
        given.seconds,
        given.apart,
        given.flags,
        given.comment,
    )
