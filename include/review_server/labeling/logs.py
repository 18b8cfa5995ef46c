"""The two logs of labeling jobs: what a job comes to, and what its workers do.

The job log is in the group ``/aws/sagemaker/LabelingJobs``, a stream per job, with the messages that AWS's
own have. The worker log is the documented one ("Track Worker Performance"): an entry for each task that a
worker takes, submits, returns or declines; human loops have none. Nothing waits for either.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import event
from sqlalchemy.orm import Session

from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.models import LabelingJob, Task, WorkQueue
from include.review_server.db.statuses import TaskStatus
from include.review_server.labeling.cloud_logs import CloudLogs

JOB_GROUP = "/aws/sagemaker/LabelingJobs"
WORKER_GROUP = "/aws/sagemaker/groundtruth/WorkerActivity"

_LONGEST = 1_000
# What ends a worker's turn by the worker's own doing: a lease that runs out is no event of a worker.
_EVENTS = {
    TaskStatus.IN_HAND: ("TasksAccepted", None),
    TaskStatus.ANSWERED: ("TasksSubmitted", "task_submitted_time"),
    TaskStatus.RETURNED: ("TasksReturned", "task_returned_time"),
    TaskStatus.DECLINED: ("TasksDeclined", "task_declined_time"),
}


class JobLog:
    """What labeling jobs come to."""

    def __init__(self, logs: CloudLogs) -> None:
        self._logs = logs

    def say(self, job_name: str, event_name: str, message: str) -> None:
        """Add an entry, such as EXPORTED_LABELED_MANIFEST and a sentence. Never waits and never raises."""
        entry = {"event-name": event_name, "event-log-message": message[:_LONGEST]}
        self._logs.say(JOB_GROUP, job_name, entry)


class WorkerLog:
    """What workers do with the tasks of labeling jobs."""

    def __init__(self, logs: CloudLogs, arns: Arns, clock: Clock) -> None:
        self._logs, self._arns, self._clock = logs, arns, clock

    def note(self, session: Session, task: Task) -> None:
        """A worker's turn has begun or ended, in this transaction: an entry as soon as it is stored."""
        job = session.get(WorkQueue, task.queue_id)
        if task.status not in _EVENTS or not isinstance(job, LabelingJob):
            return
        entry = self._entry(job, task)
        stream = job.name
        event.listen(
            session, "after_commit", lambda _: self._logs.say(WORKER_GROUP, stream, entry), once=True
        )

    def _entry(self, job: LabelingJob, task: Task) -> dict[str, str]:
        name, ended = _EVENTS[task.status]
        now = task.ended_at or self._clock()
        times = dict.fromkeys(
            ("task_accepted_time", "task_submitted_time", "task_returned_time", "task_declined_time"), ""
        )
        times["task_accepted_time"] = _said(task.accepted_at)
        if ended:
            times[ended] = _said(now)
        return {
            "worker_id": f"private.{self._arns.region}.{task.worker_id}",
            # Workers have their accounts here, not in a user pool of Amazon Cognito.
            "cognito_user_pool_id": "",
            "cognito_sub_id": "",
            **times,
            "workteam_arn": self._arns.workteam(job.workteam_name),
            "labeling_job_arn": self._arns.labeling_job(job.name),
            "work_requester_account_id": self._arns.account_id,
            "job_reference_code": job.reference_code,
            "job_type": "Private",
            "event_type": name,
            "event_timestamp": str(int(now.timestamp())),
        }


def _said(moment: datetime) -> str:
    """As the documented entries have it: ``Wed Aug 14 16:00:59 UTC 2019``."""
    return moment.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
