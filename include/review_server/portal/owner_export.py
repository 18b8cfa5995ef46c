"""The answers of a queue as a file, CSV or JSON, written while it is sent: a page of answers at a time.

Cells of CSV that a spreadsheet would take for a formula get an apostrophe before them; JSON has the answers
as they are stored. What is taken back or comes meanwhile shifts nothing: pages are found by key.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from sqlalchemy import literal, or_, select

from include.review_server import jsontext
from include.review_server.clock import iso
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Moment, Task, Worker, inline
from include.review_server.db.statuses import TaskStatus
from include.review_server.portal.owner_given import titles_of
from include.review_server.work.answers import FAST_SECONDS, spent

# Answers have 16 MiB at most, and mostly one kilobyte.
_AT_ONCE = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = ("item", "worker", "workerId", "accepted", "submitted", "seconds", "tooFast", "comment", "answer")


class Exports:
    """Writes exports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def csv(self, queue_id: int) -> Iterator[str]:
        """A line for each answer, oldest first, with a line of names before."""
        yield _line(COLUMNS)
        for values, content in self._answers(queue_id):
            yield _line([*(_cell(values[name]) for name in COLUMNS[:-1]), _cell(content)])

    def json(self, queue_id: int) -> Iterator[str]:
        """A list of objects with the names of the columns, oldest first."""
        before = "["
        for values, content in self._answers(queue_id):
            yield f"{before}\n{jsontext.splice(values, {'answer': content})}"
            before = ","
        yield "[]\n" if before == "[" else "\n]\n"

    def _answers(self, queue_id: int) -> Iterator[tuple[dict[str, Any], str]]:
        query = (
            select(Task, Worker.name, Answer.content)
            .join(Worker, Worker.id == Task.worker_id)
            .join(Answer, Answer.task_id == Task.id)
            .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.ANSWERED))
            .order_by(Task.ended_at, Task.id)
            .limit(_AT_ONCE)
        )
        page = query
        while True:
            with self._database.read() as session:
                rows = session.execute(page).all()
                titles = titles_of(session, [task.item_id for task, _, _ in rows])
                found = [
                    (_values(task, name, titles.get(task.item_id, "")), text) for task, name, text in rows
                ]
                last = (rows[-1][0].ended_at, rows[-1][0].id) if rows else None
            yield from found
            if last is None or len(found) < _AT_ONCE:
                return
            moment = literal(last[0], Moment)
            page = query.where(Task.ended_at >= moment, or_(Task.ended_at > moment, Task.id > last[1]))


def _values(task: Task, worker: str, item: str) -> dict[str, Any]:
    seconds = spent(task.accepted_at, task.ended_at, task.active_milliseconds)
    return {
        "item": item,
        "worker": worker,
        "workerId": task.worker_id,
        "accepted": iso(task.accepted_at),
        "submitted": iso(task.ended_at or task.accepted_at),
        "seconds": seconds,
        "tooFast": seconds < FAST_SECONDS,
        "comment": task.comment,
    }


def _cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs. Numbers of ours are no formulas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(_FORMULA) else text


def _line(cells: Any) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(cells)
    return stream.getvalue()
