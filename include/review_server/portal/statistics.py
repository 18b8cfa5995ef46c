"""What the pages count: what a worker has done, and the loops of flow definitions.

Takes the database and the clock, gives frozen values. Only reads, and every question is answered from an
index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, Task, WorkItem, inline
from include.review_server.db.statuses import FlowStatus, ItemStatus, TaskStatus

# In the order of a loop's life, as the API shows them.
LOOP_STATUSES = ("InProgress", "Stopping", "Completed", "Stopped", "Failed")


@dataclass(frozen=True)
class FlowCounts:
    """One flow definition: loops by status as the API shows it; the oldest open one's age in seconds.

    ``queue_id`` is what the other parts of its page are asked with.
    """

    queue_id: int
    name: str
    title: str
    workteam: str
    is_paused: bool
    created_at: datetime
    loops: dict[str, int]
    oldest_open: float | None
    answers_last_hour: int


class Statistics:
    """Counts for pages."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def answered_since(self, worker_id: str, moment: datetime) -> int:
        """How many tasks the worker has answered since then."""
        query = select(func.count()).where(
            Task.worker_id == worker_id,
            Task.status == inline(TaskStatus.ANSWERED),
            Task.ended_at >= moment,
        )
        with self._database.read() as session:
            return session.scalar(query) or 0

    def flows(self) -> list[FlowCounts]:
        """Every flow definition that is not deleted, newest first."""
        query = (
            select(FlowDefinition)
            .where(FlowDefinition.status != FlowStatus.DELETED)
            .order_by(FlowDefinition.id.desc())
        )
        with self._database.read() as session:
            return [self._counts(session, flow) for flow in session.scalars(query)]

    def flow(self, name: str) -> FlowCounts | None:
        """The live flow definition of that name."""
        query = select(FlowDefinition).where(
            FlowDefinition.name == name, FlowDefinition.status != FlowStatus.DELETED
        )
        with self._database.read() as session:
            flow = session.scalars(query).one_or_none()
            return self._counts(session, flow) if flow else None

    def _counts(self, session: Session, flow: FlowDefinition) -> FlowCounts:
        now = self._clock()
        loops: dict[str, int] = {}
        for status, count in session.execute(
            select(WorkItem.status, func.count())
            .where(WorkItem.queue_id == flow.id)
            .group_by(WorkItem.status)
        ):
            loops[status.shown] = loops.get(status.shown, 0) + count
        # Loops come in order of their creation, so the oldest open one is the first of the open ones.
        oldest = session.scalar(
            select(WorkItem.created_at)
            .where(WorkItem.queue_id == flow.id, WorkItem.status == inline(ItemStatus.IN_PROGRESS))
            .order_by(WorkItem.id)
            .limit(1)
        )
        last_hour = answers_since(session, flow.id, now - timedelta(hours=1))
        return FlowCounts(
            flow.id,
            flow.name,
            flow.title,
            flow.workteam_name,
            flow.is_paused,
            flow.created_at,
            loops,
            (now - oldest).total_seconds() if oldest else None,
            last_hour,
        )


def answers_since(session: Session, queue_id: int, moment: datetime) -> int:
    """How many answers a queue was given since then."""
    query = select(func.count()).where(
        Task.queue_id == queue_id, Task.status == inline(TaskStatus.ANSWERED), Task.ended_at >= moment
    )
    return session.scalar(query) or 0
