"""The tables. Names follow the API: human task UI, work team, flow definition, human loop, task, answer.

What grows large (a loop's input, an answer) has a table of its own, so that a page of a hundred loops never
reads it. Every question asked often has an index, the partial ones so small as the work that is open. Changes
here need a revision in ``migrations/versions``; a test compares the two. One file, because it is one schema:
what refers to what, and which index serves which table, is read together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
    literal,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from include.review_server.db.statuses import FlowStatus, LoopStatus, TaskStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# SQLite only counts up by itself in a column that is exactly INTEGER.
_Id = BigInteger().with_variant(Integer, "sqlite")


def milliseconds(moment: datetime) -> int:
    """A time as the tables keep it: milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware datetime kept as milliseconds since 1970: sorts as time everywhere, and knows no time zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


def _status(kind: type[StrEnum]) -> Enum:
    """A status column: the API's own words as text, so that a person can read the table."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """All tables, for queries and for migrations."""

    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: Moment,
        FlowStatus: _status(FlowStatus),
        LoopStatus: _status(LoopStatus),
        TaskStatus: _status(TaskStatus),
    }


def inline(value: int | StrEnum) -> BindParameter[Any]:
    """A value written into the statement itself: partial indexes are chosen before parameters are known."""
    return literal(value.value if isinstance(value, StrEnum) else value, literal_execute=True)


class HumanTaskUi(Base):
    """A worker task template. A deleted one stays: loops that run with it go on."""

    __tablename__ = "human_task_uis"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    content: Mapped[str] = mapped_column(Text)
    content_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "human_task_uis_live_name",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class Workteam(Base):
    """A work team as the API knows it. ``request`` is the modelled request as JSON, to be echoed."""

    __tablename__ = "workteams"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    request: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FlowDefinition(Base):
    """How loops of one kind are reviewed. Immutable but for its status and the number of loops in flight.

    ``in_flight`` counts loops that are not terminal. It is kept, not counted, because the quota must hold
    when many callers start loops at once, at the same cost for the first loop and the five-thousandth.
    """

    __tablename__ = "flow_definitions"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    status: Mapped[FlowStatus]
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    created_at: Mapped[datetime]
    workteam_name: Mapped[str] = mapped_column(String(63))
    human_task_ui_id: Mapped[int] = mapped_column(ForeignKey("human_task_uis.id"))
    title: Mapped[str] = mapped_column(String(128))
    description: Mapped[str] = mapped_column(String(255))
    task_count: Mapped[int]
    availability_seconds: Mapped[int] = mapped_column(BigInteger)
    time_limit_seconds: Mapped[int] = mapped_column(BigInteger)
    output_path: Mapped[str] = mapped_column(String(1024))
    kms_key_id: Mapped[str | None] = mapped_column(String(2048))
    request: Mapped[str] = mapped_column(Text)
    in_flight: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index(
            "flow_definitions_live_name",
            "name",
            unique=True,
            sqlite_where=text("status != 'Deleted'"),
            postgresql_where=text("status != 'Deleted'"),
        ),
        Index("flow_definitions_by_team", "workteam_name", "status"),
        Index("flow_definitions_by_status", "status"),
        Index("flow_definitions_by_template", "human_task_ui_id"),
    )


class HumanLoop(Base):
    """One thing that people are asked about. ``vacancies``: how many more workers may take it just now."""

    __tablename__ = "human_loops"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    flow_id: Mapped[int] = mapped_column(ForeignKey("flow_definitions.id"))
    status: Mapped[LoopStatus]
    vacancies: Mapped[int]
    created_at: Mapped[datetime]
    available_until: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    failure_code: Mapped[str | None] = mapped_column(String(32))
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    input_sha256: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        Index("human_loops_by_creation", "flow_id", "created_at", "id"),
        Index("human_loops_by_status", "flow_id", "status"),
        Index(
            "human_loops_offered",
            "flow_id",
            "id",
            sqlite_where=text("vacancies > 0"),
            postgresql_where=text("vacancies > 0"),
        ),
        Index(
            "human_loops_open",
            "flow_id",
            "id",
            sqlite_where=text("status = 'InProgress'"),
            postgresql_where=text("status = 'InProgress'"),
        ),
        Index(
            "human_loops_by_deadline",
            "available_until",
            sqlite_where=text("status = 'InProgress'"),
            postgresql_where=text("status = 'InProgress'"),
        ),
    )


class LoopInput(Base):
    """The InputContent of a loop, byte for byte as it came."""

    __tablename__ = "loop_inputs"

    loop_id: Mapped[int] = mapped_column(ForeignKey("human_loops.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class EarlierAnswer(Base):
    """A worker who has answered a loop's question before, in another loop: others come first.

    Whoever starts a loop says so (``answeredBefore`` in its input); the worker need not be one of ours.
    """

    __tablename__ = "earlier_answers"

    loop_id: Mapped[int] = mapped_column(ForeignKey("human_loops.id", ondelete="CASCADE"), primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(16), primary_key=True)


class Task(Base):
    """One worker's turn at one loop: a lease until ``expires_at``, and how it ended."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    loop_id: Mapped[int] = mapped_column(ForeignKey("human_loops.id", ondelete="CASCADE"))
    flow_id: Mapped[int] = mapped_column(ForeignKey("flow_definitions.id"))
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    status: Mapped[TaskStatus]
    accepted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # What the worker's page measured without pauses; None when it measured nothing.
    active_milliseconds: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        # Distinct workers per loop, and one task in hand per worker and flow definition, whatever races.
        Index(
            "tasks_one_per_worker_and_loop",
            "loop_id",
            "worker_id",
            unique=True,
            sqlite_where=text("status IN ('InHand', 'Answered', 'Declined')"),
            postgresql_where=text("status IN ('InHand', 'Answered', 'Declined')"),
        ),
        Index(
            "tasks_one_in_hand",
            "worker_id",
            "flow_id",
            unique=True,
            sqlite_where=text("status = 'InHand'"),
            postgresql_where=text("status = 'InHand'"),
        ),
        Index(
            "tasks_by_lease_end",
            "expires_at",
            sqlite_where=text("status = 'InHand'"),
            postgresql_where=text("status = 'InHand'"),
        ),
        Index("tasks_by_loop", "loop_id"),
        Index(
            "tasks_answered_by_worker",
            "worker_id",
            "ended_at",
            sqlite_where=text("status = 'Answered'"),
            postgresql_where=text("status = 'Answered'"),
        ),
        Index(
            "tasks_answered_by_flow",
            "flow_id",
            "ended_at",
            sqlite_where=text("status = 'Answered'"),
            postgresql_where=text("status = 'Answered'"),
        ),
    )


class Answer(Base):
    """What a worker submitted: the ``answerContent`` object as JSON."""

    __tablename__ = "answers"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class Delivery(Base):
    """An ``output.json`` that S3 does not have yet. The row goes in the transaction that ends its loop."""

    __tablename__ = "deliveries"

    loop_id: Mapped[int] = mapped_column(ForeignKey("human_loops.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(1024))

    __table_args__ = (Index("deliveries_by_due_time", "due_at"),)


class LoopEvent(Base):
    """A loop's end that has not been told yet. Written together with the end; outlives the loop."""

    __tablename__ = "loop_events"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(1024))

    __table_args__ = (Index("loop_events_by_due_time", "due_at"),)


class Worker(Base):
    """A person who answers. ``id`` is the 16 hex digits of A2I's workerId. Never removed: answers name it.

    An owner also sees how the work goes, and tries templates.
    """

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime]
    is_owner: Mapped[bool] = mapped_column(default=False, server_default=false())


class Membership(Base):
    """A worker in a team. By the team's name: people are often invited before the API makes the team."""

    __tablename__ = "memberships"

    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"), primary_key=True)
    workteam_name: Mapped[str] = mapped_column(String(63), primary_key=True)


class WorkerSession(Base):
    """A signed-in browser or program. Only a hash of its cookie is kept, so a stolen table opens nothing."""

    __tablename__ = "worker_sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    csrf_token: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("worker_sessions_by_worker", "worker_id"),
        Index("worker_sessions_by_end", "expires_at"),
    )


class Invitation(Base):
    """A link by which a member sets the own password, once. Only a hash of its secret is kept."""

    __tablename__ = "invitations"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("invitations_by_worker", "worker_id"),
        Index("invitations_by_end", "expires_at"),
    )


class FailedSignIn(Base):
    """A wrong password, counted against a name and against an address (``subject``) for a while."""

    __tablename__ = "failed_sign_ins"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    failed_at: Mapped[datetime]

    __table_args__ = (
        Index("failed_sign_ins_by_subject", "subject", "failed_at"),
        Index("failed_sign_ins_by_time", "failed_at"),
    )


class SeenSignature(Base):
    """The signature of an API call that changed something, kept while it could be sent again."""

    __tablename__ = "seen_signatures"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[datetime]

    __table_args__ = (Index("seen_signatures_by_time", "seen_at"),)
