"""What the owners' pages say of labeling jobs: what is labelled, by whom, how fast, and when it will be done.

Takes the database and the clock, gives frozen values. Only reads, counters and small indexes alone: a job of
100,000 objects costs what one of ten does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, LabelingJob, ObjectItem, Task, inline
from include.review_server.db.statuses import ItemStatus, ObjectStatus, TaskStatus
from include.review_server.labeling.layout import Layout
from include.review_server.portal.statistics import answers_since

# What the rate is taken from.
_WINDOW = timedelta(hours=1)
_FAILURES = 10  # told by name


@dataclass(frozen=True)
class JobCounts:
    """One labeling job. ``out``: objects that people are asked about now, of the ``remaining`` ones;
    ``existing`` ones had the label in the manifest.

    ``per_hour``: objects that people's answers of the last hour suffice for; None when there are none.
    ``ends_at``: when the remaining ones are done at that rate; None without a rate or after the end.
    ``output``: where its files lie, without a slash at its end.
    """

    queue_id: int
    name: str
    title: str
    workteam: str
    is_paused: bool
    created_at: datetime
    status: str
    failure_reason: str | None
    task_type: str
    workers_per_object: int
    iteration: int
    objects: int
    human: int
    machine: int
    failed: int
    existing: int
    remaining: int
    out: int
    answers_last_hour: int
    per_hour: float | None
    ends_at: datetime | None
    final_model_arn: str | None
    output: str


@dataclass(frozen=True)
class Failure:
    """An object that failed: its line in the manifest, from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class InHand:
    """What a stopping job waits for: tasks that people hold, and when the time of the last one is up."""

    tasks: int
    until: datetime


class JobStatistics:
    """Counts for the pages about labeling jobs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def jobs(self, most: int = 100) -> list[JobCounts]:
        """The newest labeling jobs."""
        query = select(LabelingJob).order_by(LabelingJob.id.desc()).limit(most)
        with self._database.read() as session:
            return [self._counts(session, job) for job in session.scalars(query)]

    def job(self, name: str) -> JobCounts | None:
        """The labeling job of that name; names are told apart without their case."""
        query = select(LabelingJob).where(LabelingJob.key_name == name.lower())
        with self._database.read() as session:
            job = session.scalars(query).one_or_none()
            return self._counts(session, job) if job else None

    def failures(self, queue_id: int) -> list[Failure]:
        """The first objects of a job that failed."""
        query = (
            select(DataObject.number, DataObject.failure_reason)
            .where(DataObject.job_id == queue_id, DataObject.status == inline(ObjectStatus.FAILED))
            .order_by(DataObject.number)
            .limit(_FAILURES)
        )
        with self._database.read() as session:
            return [Failure(number + 1, reason or "") for number, reason in session.execute(query)]

    def in_hand(self, queue_id: int) -> InHand | None:
        """None when nobody holds a task of the queue."""
        query = select(func.count(), func.max(Task.expires_at)).where(
            Task.queue_id == queue_id, Task.status == inline(TaskStatus.IN_HAND)
        )
        with self._database.read() as session:
            tasks, until = session.execute(query).one()
            return InHand(tasks, until) if tasks else None

    def _counts(self, session: Session, job: LabelingJob) -> JobCounts:
        now = self._clock()
        out = session.scalar(
            select(func.count())
            .select_from(ObjectItem)
            .where(ObjectItem.queue_id == job.id, ObjectItem.status == inline(ItemStatus.IN_PROGRESS))
        )
        answers = answers_since(session, job.id, now - _WINDOW)
        # Of a job that is younger than the window, what there is of it.
        hours = min(max((now - job.created_at) / timedelta(hours=1), 1 / 60), _WINDOW / timedelta(hours=1))
        per_hour = answers / hours / job.workers_per_item
        runs = not job.status.is_terminal
        ends_at = (
            now + timedelta(hours=job.unlabeled / per_hour) if runs and per_hour and job.unlabeled else None
        )
        return JobCounts(
            queue_id=job.id,
            name=job.name,
            title=job.title,
            workteam=job.workteam_name,
            is_paused=job.is_paused,
            created_at=job.created_at,
            status=job.status.value,
            failure_reason=job.failure_reason,
            task_type=job.task_type or "custom",
            workers_per_object=job.workers_per_item,
            iteration=job.iteration,
            objects=job.objects,
            human=job.human_labeled,
            machine=job.machine_labeled,
            failed=job.failed,
            existing=job.existing,
            remaining=job.unlabeled,
            out=out or 0,
            answers_last_hour=answers,
            per_hour=per_hour or None,
            ends_at=ends_at,
            final_model_arn=job.final_model_arn,
            output=Layout.of(job.output_path, job.name).root.uri,
        )
