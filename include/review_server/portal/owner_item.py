"""One item with everything that was said of it: picture, the model's boxes, each person's, comments, JSON.

Takes the database and ``ReadAccess``, gives frozen values. The picture is signed as for the item's worker:
what no template of the item may show, its owner does not see here either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Complaint, ItemInput, Task, Worker, inline
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import UnknownTask
from include.review_server.portal.owner_access import Queue
from include.review_server.portal.owner_comparing import apart, distances, is_unlike
from include.review_server.portal.owner_given import flags_of, item_of
from include.review_server.portal.owner_now import REASONS
from include.review_server.portal.owner_reading import Said, read_answer, read_initial
from include.review_server.s3_location import S3Location
from include.review_server.templates.grants import ReadAccess
from include.review_server.work.answers import spent

_LONGEST_SHOWN = 200_000  # characters of an answer or input
_LONGEST_INDENTED = 2_000_000
_MOST_TURNS = 100
_MOST_COMPLAINTS = 10
_PICTURE = re.compile(r"(?i)\.(jpe?g|png|gif|webp|bmp|avif|tiff?)$|/[^./]+$")
_FIRST = ("taskObject", "taskobject", "source-ref", "image", "imageUri", "s3_uri")
ENDS = {
    TaskStatus.IN_HAND: "in hand",
    TaskStatus.ANSWERED: "answered",
    TaskStatus.DECLINED: "declined",
    TaskStatus.RETURNED: "given back",
    TaskStatus.EXPIRED: "out of time",
    TaskStatus.WITHDRAWN: "withdrawn",
}


@dataclass(frozen=True)
class Turn:
    """One worker's turn at the item. ``raw`` is the answer as indented JSON, if there is one to show."""

    worker: str
    worker_id: str
    what: str
    accepted_at: datetime
    ended_at: datetime | None
    seconds: float | None
    reason: str | None
    comment: str | None
    said: Said | None
    raw: str | None
    apart: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """The item. ``picture`` is a signed address, or None, and then ``no_picture`` may say why."""

    id: int
    title: str
    status: str
    created_at: datetime
    available_until: datetime
    failure_reason: str | None
    kept_for: str | None
    picture: str | None
    no_picture: str | None
    size: tuple[float, float] | None
    model: Said | None
    turns: tuple[Turn, ...]
    complaints: tuple[tuple[str, int], ...]
    input: str


class Items:
    """Shows items."""

    def __init__(self, database: Database, access: ReadAccess) -> None:
        self._database = database
        self._access = access

    def show(self, queue: Queue, item_id: int) -> Shown:
        """An item of that queue. ``UnknownTask`` when it has no such one."""
        with self._database.read() as session:
            item = item_of(session, queue.id, item_id)
            if item is None:
                raise UnknownTask(f"no item {item_id}")
            text = session.get_one(ItemInput, item_id).content
            task_input = jsontext.parse(text)
            turns = tuple(_turns(session, item_id))
            complaints = session.execute(
                select(Complaint.message, Complaint.times)
                .where(Complaint.item_id == item_id)
                .order_by(Complaint.last_at.desc())
                .limit(_MOST_COMPLAINTS)
            ).all()
            kept = session.get(Worker, item.reserved_for) if item.reserved_for else None
            picture, why = self._picture(task_input, text, queue.output_path)
            return Shown(
                item.id,
                item.title,
                item.status.shown,
                item.created_at,
                item.available_until,
                item.failure_reason,
                kept.name if kept else None,
                picture,
                why,
                next((turn.said.size for turn in turns if turn.said and turn.said.size), None),
                read_initial(task_input),
                turns,
                tuple((message, times) for message, times in complaints),
                _indented(task_input, text),
            )

    def _picture(self, task_input: Any, text: str, output_path: str) -> tuple[str | None, str | None]:
        grant = self._access.for_loop(text, output_path)
        for location in _pictures(task_input):
            try:
                return grant(location), None
            except ValueError as error:
                return None, str(error)
        return None, None


def _pictures(task_input: Any) -> Iterator[S3Location]:
    if not isinstance(task_input, Mapping):
        return
    texts = [task_input[name] for name in _FIRST if name in task_input]
    for text in [*texts, *task_input.values()]:
        if isinstance(text, str) and _PICTURE.search(text.partition("?")[0]):
            try:
                yield S3Location.of_object(text)
            except ValueError:
                continue


def _turns(session: Session, item_id: int) -> Iterator[Turn]:
    query = (
        select(
            Task,
            Worker.name,
            case((func.length(Answer.content) <= _LONGEST_SHOWN, Answer.content)),
        )
        .join(Worker, Worker.id == Task.worker_id)
        .outerjoin(Answer, Answer.task_id == Task.id)
        .where(Task.item_id == item_id)
        # Who takes an item and gives it back a hundred times puts nobody's answer out of sight.
        .order_by((Task.status == inline(TaskStatus.ANSWERED)).desc(), Task.accepted_at.desc(), Task.id)
        .limit(_MOST_TURNS)
    )
    rows = sorted(session.execute(query).all(), key=lambda row: (row[0].accepted_at, row[0].id))
    # An answer that was taken back is still there while its worker mends it: it says nothing now.
    parsed = [
        jsontext.parse(text) if text is not None and task.status is TaskStatus.ANSWERED else None
        for task, _, text in rows
    ]
    said = [read_answer(value) if value is not None else None for value in parsed]
    answers = [one for one in said if one is not None]
    far = distances(answers)
    place = 0
    for (task, name, text), value, one in zip(rows, parsed, said, strict=True):
        distance, unlike = None, False
        if one is not None:
            if len(answers) > 1 and place < len(far):
                distance, unlike = apart(far, place), is_unlike(far, place)
            place += 1
        answered = task.status is TaskStatus.ANSWERED
        seconds = spent(task.accepted_at, task.ended_at, task.active_milliseconds) if answered else None
        yield Turn(
            name,
            task.worker_id,
            ENDS[task.status],
            task.accepted_at,
            task.ended_at,
            seconds,
            REASONS[task.reason] if task.status is TaskStatus.DECLINED else None,
            task.comment,
            one,
            _indented(value, text) if one is not None else None,
            distance,
            flags_of(seconds, one, task.comment, unlike) if seconds is not None else (),
        )


def _indented(value: Any, text: str) -> str:
    if len(text) > _LONGEST_SHOWN:
        return f"{text[:_LONGEST_SHOWN]}…"
    try:
        parts = json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value)
        indented = _up_to(_LONGEST_INDENTED, parts)
    except RecursionError:
        indented = None
    # What is nested deeply would be spaces, a hundred times as many.
    return text if indented is None else indented.encode(errors="replace").decode()


def _up_to(most: int, parts: Iterator[str]) -> str | None:
    """The parts together; None when they are longer."""
    found, length = [], 0
    for part in parts:
        length += len(part)
        if length > most:
            return None
        found.append(part)
    return "".join(found)
