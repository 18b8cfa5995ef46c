"""What comes next in a labeling job, read from the tables, and the beginning of its end.

Every function works in the caller's transaction. A job that is to end is first closed for people
(``begin_end``): what they have answered is consolidated, the last manifests are written, and only then does
it take its terminal status (``publishing``). So what a program reads in S3 after a job's end is complete.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import ScalarSelect, Select, and_, exists, func, select, update
from sqlalchemy.orm import Session

from include.review_server.db.models import DataObject, LabelingJob, ObjectItem
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.ends import storable
from include.review_server.labeling.jobs import JobView

# Of a job with auto-labeling: a model learns nothing from a data set whose objects cannot be labelled.
MOST_OF_PROBE_FAILED = 0.1
LONGEST = timedelta(days=30)

_TOO_OLD = (
    "ClientError: a labeling job may take 30 days, and this one has. What is labelled is in its output "
    "manifest: to label the rest, start another job with that as its input manifest and the same "
    "LabelAttributeName."
)
_PROBE_FAILED = (
    f"ClientError: more than {MOST_OF_PROBE_FAILED:.0%} of the first objects that went to people failed, so "
    "that auto-labeling has nothing to learn from: failure-reason in the output manifest says why"
)


class Stage(Enum):
    """What is to be done with a job now; see ``next_stage``."""

    STOP = auto()
    TOO_OLD = auto()
    PROBE_FAILED = auto()
    COMPLETE = auto()
    BATCH = auto()
    ASK_MACHINE = auto()


def running_jobs() -> Select[LabelingJob]:
    """The jobs whose manifest has been read and that have not ended."""
    return (
        select(LabelingJob)
        .where(
            LabelingJob.status.in_([LabelingStatus.IN_PROGRESS, LabelingStatus.STOPPING]),
            LabelingJob.objects > 0,
        )
        .order_by(LabelingJob.id)
    )


def locked(session: Session, job_id: int) -> LabelingJob:
    """The job, fresh and locked until the transaction ends. Never lock an item while holding it."""
    return session.get_one(LabelingJob, job_id, with_for_update=True, populate_existing=True)


def next_stage(session: Session, view: JobView, job: LabelingJob, now: datetime) -> Stage | None:
    """What is to be done with a job; None while its people are at work, or its end has begun."""
    if job.ends_as is not None:
        return None
    if job.status is LabelingStatus.STOPPING:
        return Stage.STOP
    if now - job.created_at >= LONGEST:
        return Stage.TOO_OLD
    if is_busy(session, job.id):
        return None
    if view.is_automated and job.iteration == 1 and _probe_failed(session, job.id):
        return Stage.PROBE_FAILED
    if view.still_allowed == 0 or not _has(session, job.id, ObjectStatus.UNLABELED):
        return Stage.COMPLETE
    return Stage.ASK_MACHINE if view.is_automated and job.iteration else Stage.BATCH


def is_busy(session: Session, job_id: int) -> bool:
    """Whether an object is out with people, or their answers wait to be consolidated."""
    return _has(session, job_id, ObjectStatus.ASKED) or _has(session, job_id, ObjectStatus.ANSWERED)


def begin_stage(session: Session, job: LabelingJob, stage: Stage, now: datetime) -> None:
    """Close a job for the reason that ``next_stage`` gave."""
    match stage:
        case Stage.STOP:
            begin_end(session, job, LabelingStatus.STOPPED, now)
        case Stage.TOO_OLD:
            begin_end(session, job, LabelingStatus.FAILED, now, _TOO_OLD)
        case Stage.PROBE_FAILED:
            begin_end(session, job, LabelingStatus.FAILED, now, _PROBE_FAILED)
        case Stage.COMPLETE:
            begin_end(session, job, LabelingStatus.COMPLETED, now)
        case Stage.BATCH | Stage.ASK_MACHINE:
            raise ValueError(f"{stage.name} ends no job")


def begin_end(
    session: Session,
    job: LabelingJob,
    status: LabelingStatus,
    now: datetime,
    failure_reason: str | None = None,
) -> None:
    """Close a job, which the caller has locked, for people: it gets this status once all is written.

    The first end counts. Objects of the batch that were not offered yet are as if they had not been chosen.
    """
    if job.ends_as is not None or job.status.is_terminal:
        return
    job.ends_as, job.is_open, job.modified_at = status, False, now
    job.failure_reason = storable(failure_reason) if failure_reason else None
    session.flush()
    session.execute(
        update(DataObject)
        .where(
            DataObject.job_id == job.id,
            DataObject.status == ObjectStatus.ASKED,
            DataObject.number.in_(not_offered(job.id).with_only_columns(DataObject.number)),
        )
        .values(status=ObjectStatus.UNLABELED, iteration=None)
        .execution_options(synchronize_session=False)
    )


def not_offered(job_id: int) -> Select[int]:
    """The numbers of a batch's objects that no item offers to people yet, in their order."""
    # The table alone: with its parent's, SQLite reads all items of all batches first.
    items = ObjectItem.__table__
    return (
        select(DataObject.number)
        .outerjoin(items, and_(items.c.job_id == DataObject.job_id, items.c.number == DataObject.number))
        .where(DataObject.job_id == job_id, DataObject.status == ObjectStatus.ASKED, items.c.id.is_(None))
        .order_by(DataObject.number)
    )


def send_batch(session: Session, job: LabelingJob, numbers: list[int] | ScalarSelect[int]) -> None:
    """Make these of the unlabelled objects the next batch. The caller has locked the job."""
    job.iteration += 1
    session.flush()
    session.execute(
        update(DataObject)
        .where(
            DataObject.job_id == job.id,
            DataObject.status == ObjectStatus.UNLABELED,
            DataObject.number.in_(numbers),
        )
        .values(status=ObjectStatus.ASKED, iteration=job.iteration)
        .execution_options(synchronize_session=False)
    )


def _probe_failed(session: Session, job_id: int) -> bool:
    count = func.count(DataObject.number)
    probe = select(count).where(DataObject.job_id == job_id, DataObject.iteration == 1)
    failed = session.scalars(probe.where(DataObject.status == ObjectStatus.FAILED)).one()
    return failed > MOST_OF_PROBE_FAILED * session.scalars(probe).one()


def _has(session: Session, job_id: int, status: ObjectStatus) -> bool:
    return bool(
        session.scalars(
            select(exists().where(DataObject.job_id == job_id, DataObject.status == status))
        ).one()
    )
