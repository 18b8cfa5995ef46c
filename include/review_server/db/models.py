"""The tables. Names follow the API: human task UI, work team, flow definition, human loop, labeling job,
task, answer. Flow definitions and labeling jobs own a work queue each, loops and objects a work item each:
what workers do knows only queues and items.

What grows large (an item's input, an answer) has a table of its own, so that a page of a hundred loops never
reads it. Every question asked often has an index, the partial ones so small as the work that is open. Changes
here need a revision in ``migrations/versions``; a test compares the two. One file, because it is one schema:
what refers to what, and which index serves which table, is read together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Dialect,
    Double,
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

from include.review_server.db.statuses import (
    DeclineReason,
    FlowStatus,
    ItemStatus,
    LabelingStatus,
    ObjectStatus,
    QueueKind,
    RoundStage,
    TaskStatus,
)

# Characters of what people write beside their work.
LONGEST_COMMENT = 1000

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
        LabelingStatus: _status(LabelingStatus),
        ObjectStatus: _status(ObjectStatus),
        RoundStage: _status(RoundStage),
        QueueKind: _status(QueueKind),
        ItemStatus: _status(ItemStatus),
        TaskStatus: _status(TaskStatus),
        DeclineReason: _status(DeclineReason),
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


class WorkQueue(Base):
    """Work of one kind for one team: what is shown to workers, how many are asked about each item, and how
    long they have. It is owned by a flow definition or by a labeling job (``kind``), whose row has its id.

    ``output_path`` is where the owner writes. Workers are offered what waits while ``is_open`` and not
    ``is_paused``; of several queues the one of the highest ``priority`` first, then the oldest.
    """

    __tablename__ = "work_queues"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    kind: Mapped[QueueKind]
    is_open: Mapped[bool]
    created_at: Mapped[datetime]
    workteam_name: Mapped[str] = mapped_column(String(63))
    human_task_ui_id: Mapped[int] = mapped_column(ForeignKey("human_task_uis.id"))
    title: Mapped[str] = mapped_column(String(128))
    description: Mapped[str] = mapped_column(String(255))
    workers_per_item: Mapped[int]
    availability_seconds: Mapped[int] = mapped_column(BigInteger)
    time_limit_seconds: Mapped[int] = mapped_column(BigInteger)
    output_path: Mapped[str] = mapped_column(String(1024))
    kms_key_id: Mapped[str | None] = mapped_column(String(2048))
    is_paused: Mapped[bool] = mapped_column(default=False, server_default=false())
    priority: Mapped[int] = mapped_column(default=0, server_default="0")

    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 (SQLAlchemy reads it from the class)
    __table_args__: tuple[Any, ...] = (
        Index("work_queues_by_team", "workteam_name", "is_open"),
        Index("work_queues_by_template", "human_task_ui_id"),
    )

    if TYPE_CHECKING:  # each kind has its own column
        name: Mapped[str]

    @property
    def key(self) -> str:
        """What workers' programs call the queue: the resource part of the owner's ARN."""
        return f"{self.kind.resource}/{self.name}"


class FlowDefinition(WorkQueue):
    """How loops of one kind are reviewed. Immutable but for its status and the number of loops in flight.

    ``in_flight`` counts loops that are not terminal. It is kept, not counted, because the quota must hold
    when many callers start loops at once, at the same cost for the first loop and the five-thousandth.
    """

    __tablename__ = "flow_definitions"

    id: Mapped[int] = mapped_column(ForeignKey("work_queues.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    status: Mapped[FlowStatus]
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    request: Mapped[str] = mapped_column(Text)
    in_flight: Mapped[int] = mapped_column(default=0)

    __mapper_args__ = {"polymorphic_identity": QueueKind.FLOW_DEFINITION}  # noqa: RUF012
    __table_args__ = (
        Index(
            "flow_definitions_live_name",
            "name",
            unique=True,
            sqlite_where=text("status != 'Deleted'"),
            postgresql_where=text("status != 'Deleted'"),
        ),
        Index("flow_definitions_by_status", "status"),
    )


class LabelingJob(WorkQueue):
    """A labeling job. ``request`` is the modelled request as JSON, to be echoed; ``key_name`` is the name
    without its case, by which names are unique. The counters are those of the API, kept as objects end;
    ``existing`` objects had their label in the manifest. ``objects`` is 0 until the manifest is read.

    ``iteration`` is the number of the batch that is out, from 1; 0 before the first. ``ends_as``: it is
    closed for people, and gets this status once everything is written. ``changes`` grows with every label and
    failure; output.manifest in S3 shows ``published`` of them, and the files of the batches up to
    ``published_iteration`` are as they were then.
    """

    __tablename__ = "labeling_jobs"

    id: Mapped[int] = mapped_column(ForeignKey("work_queues.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    key_name: Mapped[str] = mapped_column(String(63), unique=True)
    status: Mapped[LabelingStatus]
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    modified_at: Mapped[datetime]
    reference_code: Mapped[str] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(Text)
    # The name in the ARN of the annotation functions; None with functions of the caller's own, or none.
    task_type: Mapped[str | None] = mapped_column(String(64))
    label_attribute: Mapped[str] = mapped_column(String(127))
    categories: Mapped[str] = mapped_column(Text)  # names as a JSON list: the index is the class id
    # The manifest is pinned by its ETag while it is read, piece by piece; both are in bytes.
    manifest_etag: Mapped[str | None] = mapped_column(String(128))
    manifest_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    manifest_read: Mapped[int] = mapped_column(BigInteger, default=0)
    iteration: Mapped[int] = mapped_column(default=0)
    objects: Mapped[int] = mapped_column(default=0)
    existing: Mapped[int] = mapped_column(default=0)
    human_labeled: Mapped[int] = mapped_column(default=0)
    machine_labeled: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    final_model_arn: Mapped[str | None] = mapped_column(String(2048))
    ends_as: Mapped[LabelingStatus | None]
    changes: Mapped[int] = mapped_column(default=0)
    published: Mapped[int] = mapped_column(default=0)
    published_iteration: Mapped[int] = mapped_column(default=0)

    __mapper_args__ = {"polymorphic_identity": QueueKind.LABELING_JOB}  # noqa: RUF012
    __table_args__: tuple[Any, ...] = (Index("labeling_jobs_by_status", "status"),)

    @property
    def unlabeled(self) -> int:
        """How many objects have no label yet and may get one."""
        return self.objects - self.existing - self.human_labeled - self.machine_labeled - self.failed


class DataObject(Base):
    """One line of a labeling job's manifest; ``number`` counts from 0, as in the output's keys."""

    __tablename__ = "data_objects"

    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[ObjectStatus]
    iteration: Mapped[int | None]
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    consolidation_id: Mapped[int | None] = mapped_column(ForeignKey("consolidations.id"))

    __table_args__ = (
        Index("data_objects_by_status", "job_id", "status", "number"),
        Index("data_objects_by_iteration", "job_id", "iteration", "number"),
        Index("data_objects_by_consolidation", "consolidation_id"),
    )


class Consolidation(Base):
    """A group of objects whose answers are consolidated together. It is fixed before anything is written for
    it; ``stamp`` (whole seconds, no two of a job alike) names its files, ``started_at`` dates its labels.
    """

    __tablename__ = "consolidations"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"))
    iteration: Mapped[int]
    started_at: Mapped[datetime]
    stamp: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("consolidations_by_stamp", "job_id", "stamp", unique=True),
        Index(
            "consolidations_open",
            "job_id",
            "id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class ObjectLine(Base):
    """The line of the manifest, as it came: read once, so that a changed manifest changes nothing."""

    __tablename__ = "object_lines"

    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class ObjectLabel(Base):
    """What an object was found to be: the label attribute and its metadata, as a JSON object."""

    __tablename__ = "object_labels"

    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class LearningRound(Base):
    """One round of automated labeling: a model is trained, judged and asked, before people's next batch.

    ``threshold`` and ``passed`` are JSON: what the model's confidence was found to be worth, and the objects
    of the validation sample that reach it, by which later rounds are not judged. ``labeled_at`` is when
    its labels were made: the same after a kill.
    """

    __tablename__ = "learning_rounds"

    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"), primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[RoundStage]
    threshold: Mapped[str | None] = mapped_column(Text)
    passed: Mapped[str] = mapped_column(Text, default="[]")
    labeled_at: Mapped[datetime | None]


class Prediction(Base):
    """What the model of the latest round says of an object without a label: JSON, and its confidence."""

    __tablename__ = "predictions"

    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    confidence: Mapped[float] = mapped_column(Double)
    content: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("predictions_by_confidence", "job_id", "confidence", "number"),)


class ResourceTag(Base):
    """A tag of a resource, by its ARN in lower case: names of labeling jobs know no case."""

    __tablename__ = "resource_tags"

    arn: Mapped[str] = mapped_column(String(256), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str] = mapped_column(String(256))


class WorkItem(Base):
    """One thing that people are asked about, owned by a human loop or by an object of a labeling job.

    ``vacancies``: how many more workers may take it just now. ``settles_at``: every answer is in, and they
    become final then; until then a worker may take one back. ``reserved_for``: the worker whom an owner gave
    it to; it is offered to nobody else.
    """

    __tablename__ = "work_items"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    kind: Mapped[QueueKind]
    queue_id: Mapped[int] = mapped_column(ForeignKey("work_queues.id"))
    status: Mapped[ItemStatus]
    vacancies: Mapped[int]
    created_at: Mapped[datetime]
    available_until: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    failure_code: Mapped[str | None] = mapped_column(String(32))
    failure_reason: Mapped[str | None] = mapped_column(String(1024))
    settles_at: Mapped[datetime | None]
    reserved_for: Mapped[str | None] = mapped_column(String(16))

    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012
    __table_args__: tuple[Any, ...] = (
        Index(
            "work_items_by_settling",
            "settles_at",
            sqlite_where=text("settles_at IS NOT NULL"),
            postgresql_where=text("settles_at IS NOT NULL"),
        ),
        Index(
            "work_items_reserved",
            "queue_id",
            "id",
            sqlite_where=text("reserved_for IS NOT NULL"),
            postgresql_where=text("reserved_for IS NOT NULL"),
        ),
        Index("work_items_by_creation", "queue_id", "created_at", "id"),
        Index("work_items_by_status", "queue_id", "status"),
        Index(
            "work_items_offered",
            "queue_id",
            "id",
            sqlite_where=text("vacancies > 0"),
            postgresql_where=text("vacancies > 0"),
        ),
        Index(
            "work_items_open",
            "queue_id",
            "id",
            sqlite_where=text("status = 'InProgress'"),
            postgresql_where=text("status = 'InProgress'"),
        ),
        Index(
            "work_items_by_deadline",
            "available_until",
            sqlite_where=text("status = 'InProgress'"),
            postgresql_where=text("status = 'InProgress'"),
        ),
    )

    if TYPE_CHECKING:  # each kind says what to call it before people

        @property
        def title(self) -> str: ...


class HumanLoop(WorkItem):
    """A human loop of A2I: an item with a name and the caller's own input."""

    __tablename__ = "human_loops"

    id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    input_sha256: Mapped[str] = mapped_column(String(64))

    __mapper_args__ = {"polymorphic_identity": QueueKind.FLOW_DEFINITION}  # noqa: RUF012

    @property
    def title(self) -> str:
        """What to call it before people."""
        return self.name


class ObjectItem(WorkItem):
    """An object of a labeling job that is out with people. An object goes out once."""

    __tablename__ = "object_items"

    id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("labeling_jobs.id"))
    number: Mapped[int]

    __mapper_args__ = {"polymorphic_identity": QueueKind.LABELING_JOB}  # noqa: RUF012
    __table_args__ = (Index("object_items_by_object", "job_id", "number", unique=True),)

    @property
    def title(self) -> str:
        """What to call it before people."""
        return f"object {self.number}"


class ItemInput(Base):
    """What the template is given about an item, as JSON: a loop's InputContent is here byte for byte."""

    __tablename__ = "item_inputs"

    item_id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class EarlierAnswer(Base):
    """A worker who has answered an item's question before, in another item: others come first.

    Whoever starts a loop says so (``answeredBefore`` in its input); the worker need not be one of ours.
    """

    __tablename__ = "earlier_answers"

    item_id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True)
    worker_id: Mapped[str] = mapped_column(String(16), primary_key=True)


class Task(Base):
    """One worker's turn at one item: a lease until ``expires_at``, and how it ended."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"))
    queue_id: Mapped[int] = mapped_column(ForeignKey("work_queues.id"))
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    status: Mapped[TaskStatus]
    accepted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # What the worker's page measured without pauses; None when it measured nothing.
    active_milliseconds: Mapped[int | None] = mapped_column(BigInteger)
    # Why it was declined (``DeclineReason``), and what the worker wrote to the owner, with an answer too.
    reason: Mapped[DeclineReason | None]
    comment: Mapped[str | None] = mapped_column(String(LONGEST_COMMENT))

    __table_args__ = (
        # Distinct workers per item, and one task in hand per worker and queue, whatever races.
        Index(
            "tasks_one_per_worker_and_item",
            "item_id",
            "worker_id",
            unique=True,
            sqlite_where=text("status IN ('InHand', 'Answered', 'Declined')"),
            postgresql_where=text("status IN ('InHand', 'Answered', 'Declined')"),
        ),
        Index(
            "tasks_one_in_hand",
            "worker_id",
            "queue_id",
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
        Index("tasks_by_item", "item_id"),
        Index(
            "tasks_answered_by_worker",
            "worker_id",
            "ended_at",
            sqlite_where=text("status = 'Answered'"),
            postgresql_where=text("status = 'Answered'"),
        ),
        Index(
            "tasks_answered_by_queue",
            "queue_id",
            "ended_at",
            sqlite_where=text("status = 'Answered'"),
            postgresql_where=text("status = 'Answered'"),
        ),
        # The reason is there for counts by it, which so read the index alone.
        Index(
            "tasks_declined_by_queue",
            "queue_id",
            "ended_at",
            "reason",
            sqlite_where=text("status = 'Declined'"),
            postgresql_where=text("status = 'Declined'"),
        ),
    )


class Complaint(Base):
    """What is wrong with the work of a queue, for its owner: said by a page at work, or found in a template.

    The same text about a queue is one row that counts. ``item_id`` is the last item that it was about.
    """

    __tablename__ = "complaints"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("work_queues.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(String(LONGEST_COMMENT))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("work_items.id", ondelete="SET NULL"))
    times: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]

    __table_args__ = (
        Index("complaints_once", "queue_id", "sha256", unique=True),
        Index("complaints_by_time", "queue_id", "last_at"),
        Index("complaints_by_item", "item_id"),
    )


class TemplateHost(Base):
    """A host whose images, scripts and styles a worker template may use, because an owner allowed it."""

    __tablename__ = "template_hosts"

    human_task_ui_id: Mapped[int] = mapped_column(ForeignKey("human_task_uis.id"), primary_key=True)
    host: Mapped[str] = mapped_column(String(260), primary_key=True)
    allowed_by: Mapped[str | None] = mapped_column(ForeignKey("workers.id"))  # None: the operator
    allowed_at: Mapped[datetime]


class Answer(Base):
    """What a worker submitted: the ``answerContent`` object as JSON."""

    __tablename__ = "answers"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class Draft(Base):
    """What a worker who will come back had on the page, as an ``answerContent``. It ends with the task."""

    __tablename__ = "drafts"

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class Delivery(Base):
    """An item's result that S3 does not have yet. The row goes in the transaction that ends the item."""

    __tablename__ = "deliveries"

    item_id: Mapped[int] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(1024))

    __table_args__ = (Index("deliveries_by_due_time", "due_at"),)


class Event(Base):
    """The end of a loop or a job that has not been told yet. Written together with it; outlives it."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(1024))

    __table_args__ = (Index("events_by_due_time", "due_at"),)


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
