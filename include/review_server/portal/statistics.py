"""What the pages count: what a worker has done, and how the work of a queue goes.

Takes the database and the clock, gives frozen values. Only reads. Every question is answered from an index;
where answers themselves must be looked into, the newest thousand stand for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Float, case, cast, func, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, FlowDefinition, HumanLoop, Task, Worker, inline
from include.review_server.db.statuses import FlowStatus, ItemStatus, TaskStatus

SAMPLE = 1000
_HOURS = 24
# As jsontext writes it. A text inside an answer that says the same has its quotes escaped.
_MODIFIED = '%"initialValueModified":true%'
_UNMODIFIED = '%"initialValueModified":false%'


@dataclass(frozen=True)
class FlowCounts:
    """One flow definition: loops by status as the API shows it; the oldest open one's age in seconds.

    ``queue_id`` is what ``hours`` and ``workers`` are asked with.
    """

    queue_id: int
    name: str
    title: str
    workteam: str
    created_at: datetime
    loops: dict[str, int]
    oldest_open: float | None
    answers_last_hour: int


@dataclass(frozen=True)
class Hour:
    """Answers accepted in one hour; ``share`` is of the busiest hour shown."""

    begins: datetime
    answers: int
    share: float


@dataclass(frozen=True)
class WorkerCounts:
    """One worker's part in the newest answers. ``modified``: share of answers that changed the pre-labels."""

    name: str
    worker_id: str
    answers: int
    seconds_per_answer: float | None
    modified: float | None
    last_answer: datetime


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

    def hours(self, queue_id: int) -> list[Hour]:
        """From the current hour back to the first with an answer within 24; empty without an answer."""
        now = self._clock()
        current = now.replace(minute=0, second=0, microsecond=0)
        first = current - timedelta(hours=_HOURS - 1)
        milliseconds = cast(Task.ended_at, BigInteger)
        number = (milliseconds - int(first.timestamp() * 1000)) // 3_600_000
        query = (
            select(number.label("number"), func.count())
            .where(
                Task.queue_id == queue_id,
                Task.status == inline(TaskStatus.ANSWERED),
                Task.ended_at >= first,
            )
            .group_by("number")
        )
        with self._database.read() as session:
            counted = {int(number): count for number, count in session.execute(query)}
        most, oldest = max(counted.values(), default=0), min(counted, default=_HOURS)
        return [
            Hour(first + timedelta(hours=i), counted.get(i, 0), counted.get(i, 0) / most)
            for i in reversed(range(oldest, _HOURS))
        ]

    def workers(self, queue_id: int) -> list[WorkerCounts]:
        """Who gave the newest thousand answers, busiest first."""
        newest = (
            select(Task.id, Task.worker_id, Task.accepted_at, Task.ended_at, Task.active_milliseconds)
            .where(Task.queue_id == queue_id, Task.status == inline(TaskStatus.ANSWERED))
            .order_by(Task.ended_at.desc())
            .limit(SAMPLE)
            .subquery()
        )
        whole = cast(newest.c.ended_at, Float) - cast(newest.c.accepted_at, Float)
        answers = func.count()
        query = (
            select(
                Worker.name,
                Worker.id,
                answers,
                func.avg(func.coalesce(cast(newest.c.active_milliseconds, Float), whole) / 1000),
                func.avg(
                    case((Answer.content.like(_MODIFIED), 1.0), (Answer.content.like(_UNMODIFIED), 0.0))
                ),
                func.max(newest.c.ended_at),
            )
            .join(Worker, Worker.id == newest.c.worker_id)
            .join(Answer, Answer.task_id == newest.c.id)
            .group_by(Worker.id, Worker.name)
            .order_by(answers.desc(), Worker.name)
        )
        with self._database.read() as session:
            return [
                WorkerCounts(name, worker_id, count, _number(seconds), _number(modified), last)
                for name, worker_id, count, seconds, modified, last in session.execute(query)
            ]

    def _counts(self, session: Session, flow: FlowDefinition) -> FlowCounts:
        now = self._clock()
        loops: dict[str, int] = {}
        for status, count in session.execute(
            select(HumanLoop.status, func.count())
            .where(HumanLoop.queue_id == flow.id)
            .group_by(HumanLoop.status)
        ):
            loops[status.shown] = loops.get(status.shown, 0) + count
        # Loops come in order of their creation, so the oldest open one is the first of the open ones.
        oldest = session.scalar(
            select(HumanLoop.created_at)
            .where(HumanLoop.queue_id == flow.id, HumanLoop.status == inline(ItemStatus.IN_PROGRESS))
            .order_by(HumanLoop.id)
            .limit(1)
        )
        last_hour = answers_since(session, flow.id, now - timedelta(hours=1))
        return FlowCounts(
            flow.id,
            flow.name,
            flow.title,
            flow.workteam_name,
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


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
