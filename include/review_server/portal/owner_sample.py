"""The newest answers of a queue, read and compared: who agrees with whom, what stands out, what became of the
model's proposals.

Takes the database, gives frozen values. The newest thousand answers stand for the rest; one that is longer
than ``LONGEST`` counts, but is not compared. The last look at each queue is kept until an answer comes.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Answer,
    HumanLoop,
    ItemInput,
    ObjectItem,
    Task,
    Worker,
    WorkItem,
    inline,
)
from include.review_server.db.statuses import TaskStatus
from include.review_server.portal.owner_comparing import MOST_COMPARED, apart, changes, difference, is_unlike
from include.review_server.portal.owner_reading import Said, read_answer, read_initial
from include.review_server.work.owning import FAST_SECONDS

SAMPLE = 1000
LONGEST = 32 * 1024  # characters of an answer or input that is read
_KEPT = 20  # queues
_MOST_DISPUTED = 10
_MOST_CHANGES = 40
# A worker is unlike the others after so many comparisons, when disagreeing twice as often, and by so much.
LEAST_COMPARED = 10
_TIMES, _BY = 2.0, 0.2

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


@dataclass(frozen=True)
class Disputed:
    """An item whose answers differ; ``far`` is 1 where they have nothing in common."""

    item_id: int
    item: str
    far: float
    answers: tuple[Given, ...]


@dataclass(frozen=True)
class WorkerCounts:
    """One worker's part. ``modified``: share of answers that changed the pre-labels. ``agreement``: mean
    likeness to others' answers in ``compared`` comparisons. ``is_unlike``: clearly less than others agree.
    """

    name: str
    worker_id: str
    answers: int
    seconds_per_answer: float
    modified: float | None
    last_answer: datetime
    fast: int
    agreement: float | None
    compared: int
    is_unlike: bool


@dataclass(frozen=True)
class ClassChange:
    """What the model said and what people said of it; an empty name means nothing. ``share``: of the most."""

    model: str
    person: str
    count: int
    share: float


@dataclass(frozen=True)
class Sample:
    """What the newest answers tell. ``agreement`` is None when no two answers were given to one item."""

    answers: tuple[Given, ...] = ()
    workers: tuple[WorkerCounts, ...] = ()
    disputed: tuple[Disputed, ...] = ()
    agreement: float | None = None
    compared_items: int = 0
    changes: tuple[ClassChange, ...] = ()

    @property
    def fast(self) -> int:
        return sum("fast" in given.flags for given in self.answers)


class Samples:
    """Reads samples."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[int, tuple[object, Sample]] = OrderedDict()
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
                if self._kept.get(queue_id, (None, None))[0] != mark or mark is None:
                    self._kept[queue_id] = mark, self._read(session, queue_id)
            self._kept.move_to_end(queue_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[queue_id][1]

    def _read(self, session: Session, queue_id: int) -> Sample:
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
        found = [
            (row, said_of(row.content), spent(row.accepted_at, row.ended_at, row.active_milliseconds))
            for row in session.execute(query)
        ]
        titles = titles_of(session, {row.item_id for row, _, _ in found})
        by_item: dict[int, list[tuple[str, Said]]] = defaultdict(list)
        for row, said, _ in reversed(found):
            if said is not None:
                by_item[row.item_id].append((row.id, said))
        far: dict[str, tuple[float, bool]] = {}
        for told in by_item.values():
            if len(told) > 1:
                answers = [said for _, said in told]
                for place, value in enumerate(apart(answers)):
                    far[told[place][0]] = value, is_unlike(answers, place)
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
                far[row.id][0] if row.id in far else None,
                flags_of(seconds, said, row.comment, far.get(row.id, (0.0, False))[1]),
            )
            for row, said, seconds in found
        )
        return Sample(given, *_compared(given), _changes(session, given))


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


def spent(accepted_at: datetime, ended_at: datetime | None, active: int | None) -> float:
    """Seconds at work: as the worker's page measured them, else from taking to sending."""
    if active is not None:
        return active / 1000
    return max(((ended_at or accepted_at) - accepted_at).total_seconds(), 0.0)


def flags_of(seconds: float, said: Said | None, comment: str | None, unlike: bool) -> tuple[str, ...]:
    """What stands out about an answer, as names of ``FLAGS``."""
    marks = {
        "fast": seconds < FAST_SECONDS,
        "unlike": unlike,
        "changed": bool(said and said.modified),
        "comment": bool(comment),
    }
    return tuple(name for name, is_so in marks.items() if is_so)


def _compared(
    given: tuple[Given, ...],
) -> tuple[tuple[WorkerCounts, ...], tuple[Disputed, ...], float | None, int]:
    by_item: dict[int, list[Given]] = defaultdict(list)
    for one in reversed(given):
        if one.said is not None:
            by_item[one.item_id].append(one)
    sums: dict[str, list[float]] = defaultdict(list)
    pairs: list[tuple[str, str, float]] = []
    disputed = []
    for item_id, answers in by_item.items():
        compared = answers[:MOST_COMPARED]
        if len(compared) < 2:
            continue
        values = []
        for one, other in combinations(compared, 2):
            if one.said is not None and other.said is not None:
                far = difference(one.said, other.said)
                values.append(far)
                pairs.append((one.worker_id, other.worker_id, far))
                sums[one.worker_id].append(far)
                sums[other.worker_id].append(far)
        mean = sum(values) / len(values)
        if mean > 0:
            disputed.append(Disputed(item_id, answers[0].item, mean, tuple(answers)))
    items = sum(len(answers) > 1 for answers in by_item.values())
    total = sum(far for _, _, far in pairs)
    agreement = 1 - total / len(pairs) if pairs else None
    # Of those who differ alike, the newest first.
    newest = sorted(disputed, key=lambda one: one.answers[-1].ended_at, reverse=True)
    first = sorted(newest, key=lambda one: one.far, reverse=True)[:_MOST_DISPUTED]
    return _workers(given, sums, pairs, total), tuple(first), agreement, items


def _workers(
    given: tuple[Given, ...],
    sums: dict[str, list[float]],
    pairs: list[tuple[str, str, float]],
    total: float,
) -> tuple[WorkerCounts, ...]:
    by_worker: dict[str, list[Given]] = defaultdict(list)
    for one in given:
        by_worker[one.worker_id].append(one)
    counts = []
    for worker_id, answers in by_worker.items():
        own = sums.get(worker_id, [])
        told = [one.said.modified for one in answers if one.said and one.said.modified is not None]
        counts.append(
            WorkerCounts(
                answers[0].worker,
                worker_id,
                len(answers),
                sum(one.seconds for one in answers) / len(answers),
                sum(told) / len(told) if told else None,
                answers[0].ended_at,
                sum("fast" in one.flags for one in answers),
                1 - sum(own) / len(own) if own else None,
                len(own),
                _stands_out(own, len(pairs) - len(own), total - sum(own)),
            )
        )
    return tuple(sorted(counts, key=lambda worker: (-worker.answers, worker.name)))


def _stands_out(own: list[float], others: int, others_total: float) -> bool:
    """Whether one disagrees clearly more than the others do among themselves. Two alone tell nothing."""
    if len(own) < LEAST_COMPARED or others < LEAST_COMPARED:
        return False
    mine, theirs = sum(own) / len(own), others_total / others
    return mine >= _TIMES * theirs and mine - theirs >= _BY


def _changes(session: Session, given: tuple[Given, ...]) -> tuple[ClassChange, ...]:
    models: dict[int, Said | None] = {}
    numbers = sorted({one.item_id for one in given})
    for start in range(0, len(numbers), 100):
        query = select(ItemInput.item_id, ItemInput.content).where(
            ItemInput.item_id.in_(numbers[start : start + 100]), func.length(ItemInput.content) <= LONGEST
        )
        for item_id, content in session.execute(query):
            models[item_id] = read_initial(jsontext.parse(content))
    counted: Counter[tuple[str, str]] = Counter()
    for one in given:
        model = models.get(one.item_id)
        if model is not None and one.said is not None:
            counted.update(changes(model, one.said))
    most = max(counted.values(), default=1)
    rows = sorted(counted.items(), key=lambda row: (-row[1], row[0]))[:_MOST_CHANGES]
    return tuple(ClassChange(*change, count, count / most) for change, count in rows)


def item_of(session: Session, queue_id: int, item_id: int) -> WorkItem | None:
    """An item of that queue."""
    item = session.get(WorkItem, item_id)
    return item if item is not None and item.queue_id == queue_id else None
