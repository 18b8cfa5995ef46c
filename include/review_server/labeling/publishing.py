"""The manifests of running jobs in S3, and the end of a job once the last of them is there.

A manifest is rewritten when labels have changed, but only as often as that is a small part of the time: with
a hundred thousand objects a rewrite takes seconds, and a label comes every few. Of several servers on one
database one writes at a time: a slow one would put older manifests over the newer ones of another, and after
the job's end nobody would write them again. A job of the background.
"""

from __future__ import annotations

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Consolidation, LabelingJob
from include.review_server.db.statuses import LabelingStatus
from include.review_server.labeling.ends import end_job
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.machine import Machine
from include.review_server.labeling.output import Manifests
from include.review_server.labeling.patience import Patience
from include.review_server.labeling.stages import is_busy, locked, running_jobs
from include.review_server.s3 import S3_ERRORS
from include.review_server.work.background import in_turn

# Between two rewrites of one job at least this long, and twenty times as long as the last one took.
_PAUSE_SECONDS = 5.0
_SHARE = 20


class Publishing:
    """Writes manifests, and ends jobs."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arns: Arns,
        manifests: Manifests,
        machine: Machine,
        job_log: JobLog,
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._manifests = manifests
        self._machine = machine
        self._job_log = job_log
        self._patience = Patience("writing its manifests")
        self._next: dict[int, float] = {}

    def publish(self) -> bool:
        """Job: rewrite what has changed, and end the jobs that are done. Whether more is waiting."""
        with self._database.read() as session:
            jobs = [(job, is_over(session, job)) for job in session.scalars(running_jobs())]
        due = [job.id for job, over in jobs if over or self._is_due(job)]
        return in_turn([job_id for job_id in due if self._patience.is_over(job_id)], self._alone)

    def _alone(self, job_id: int) -> bool:
        """Whether more is waiting: never, what changes meanwhile is due later."""
        with self._database.alone(f"writing the manifests of labeling job {job_id}") as is_ours:
            if is_ours:
                self._publish(job_id)
        return False

    def _is_due(self, job: LabelingJob) -> bool:
        return job.changes != job.published and time.monotonic() >= self._next.get(job.id, 0.0)

    def _publish(self, job_id: int) -> None:
        with self._database.read() as session:
            # Read again: another server may have written, and even ended the job, meanwhile.
            job = session.get_one(LabelingJob, job_id)
            over = is_over(session, job)
        if job.status.is_terminal:
            return
        view, began = JobView.of(job, self._arns), time.monotonic()
        try:
            # All batches that may have changed since: a batch's last labels come just before the next one.
            for iteration in range(max(job.published_iteration, 1), job.iteration + 1):
                self._manifests.write_intermediate(view, iteration)
            self._manifests.write(view)
        except S3_ERRORS as error:
            self._patience.failed(job.id, job.name, error)
            return
        self._patience.worked(job.id)
        self._next[job.id] = time.monotonic() + max(_PAUSE_SECONDS, _SHARE * (time.monotonic() - began))
        self._job_log.say(job.name, "EXPORTED_LABELED_MANIFEST", view.output.output_manifest.uri)
        if over and view.is_automated:
            # Before the end is stored: after it, nobody would look at the job again.
            self._machine.stop(view)
        with self._database.write() as session:
            row = locked(session, job.id)
            row.published, row.published_iteration = job.changes, job.iteration
            if over and not row.status.is_terminal and row.ends_as is not None:
                stopped = row.status is LabelingStatus.STOPPING and row.ends_as is LabelingStatus.COMPLETED
                status = LabelingStatus.STOPPED if stopped else row.ends_as
                end_job(session, row, status, self._clock(), row.failure_reason)


def is_over(session: Session, job: LabelingJob) -> bool:
    """Whether nothing can change any more: the job is closed, nothing is out, and all is consolidated."""
    if job.ends_as is None or is_busy(session, job.id):
        return False
    open_group = select(Consolidation.id).where(
        Consolidation.job_id == job.id, Consolidation.ended_at.is_(None)
    )
    return session.scalars(open_group.limit(1)).first() is None
