"""Where the output.json of a human loop belongs, and whether there is or will be one.

For the API, which names it, the outbox, which writes it, and the event of the loop's end.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server.db.models import FlowDefinition, HumanLoop, Task
from include.review_server.db.statuses import LoopStatus, TaskStatus
from include.review_server.s3_location import S3Location


def output_location(flow: FlowDefinition, loop: HumanLoop) -> S3Location:
    """Where the loop's output.json belongs: below the output path, by the time the loop was created (UTC)."""
    when = loop.created_at.strftime("%Y/%m/%d/%H/%M/%S")
    return S3Location.parse(flow.output_path).below(flow.name, when, loop.name, "output.json")


def has_output(session: Session, loop: HumanLoop) -> bool:
    """Whether to name the output: also before it is there, as A2I does, but not when it will never be."""
    if loop.status is not LoopStatus.STOPPED:
        return loop.status is not LoopStatus.FAILED
    answered = select(func.count()).where(Task.loop_id == loop.id, Task.status == TaskStatus.ANSWERED)
    return session.scalars(answered).one() > 0
