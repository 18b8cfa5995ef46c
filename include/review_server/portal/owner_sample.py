"""The newest answers of a queue, read and compared.

Takes the database, gives frozen values. The newest thousand answers stand for the rest; one that is longer
than ``LONGEST`` counts, but is not compared. The last look at each queue is kept until an answer comes. One
look compares so many boxes and no more, the newest items first; the next look goes on.
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
    Matrix,
    apart,
    changes,
    distances,
    effort,
    is_unlike,
)
from include.review_server.portal.owner_given import (
    LONGEST,
    Given,
    flags_of,
    newest_answers,
    said_of,
    titles_of,
)
from include.review_server.portal.owner_reading import Said, read_initial
from include.review_server.portal.owner_tally import Far, Made, Tally, tally
from include.review_server.work.answers import spent

SAMPLE = 1000
_KEPT = 20  # queues
# Pairs of boxes that one look compares: at worst two seconds' work.
_MOST_EFFORT = 4_000_000


@dataclass(frozen=True)
class Sample:
    """The newest answers, newest first, and what they tell together; so far, unless ``is_complete``."""

    answers: tuple[Given, ...]
    tally: Tally
    is_complete: bool


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
                if look is None or look.mark != mark or not look.sample.is_complete:
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
        work = _Work()
        for item_id, told in reversed(by_item.items()):
            marks = tuple((task_id, ended_at) for task_id, ended_at, _ in told)
            answers = [said for *_, said in told]
            known = before.far.get(item_id) if before else None
            # Reading and comparing cost most: what the last look did is taken from there.
            if known and known[0] == marks:
                matrix = known[1]
            elif work.may_go_on(effort(answers)):
                matrix = distances(answers)
            else:
                continue
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
        made = _made_of_models(session, given, before.made if before else {}, work)
        sample = Sample(given, tally(given, far, made), work.is_done)
        return _Look(mark, sample, far, made)


class _Work:
    """What one look may still do."""

    def __init__(self) -> None:
        self._left = _MOST_EFFORT
        self.is_done = True

    def may_go_on(self, cost: int) -> bool:
        """Whether that may be done too; what is not is for the next look."""
        if self._left <= 0:
            self.is_done = False
            return False
        self._left -= cost
        return True


def _made_of_models(session: Session, given: tuple[Given, ...], before: Made, work: _Work) -> Made:
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
        if not model or not one.said:
            made[keys[one.task_id]] = Counter()
        elif work.may_go_on(effort([model, one.said])):
            made[keys[one.task_id]] = changes(model, one.said)
    return made
