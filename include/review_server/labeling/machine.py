"""Auto-labeling as the run of a job sees it: asked for its next step when no people are at work.

It is asked outside of any transaction; what it says is applied in one, if it still fits. Of several servers
on one database one asks at a time, as its answers follow from what it has begun. A job of the background.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, LabelingJob, ObjectLabel
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.auto.steps import AskPeople, Done, Fail, Label, Step, Wait
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.patience import Patience
from include.review_server.labeling.stages import (
    Stage,
    begin_end,
    locked,
    next_stage,
    running_jobs,
    send_batch,
)
from include.review_server.s3 import S3_ERRORS
from include.review_server.work.background import in_turn

_ASK_SECONDS = 2.0


class Machine(Protocol):
    """What auto-labeling must be able to do."""

    def next_step(self, job: JobView) -> Step:
        """Asked when nothing is out with people. Does not wait for training jobs."""

    def stop(self, job: JobView) -> None:
        """The labeling job ends: stop what runs for it. Never raises."""


class MachineSteps:
    """Applies what auto-labeling says."""

    def __init__(
        self, database: Database, clock: Clock, arns: Arns, machine: Machine, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._machine = machine
        self._wake = wake
        self._patience = Patience("auto-labeling")
        self._ask_at: dict[int, float] = {}

    def ask(self) -> bool:
        """Job: the next step of each job with auto-labeling. Whether more is waiting."""
        with self._database.read() as session:
            jobs = list(session.scalars(running_jobs()))
        views = [JobView.of(job, self._arns) for job in jobs if job.ends_as is None]
        return in_turn([view for view in views if view.is_automated], self._ask)

    def _ask(self, view: JobView) -> bool:
        is_time = time.monotonic() >= self._ask_at.get(view.id, 0.0) and self._patience.is_over(view.id)
        if not is_time:
            return False
        with self._database.alone(f"the next step of labeling job {view.id}") as is_ours:
            return is_ours and self._apply_next(view.id)

    def _apply_next(self, job_id: int) -> bool:
        with self._database.read() as session:
            # Read again: another server may have sent the next batch out meanwhile.
            job = session.get_one(LabelingJob, job_id)
            if self._stage(session, job) is not Stage.ASK_MACHINE:
                return False
            view = JobView.of(job, self._arns)
        try:
            step = self._machine.next_step(view)
        except S3_ERRORS as error:
            self._patience.failed(view.id, view.name, error)
            return False
        self._patience.worked(view.id)
        if isinstance(step, Wait):
            self._ask_at[view.id] = time.monotonic() + _ASK_SECONDS
            return False
        with self._database.write() as session:
            job = locked(session, view.id)
            now = job.modified_at = self._clock()
            # While it was asked, the job may have been stopped.
            if self._stage(session, job) is not Stage.ASK_MACHINE:
                return True
            match step:
                case AskPeople(numbers):
                    send_batch(session, job, sorted(numbers)[: view.still_allowed])
                case Label(iteration, labels):
                    contents = {number: jsontext.dump(label) for number, label in labels.items()}
                    _label(session, job, iteration, contents)
                case Fail(reason):
                    begin_end(session, job, LabelingStatus.FAILED, now, reason)
                case Done():
                    begin_end(session, job, LabelingStatus.COMPLETED, now)
        self._wake()
        return True

    def _stage(self, session: Session, job: LabelingJob) -> Stage | None:
        return next_stage(session, JobView.of(job, self._arns), job, self._clock())


def _label(session: Session, job: LabelingJob, iteration: int, contents: dict[int, str]) -> None:
    """Store labels of a machine; an object that has another one, or that failed, is left as it is."""
    waiting = select(DataObject).where(
        DataObject.job_id == job.id,
        DataObject.status == ObjectStatus.UNLABELED,
        DataObject.number.in_(contents),
    )
    for data_object in session.scalars(waiting):
        number = data_object.number
        session.add(ObjectLabel(job_id=job.id, number=number, content=contents[number]))
        data_object.status, data_object.iteration = ObjectStatus.LABELED, iteration
        job.machine_labeled += 1
        job.changes += 1
