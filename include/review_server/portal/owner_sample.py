"""The newest answers of a queue, read and compared.

Takes the database, gives frozen values. The newest thousand answers stand for the rest; one that is longer
than ``LONGEST`` counts, but is not compared. The last look at each queue is kept until an answer comes.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, ItemInput, Task, Worker
from include.review_server.portal.owner_comparing import (
    MOST_COMPARED,
    Change,
    Matrix,
    apart,
    changes,
    distances,
    is_unlike,
)
from include.review_server.portal.owner_given import (
    LONGEST,
    Given,
    flags_of,
    newest_answers,
    said_of,
    spent,
    titles_of,
)
from include.review_server.portal.owner_reading import Said, read_initial
from include.review_server.portal.owner_tally import Far, Tally, tally

SAMPLE = 1000
_KEPT = 20  # queues

# What the worker of a task (and its end) made of the model's proposals.
Made = dict[tuple[str, datetime], Counter[Change]]


@dataclass(frozen=True)
class Sample:
    """The newest answers, newest first, and what they tell together."""

    answers: tuple[Given, ...]
    tally: Tally


@dataclass(frozen=True)
class _Look:
    """A look at a queue: the newest answer then, what was told, and what the next look need not do again."""

    mark: object
    sample: Sample
    far: dict[int, Far]
    made: Made


class Samples:
    """Reads samples."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[int, _Look] = OrderedDict()
        # One at a time: several owners who look at once need one look.
        self._lock = threading.Lock()

    def of(self, queue_id: int) -> Sample:
        """The newest answers of a queue."""
        with self._lock:
            with self._database.read() as session:
                newest = session.execute(
                    newest_answers(queue_id, 1).with_only_columns(Task.id, Task.ended_at)
                ).one_or_none()
                mark = newest and tuple(newest)
                look = self._kept.get(queue_id)
                if look is None or look.mark != mark:
                    look = self._kept[queue_id] = self._read(session, queue_id, mark, look)
            self._kept.move_to_end(queue_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return look.sample

    def _read(self, session: Session, queue_id: int, mark: object, before: _Look | None) -> _Look:
        rows = newest_answers(queue_id, SAMPLE).subquery()
        length = func.length(Answer.content)
        query = (
            select(
                rows.c.id,
                rows.c.item_id,
                rows.c.worker_id,
                rows.c.accepted_at,
                rows.c.ended_at,
                rows.c.active_milliseconds,
                rows.c.comment,
                Worker.name.label("worker"),
                case((length <= LONGEST, Answer.content)).label("content"),
            )
            .join(Answer, Answer.task_id == rows.c.id)
            .join(Worker, Worker.id == rows.c.worker_id)
            .order_by(rows.c.ended_at.desc(), rows.c.id.desc())
        )
        known_said = (
            {(one.task_id, one.ended_at): one.said for one in before.sample.answers} if before else {}
        )
        found = [
            (
                row,
                known_said.get((row.id, row.ended_at)) or said_of(row.content),
                spent(row.accepted_at, row.ended_at, row.active_milliseconds),
            )
            for row in session.execute(query)
        ]
        titles = titles_of(session, {row.item_id for row, _, _ in found})
        by_item: dict[int, list[tuple[str, datetime, Said]]] = defaultdict(list)
        for row, said, _ in reversed(found):
            if said is not None and len(by_item[row.item_id]) < MOST_COMPARED:
                by_item[row.item_id].append((row.id, row.ended_at, said))
        far: dict[int, Far] = {}
        place: dict[str, tuple[Matrix, int]] = {}
        for item_id, told in by_item.items():
            marks = tuple((task_id, ended_at) for task_id, ended_at, _ in told)
            known = before.far.get(item_id) if before else None
            # Reading and comparing cost most: what the last look did is taken from there.
            matrix = known[1] if known and known[0] == marks else distances([said for *_, said in told])
            far[item_id] = marks, matrix
            if len(told) > 1:
                place.update((task_id, (matrix, at)) for at, (task_id, _, _) in enumerate(told))
        given = tuple(
            Given(
                row.id,
                row.item_id,
                titles.get(row.item_id, f"item {row.item_id}"),
                row.worker_id,
                row.worker,
                row.ended_at,
                seconds,
                row.comment,
                said,
                apart(*place[row.id]) if row.id in place else None,
                flags_of(seconds, said, row.comment, row.id in place and is_unlike(*place[row.id])),
            )
            for row, said, seconds in found
        )
        made = _made_of_models(session, given, before.made if before else {})
        sample = Sample(given, tally(given, far, made.values()))
        return _Look(mark, sample, far, made)


def _made_of_models(session: Session, given: tuple[Given, ...], before: Made) -> Made:
    keys = {one.task_id: (one.task_id, one.ended_at) for one in given if one.said is not None}
    made = {key: before[key] for key in keys.values() if key in before}
    new = [one for one in given if one.said is not None and keys[one.task_id] not in made]
    models: dict[int, Said | None] = {}
    numbers = sorted({one.item_id for one in new})
    for start in range(0, len(numbers), 100):
        query = select(ItemInput.item_id, ItemInput.content).where(
            ItemInput.item_id.in_(numbers[start : start + 100]), func.length(ItemInput.content) <= LONGEST
        )
        for item_id, content in session.execute(query):
            models[item_id] = read_initial(jsontext.parse(content))
    for one in new:
        model = models.get(one.item_id)
        made[keys[one.task_id]] = changes(model, one.said) if model and one.said else Counter()
    return made
