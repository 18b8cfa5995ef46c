"""The answers of a queue as a file, CSV or JSON, written while it is sent: so many characters at a time.

Cells of CSV that a spreadsheet would take for a formula get an apostrophe before them; JSON has the answers
as they are stored. What is taken back or comes meanwhile shifts nothing: pages are found by key.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, literal, or_, select

from include.review_server import jsontext
from include.review_server.clock import iso
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Moment, Task, Worker, inline
from include.review_server.db.statuses import TaskStatus
from include.review_server.portal.owner_given import titles_of
from include.review_server.work.answers import FAST_SECONDS, spent

_PAGE = 500
# Of answers that are in memory together. One may have 16 million alone; most have a thousand.
_MOST_CHARACTERS = 1_000_000
# What begins a formula, once compatible forms (as the full-width ones) are made plain.
_SIGNS = ("=", "+", "-", "\N{MINUS SIGN}", "@")
_BREAKS = ("\t", "\r", "\n")
# What a spreadsheet may pass over before it: spaces, controls, and what is not seen (as a byte order mark).
_UNSEEN = ("Z", "Cc", "Cf")
COLUMNS = ("item", "worker", "workerId", "accepted", "submitted", "seconds", "tooFast", "comment", "answer")


class Exports:
    """Writes exports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def csv(self, queue_id: int) -> Iterator[str]:
        """A line for each answer, oldest first, with a line of names before."""
        yield _line(COLUMNS)
        for values, content in self._answers(queue_id):
            yield _line([*(cell(values[name]) for name in COLUMNS[:-1]), cell(content)])

    def json(self, queue_id: int) -> Iterator[str]:
        """A list of objects with the names of the columns, oldest first."""
        before = "["
        for values, content in self._answers(queue_id):
            yield f"{before}\n{jsontext.splice(values, {'answer': content})}"
            before = ","
        yield "[]\n" if before == "[" else "\n]\n"

    def _answers(self, queue_id: int) -> Iterator[tuple[dict[str, Any], str]]:
        """Values and content of each answer."""
        for page in self._pages(queue_id):
            for some in fitting(page):
                with self._database.read() as session:
                    query = select(Answer.task_id, Answer.content).where(Answer.task_id.in_(some))
                    contents = dict(session.execute(query).all())
                yield from (
                    (values, contents[task_id]) for task_id, values in some.items() if task_id in contents
                )

    def _pages(self, queue_id: int) -> Iterator[list[tuple[str, dict[str, Any], int]]]:
        """Task, values and length of each answer, a page of them at a time."""
        query = (
            select(Task, Worker.name, func.length(Answer.content))
            .join(Worker, Worker.id == Task.worker_id)
            .join(Answer, Answer.task_id == Task.id)
            .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.ANSWERED))
            .order_by(Task.ended_at, Task.id)
            .limit(_PAGE)
        )
        page = query
        while True:
            with self._database.read() as session:
                rows = session.execute(page).all()
                titles = titles_of(session, [task.item_id for task, _, _ in rows])
                found = [
                    (task.id, _values(task, name, titles.get(task.item_id, "")), length)
                    for task, name, length in rows
                ]
                last = (rows[-1][0].ended_at, rows[-1][0].id) if rows else None
            yield found
            if last is None or len(found) < _PAGE:
                return
            moment = literal(last[0], Moment)
            page = query.where(Task.ended_at >= moment, or_(Task.ended_at > moment, Task.id > last[1]))


def fitting(page: list[tuple[str, dict[str, Any], int]]) -> Iterator[dict[str, dict[str, Any]]]:
    """The values by task, those together whose answers fit into memory, one at least."""
    some: dict[str, dict[str, Any]] = {}
    total = 0
    for task_id, values, length in page:
        total += length
        if some and total > _MOST_CHARACTERS:
            yield some
            some, total = {}, length
        some[task_id] = values
    if some:
        yield some


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


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet runs. Numbers of ours are no formulas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    seen = next((char for char in text if not unicodedata.category(char).startswith(_UNSEEN)), "")
    return text.startswith(_BREAKS) or unicodedata.normalize("NFKC", seen).startswith(_SIGNS)


def _line(cells: Any) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(cells)
    return stream.getvalue()
