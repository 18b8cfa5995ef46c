"""Which human loops a worker may take, as queries: those of their teams that have a free place for them.

Who has answered a loop's question before, in another loop, comes after those who have not, for half of the
loop's time and while there is somebody else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Exists, Select, exists, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from include.review_server.db.models import (
    EarlierAnswer,
    FlowDefinition,
    HumanLoop,
    Membership,
    Task,
    Worker,
    inline,
    milliseconds,
)
from include.review_server.db.statuses import BARRING_TASKS, FlowStatus


def flows_of(session: Session, worker_id: str, name: str | None) -> list[FlowDefinition]:
    """The active flow definitions of the worker's teams, or the one of that name."""
    query = (
        select(FlowDefinition)
        .join(Membership, Membership.workteam_name == FlowDefinition.workteam_name)
        .where(Membership.worker_id == worker_id, FlowDefinition.status == FlowStatus.ACTIVE)
        .order_by(FlowDefinition.id)
    )
    return list(session.scalars(query if name is None else query.where(FlowDefinition.name == name)))


def offered(flow_id: int, worker_id: str, now: datetime) -> Select[HumanLoop]:
    """The loops of a flow definition that the worker may take."""
    barred = (
        select(Task.id)
        .where(
            Task.loop_id == HumanLoop.id,
            Task.worker_id == worker_id,
            Task.status.in_([inline(status) for status in sorted(BARRING_TASKS)]),
        )
        # The limit keeps PostgreSQL from turning this into a join, for which it would read all tasks first:
        # one look into the index per loop that is offered costs the same for ever.
        .limit(1)
        .correlate(HumanLoop)
        .scalar_subquery()
    )
    return select(HumanLoop).where(
        HumanLoop.flow_id == flow_id,
        HumanLoop.vacancies > inline(0),
        HumanLoop.available_until > now,
        barred.is_(None),
        or_(~_answered_before(worker_id), _half_gone(now), ~_others_left()),
    )


def _answered_before(worker: str | InstrumentedAttribute[str]) -> Exists:
    """Whether the worker has answered the loop's question in another loop: then others come first."""
    return (
        exists()
        .where(EarlierAnswer.loop_id == HumanLoop.id, EarlierAnswer.worker_id == worker)
        .correlate(HumanLoop, Worker)
    )


def _half_gone(now: datetime) -> ColumnElement[bool]:
    """Members who never come shall not keep a loop from those who do: half of its time is for others only."""
    times = HumanLoop.created_at, HumanLoop.available_until
    created, until = (type_coerce(time, BigInteger) for time in times)
    return created + until <= 2 * milliseconds(now)


def _others_left() -> Exists:
    """Whether the team has somebody who can sign in, has not answered the question and had no task of it."""
    had = (
        exists()
        .where(
            Task.loop_id == HumanLoop.id,
            Task.worker_id == Worker.id,
            Task.status.in_([inline(status) for status in sorted(BARRING_TASKS)]),
        )
        .correlate(HumanLoop, Worker)
    )
    return (
        exists()
        .where(
            FlowDefinition.id == HumanLoop.flow_id,
            Membership.workteam_name == FlowDefinition.workteam_name,
            Worker.id == Membership.worker_id,
            Worker.password_hash.is_not(None),
            ~_answered_before(Worker.id),
            ~had,
        )
        .correlate(HumanLoop)
    )
