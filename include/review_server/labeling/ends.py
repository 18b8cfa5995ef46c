"""The end of a labeling job: the one place where it becomes Completed, Failed or Stopped.

Works in the caller's transaction, on a job that the caller has locked.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from include.review_server.db.models import LabelingJob
from include.review_server.db.statuses import LabelingStatus

MOST_REASON_CHARACTERS = 1024


def storable(reason: str) -> str:
    """A reason as the tables hold and the API shows it: cut, and of whole characters. What it quotes comes
    from strangers' files, answers and functions, and a reason that cannot be stored would be tried for ever.
    """
    return reason.replace("\0", "").encode(errors="replace").decode()[:MOST_REASON_CHARACTERS]


def end_job(
    session: Session,
    job: LabelingJob,
    status: LabelingStatus,
    now: datetime,
    failure_reason: str | None = None,
) -> None:
    """Bring the job to a terminal status, with its event. Nothing is offered to workers any more.

    ``failure_reason`` replaces the one that the job has; it is cut to what the API shows.
    """
    if not status.is_terminal:
        raise ValueError(f"{status} ends no job")
    job.status, job.is_open, job.modified_at = status, False, now
    if failure_reason is not None:
        job.failure_reason = storable(failure_reason)
    if on_job_end := session.info.get("on_job_end"):
        on_job_end(session, job)
