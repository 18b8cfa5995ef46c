"""Which items a worker may take, as queries: those of their teams that have a free place for them, in queues
that no owner has paused, and not those that an owner gave to somebody else.

Who has answered an item's question before, in another item, comes after those who have not, for half of the
item's time and while there is somebody else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Exists, Select, exists, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session, selectin_polymorphic

from include.review_server.db.models import (
    EarlierAnswer,
    FlowDefinition,
    LabelingJob,
    Membership,
    Task,
    Worker,
    WorkItem,
    WorkQueue,
    inline,
    milliseconds,
)
from include.review_server.db.statuses import BARRING_TASKS


def queues_of(session: Session, worker_id: str) -> list[WorkQueue]:
    """The open queues of the worker's teams, the most urgent first, then the oldest."""
    query = (
        select(WorkQueue)
        .join(Membership, Membership.workteam_name == WorkQueue.workteam_name)
        .where(Membership.worker_id == worker_id, WorkQueue.is_open)
        .order_by(WorkQueue.priority.desc(), WorkQueue.id)
        # Their names are in the owners' tables: one question for all of a kind.
        .options(selectin_polymorphic(WorkQueue, [FlowDefinition, LabelingJob]))
    )
    return list(session.scalars(query))


def offered(queue_id: int, worker_id: str, now: datetime) -> Select[WorkItem]:
    """The items of a queue that the worker may take."""
    barred = (
        select(Task.id)
        .where(
            Task.item_id == WorkItem.id,
            Task.worker_id == worker_id,
            Task.status.in_([inline(status) for status in sorted(BARRING_TASKS)]),
        )
        # The limit keeps PostgreSQL from turning this into a join, for which it would read all tasks first:
        # one look into the index per item that is offered costs the same for ever.
        .limit(1)
        .correlate(WorkItem)
        .scalar_subquery()
    )
    paused = select(WorkQueue.is_paused).where(WorkQueue.id == queue_id).scalar_subquery()
    reserved = WorkItem.reserved_for == worker_id
    return select(WorkItem).where(
        WorkItem.queue_id == queue_id,
        ~paused,
        WorkItem.vacancies > inline(0),
        WorkItem.available_until > now,
        barred.is_(None),
        or_(WorkItem.reserved_for.is_(None), reserved),
        or_(reserved, ~_answered_before(worker_id), _half_gone(now), ~_others_left()),
    )


def _answered_before(worker: str | InstrumentedAttribute[str]) -> Exists:
    """Whether the worker has answered the item's question in another: then others come first."""
    return (
        exists()
        .where(EarlierAnswer.item_id == WorkItem.id, EarlierAnswer.worker_id == worker)
        .correlate(WorkItem, Worker)
    )


def _half_gone(now: datetime) -> ColumnElement[bool]:
    """Members who never come shall not keep it from those who do: half of its time is for others only."""
    times = WorkItem.created_at, WorkItem.available_until
    created, until = (type_coerce(time, BigInteger) for time in times)
    return created + until <= 2 * milliseconds(now)


def _others_left() -> Exists:
    """Whether the team has somebody who can sign in, has not answered the question and had no task of it."""
    had = (
        exists()
        .where(
            Task.item_id == WorkItem.id,
            Task.worker_id == Worker.id,
            Task.status.in_([inline(status) for status in sorted(BARRING_TASKS)]),
        )
        .correlate(WorkItem, Worker)
    )
    return (
        exists()
        .where(
            WorkQueue.id == WorkItem.queue_id,
            Membership.workteam_name == WorkQueue.workteam_name,
            Worker.id == Membership.worker_id,
            Worker.password_hash.is_not(None),
            ~_answered_before(Worker.id),
            ~had,
        )
        .correlate(WorkItem)
    )
