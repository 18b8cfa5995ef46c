"""How the work of a queue stands now: what waits, who holds what, what was declined and why, and when all is
done at the recent rate.

Takes the database and the clock, gives frozen values. Only small indexes are read: of the work that is open,
of what was declined, and of the last hour's answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Complaint, Task, Worker, WorkItem, WorkQueue, inline
from include.review_server.db.statuses import DeclineReason, ItemStatus, TaskStatus
from include.review_server.portal.owner_given import item_of, titles_of

_MOST = 100  # held tasks and kept items by name
_LATEST = 20  # declined tasks and complaints
_WINDOW = timedelta(hours=1)
REASONS = {
    DeclineReason.NOT_SURE: "not sure",
    DeclineReason.BAD_IMAGE: "bad image",
    DeclineReason.UNCLEAR_RULE: "unclear rule",
    DeclineReason.OTHER: "other",
    None: "no reason said",
}


@dataclass(frozen=True)
class Held:
    """A task in a worker's hands. ``for_seconds``: so long already."""

    task_id: str
    item_id: int
    item: str
    worker_id: str
    worker: str
    accepted_at: datetime
    expires_at: datetime
    for_seconds: float


@dataclass(frozen=True)
class Declined:
    """A task that a worker would rather not answer."""

    item_id: int
    item: str
    worker: str
    reason: str
    comment: str | None
    ended_at: datetime


@dataclass(frozen=True)
class Complained:
    """What the work's pages or its template complained of; ``item`` is the last one that it was about."""

    message: str
    times: int
    last_at: datetime
    item_id: int | None
    item: str | None


@dataclass(frozen=True)
class Kept:
    """An item that an owner keeps for one worker."""

    item_id: int
    item: str
    worker: str


@dataclass(frozen=True)
class Oldest:
    """The open item that has waited longest, and until when it is offered."""

    item_id: int
    item: str
    created_at: datetime
    seconds: float
    available_until: datetime


@dataclass(frozen=True)
class Now:
    """``waiting``: places that could be taken; ``declined``: how often for which reason, ever.

    ``per_hour``: answers at the rate since the first one of the last hour was begun, None without any.
    ``ends_at``: when what waits and is in hand is answered at that rate.
    """

    is_paused: bool
    priority: int
    waiting: int
    held: tuple[Held, ...]
    in_hand: int
    declined: dict[str, int]
    last_declined: tuple[Declined, ...]
    complaints: tuple[Complained, ...]
    kept: tuple[Kept, ...]
    oldest: Oldest | None
    answers_last_hour: int
    per_hour: float | None
    ends_at: datetime | None


class Nows:
    """Looks at queues."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, queue_id: int) -> Now:
        """How a queue stands."""
        now = self._clock()
        with self._database.read() as session:
            queue = session.execute(
                select(WorkQueue.is_paused, WorkQueue.priority).where(WorkQueue.id == queue_id)
            ).one()
            waiting = session.scalar(
                select(func.sum(WorkItem.vacancies)).where(
                    WorkItem.queue_id == queue_id, WorkItem.vacancies > inline(0)
                )
            )
            in_hand = session.scalar(select(func.count()).where(_held(queue_id)))
            answers, per_hour = _rate(session, queue_id, now)
            left = int(waiting or 0) + (in_hand or 0)
            ends_at = now + timedelta(hours=left / per_hour) if left and per_hour else None
            return Now(
                is_paused=queue.is_paused,
                priority=queue.priority,
                waiting=int(waiting or 0),
                held=_in_hand(session, queue_id, now),
                in_hand=in_hand or 0,
                declined=_by_reason(session, queue_id),
                last_declined=_declined(session, queue_id),
                complaints=_complaints(session, queue_id),
                kept=_kept(session, queue_id),
                oldest=_oldest(session, queue_id, now),
                answers_last_hour=answers,
                per_hour=per_hour,
                ends_at=ends_at,
            )


def _held(queue_id: int) -> ColumnElement[bool]:
    return and_(Task.queue_id == queue_id, Task.status == inline(TaskStatus.IN_HAND))


def _rate(session: Session, queue_id: int, now: datetime) -> tuple[int, float | None]:
    answers, first = session.execute(
        select(func.count(), func.min(Task.accepted_at)).where(
            Task.queue_id == queue_id,
            Task.status == inline(TaskStatus.ANSWERED),
            Task.ended_at >= now - _WINDOW,
        )
    ).one()
    if not answers:
        return 0, None
    hours = min(max((now - (first or now)) / _WINDOW, 1 / 60), 1)
    return answers, answers / hours


def _in_hand(session: Session, queue_id: int, now: datetime) -> tuple[Held, ...]:
    query = (
        select(Task, Worker.name)
        .join(Worker, Worker.id == Task.worker_id)
        .where(_held(queue_id))
        .order_by(Task.accepted_at, Task.id)
        .limit(_MOST)
    )
    rows = session.execute(query).all()
    titles = titles_of(session, [task.item_id for task, _ in rows])
    return tuple(
        Held(
            task.id,
            task.item_id,
            titles.get(task.item_id, ""),
            task.worker_id,
            name,
            task.accepted_at,
            task.expires_at,
            max((now - task.accepted_at).total_seconds(), 0),
        )
        for task, name in rows
    )


def _by_reason(session: Session, queue_id: int) -> dict[str, int]:
    query = (
        select(Task.reason, func.count())
        .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.DECLINED))
        .group_by(Task.reason)
    )
    counted = dict(session.execute(query).all())
    return {words: counted[reason] for reason, words in REASONS.items() if reason in counted}


def _declined(session: Session, queue_id: int) -> tuple[Declined, ...]:
    query = (
        select(Task, Worker.name)
        .join(Worker, Worker.id == Task.worker_id)
        .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.DECLINED))
        .order_by(Task.ended_at.desc())
        .limit(_LATEST)
    )
    rows = session.execute(query).all()
    titles = titles_of(session, [task.item_id for task, _ in rows])
    return tuple(
        Declined(
            task.item_id,
            titles.get(task.item_id, ""),
            name,
            REASONS[task.reason],
            task.comment,
            task.ended_at or task.accepted_at,
        )
        for task, name in rows
    )


def _complaints(session: Session, queue_id: int) -> tuple[Complained, ...]:
    query = (
        select(Complaint)
        .where(Complaint.queue_id == queue_id)
        .order_by(Complaint.last_at.desc())
        .limit(_LATEST)
    )
    rows = list(session.scalars(query))
    titles = titles_of(session, [row.item_id for row in rows if row.item_id is not None])
    return tuple(
        Complained(row.message, row.times, row.last_at, row.item_id, titles.get(row.item_id or 0))
        for row in rows
    )


def _kept(session: Session, queue_id: int) -> tuple[Kept, ...]:
    query = (
        select(WorkItem.id, Worker.name)
        .join(Worker, Worker.id == WorkItem.reserved_for)
        .where(
            WorkItem.queue_id == queue_id,
            WorkItem.reserved_for.is_not(None),
            WorkItem.status == inline(ItemStatus.IN_PROGRESS),
            WorkItem.vacancies > inline(0),
        )
        .order_by(WorkItem.id)
        .limit(_MOST)
    )
    rows = session.execute(query).all()
    titles = titles_of(session, [item_id for item_id, _ in rows])
    return tuple(Kept(item_id, titles.get(item_id, ""), name) for item_id, name in rows)


def _oldest(session: Session, queue_id: int, now: datetime) -> Oldest | None:
    # Items come in order of their creation and have the same time: the oldest one's deadline is the next.
    first = session.scalar(
        select(WorkItem.id)
        .where(WorkItem.queue_id == queue_id, WorkItem.status == inline(ItemStatus.IN_PROGRESS))
        .order_by(WorkItem.id)
        .limit(1)
    )
    item = item_of(session, queue_id, first) if first is not None else None
    if item is None:
        return None
    seconds = max((now - item.created_at).total_seconds(), 0)
    return Oldest(item.id, item.title, item.created_at, seconds, item.available_until)
