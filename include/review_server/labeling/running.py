"""The run of labeling jobs: which objects go to people next, and when a job begins to end.

The first batch is a probe of ten objects drawn at random; then batches go out in the order of the manifest,
the next one when all of the one before are done. Jobs of the background, each in bounded steps; what comes
next follows from the tables alone (``stages``), so that a server killed at any point goes on where it was.
Answers are ``consolidating``'s, and the files and the end itself ``publishing``'s.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, LabelingJob, WorkItem, inline
from include.review_server.db.statuses import ItemStatus, LabelingStatus, ObjectStatus
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.stages import (
    Stage,
    begin_stage,
    locked,
    next_stage,
    running_jobs,
    send_batch,
)
from include.review_server.work.background import in_turn
from include.review_server.work.lifecycle import locked_all, stop, withdraw

# Whatever is wrong with a template or a data set shows in ten objects, before a thousand people-hours.
_PROBE = 10


class LabelingRuns:
    """Sends batches out, and begins the end of jobs."""

    def __init__(
        self, database: Database, clock: Clock, arns: Arns, job_log: JobLog, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._job_log = job_log
        self._wake = wake

    def advance(self) -> bool:
        """Job: send the next batches out, and close the jobs that are due. Whether more is waiting."""
        with self._database.read() as session:
            jobs = [(job.id, job.ends_as) for job in session.scalars(running_jobs())]
        return in_turn(
            jobs, lambda job: self._advance(job[0]) if job[1] is None else self._withdraw(job[0], job[1])
        )

    def _advance(self, job_id: int) -> bool:
        with self._database.read() as session:
            if self._stage(session, session.get_one(LabelingJob, job_id)) in (None, Stage.ASK_MACHINE):
                return False
        with self._database.write() as session:
            job = locked(session, job_id)
            stage, view = self._stage(session, job), JobView.of(job, self._arns)
            if stage in (None, Stage.ASK_MACHINE):
                return False
            if stage is Stage.BATCH:
                send_batch(
                    session, job, _probe(session, view) if view.iteration == 0 else _next(session, view)
                )
            else:
                begin_stage(session, job, stage, self._clock())
        self._tell(view, stage)
        self._wake()
        return True

    def _stage(self, session: Session, job: LabelingJob) -> Stage | None:
        return next_stage(session, JobView.of(job, self._arns), job, self._clock())

    def _withdraw(self, job_id: int, ends_as: LabelingStatus, steps: int = 200) -> bool:
        """Take back what is out. Who has a task in hand may finish it, unless the job has failed."""
        query = select(WorkItem.id).where(
            WorkItem.queue_id == job_id, WorkItem.status == inline(ItemStatus.IN_PROGRESS)
        )
        with self._database.read() as session:
            items = list(session.scalars(query.order_by(WorkItem.id).limit(steps)))
        if items:
            now = self._clock()
            with self._database.write() as session:
                for item in locked_all(session, items):
                    if ends_as is LabelingStatus.FAILED:
                        withdraw(session, item, now)
                    stop(session, item, now)
        return len(items) == steps

    def _tell(self, view: JobView, stage: Stage | None) -> None:
        if view.iteration and stage is not Stage.STOP:
            self._job_log.say(
                view.name,
                "BATCH_ANNOTATION_STATUS_EVALUATED",
                f"Of {view.objects} objects {view.human_labeled} are labeled by people and "
                f"{view.machine_labeled} by machine after iteration {view.iteration}",
            )
        if stage is Stage.COMPLETE and view.still_allowed == 0:
            conditions = view.request["StoppingConditions"]
            self._job_log.say(
                view.name, "STOPPING_CONDITION_REACHED", f"No more objects go out: {conditions}"
            )


def _probe(session: Session, view: JobView) -> list[int]:
    """The objects of the first batch. Drawn by the job's own reference code: the same after a restart."""
    unlabeled = _unlabeled(view)
    count = session.scalars(unlabeled.with_only_columns(func.count(DataObject.number)).order_by(None)).one()
    size = min(_PROBE, view.batch_size, view.still_allowed, count)
    drawn = random.Random(view.reference_code).sample(range(count), size)  # noqa: S311 (no secret)
    return [session.scalars(unlabeled.offset(rank).limit(1)).one() for rank in sorted(drawn)]


def _next(session: Session, view: JobView) -> list[int]:
    size = min(view.batch_size, view.still_allowed)
    return list(session.scalars(_unlabeled(view).limit(size)))


def _unlabeled(view: JobView) -> Select[int]:
    """The numbers of the objects without a label that never went out, in the manifest's order."""
    return (
        select(DataObject.number)
        .where(DataObject.job_id == view.id, DataObject.status == ObjectStatus.UNLABELED)
        .order_by(DataObject.number)
    )
