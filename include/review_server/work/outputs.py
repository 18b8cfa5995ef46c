"""The ``output.json`` of a human loop: where it belongs, whether there is or will be one, and what it says.

For the API, which names it, the outbox, which writes it, and the event of the loop's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.db.models import FlowDefinition, HumanLoop, ItemInput, Task, WorkItem
from include.review_server.db.statuses import ItemStatus, TaskStatus
from include.review_server.s3_location import S3Location
from include.review_server.work.answers import Identities, answers_of


@dataclass(frozen=True)
class Output:
    """An item's result, ready to be written."""

    location: S3Location
    text: str
    kms_key_id: str | None


class LoopOutputs:
    """Makes the output.json of human loops, as A2I writes it."""

    def __init__(self, arns: Arns, identities: Identities) -> None:
        self._arns = arns
        self._identities = identities

    def output(self, session: Session, item: WorkItem) -> Output:
        loop = session.get_one(HumanLoop, item.id)
        flow = session.get_one(FlowDefinition, loop.queue_id)
        text = jsontext.splice(
            {"flowDefinitionArn": self._arns.flow_definition(flow.name), "humanLoopName": loop.name},
            {
                "humanAnswers": jsontext.array(answers_of(session, item.id, self._identities)),
                "inputContent": session.get_one(ItemInput, item.id).content,
            },
        )
        return Output(output_location(flow, loop), text, flow.kms_key_id)

    def written(self, session: Session, item: WorkItem, now: datetime) -> None:
        """A loop's end is all that follows."""


def output_location(flow: FlowDefinition, loop: HumanLoop) -> S3Location:
    """Where the loop's output.json belongs: below the output path, by the time the loop was created (UTC)."""
    when = loop.created_at.strftime("%Y/%m/%d/%H/%M/%S")
    return S3Location.parse(flow.output_path).below(flow.name, when, loop.name, "output.json")


def has_output(session: Session, loop: HumanLoop) -> bool:
    """Whether to name the output: also before it is there, as A2I does, but not when it will never be."""
    if loop.status is not ItemStatus.STOPPED:
        return loop.status is not ItemStatus.FAILED
    answered = select(func.count()).where(Task.item_id == loop.id, Task.status == TaskStatus.ANSWERED)
    return session.scalars(answered).one() > 0
