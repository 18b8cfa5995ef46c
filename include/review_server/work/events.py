"""The EventBridge events of the ends of human loops and labeling jobs, told at least once to a queue or bus.

Off unless a target is set. The event is written in the transaction that ends the loop or job and sent by the
background until the target has it; it outlives a loop that is deleted meanwhile. A listener that sees one
twice knows it by its ``id``. An SQS queue gets the documented event, byte for byte as a rule of EventBridge
would put it there. To a bus, AWS lets nobody send in the name of ``aws.sagemaker``: there the source is
``SOURCE``, and detail-type, resources and detail are the documented ones.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.arns import Arns
from include.review_server.clock import Clock, iso
from include.review_server.db.database import Database
from include.review_server.db.models import Event, FlowDefinition, HumanLoop, LabelingJob
from include.review_server.reach import Reach
from include.review_server.settings import ReviewSettings
from include.review_server.work.outputs import has_output, output_location
from include.review_server.work.retries import is_due, next_attempt

log = logging.getLogger(__name__)

DETAIL_TYPE = "SageMaker A2I HumanLoop Status Change"
JOB_DETAIL_TYPE = "SageMaker Ground Truth Labeling Job State Change"
SOURCE = "nightloop.sagemaker"  # on a bus; a queue gets aws.sagemaker

_PER_CALL = 10  # both SendMessageBatch and PutEvents take ten


class EndEvents:
    """Writes events down and sends them. ``target`` is a queue's URL, or the name or ARN of a bus."""

    def __init__(self, database: Database, clock: Clock, arns: Arns, settings: ReviewSettings) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._target = _target(settings) if settings.events_to else None
        self.reach = Reach("the queue or bus of the ends of loops and jobs")
        if self._target:
            database.on_loop_end = self.write_down
            database.on_job_end = self.write_down_job

    def write_down(self, session: Session, loop: HumanLoop) -> None:
        """Record the end of a loop, in the transaction that ends it."""
        flow = session.get_one(FlowDefinition, loop.queue_id)
        session.add(Event(body=json.dumps(self._event(session, flow, loop)), due_at=loop.finished_at))

    def write_down_job(self, session: Session, job: LabelingJob) -> None:
        """Record the end of a labeling job, in the transaction that ends it."""
        session.add(Event(body=json.dumps(self._job_event(job)), due_at=job.modified_at))

    def send(self, steps: int = 100) -> bool:
        """Job: send the events that are due, oldest first. Whether more are waiting."""
        if self._target is None:
            return False
        query = select(Event.id, Event.body).where(is_due(Event.due_at, self._clock()))
        with self._database.read() as session:
            due = list(session.execute(query.order_by(Event.due_at).limit(steps)))
        failed = 0
        for start in range(0, len(due), _PER_CALL):
            batch = due[start : start + _PER_CALL]
            errors = self._send(self._target, [row.body for row in batch])
            failed += len([error for error in errors if error])
            self._settle(dict(zip([row.id for row in batch], errors, strict=True)))
            if all(errors):
                break
        return len(due) == steps and failed == 0

    def _send(self, target: Queue | Bus, bodies: list[str]) -> list[str | None]:
        """What went wrong with each, or None."""
        try:
            with self.reach.used(target.name):
                return target.send(bodies)
        except (BotoCoreError, ClientError) as error:
            return [(str(error) or type(error).__name__)[:1024]] * len(bodies)

    def _settle(self, errors: dict[int, str | None]) -> None:
        now = self._clock()
        if problem := next(filter(None, errors.values()), None):
            log.warning("events are not sent yet, will try again: %s", problem)
        with self._database.write() as session:
            for event in session.scalars(select(Event).where(Event.id.in_(errors))):
                if errors[event.id] is None:
                    session.delete(event)
                else:
                    event.attempts += 1
                    event.last_error = errors[event.id]
                    event.due_at = next_attempt(now, event.attempts)

    def _event(self, session: Session, flow: FlowDefinition, loop: HumanLoop) -> dict[str, Any]:
        """The event as the developer guide shows it ("Use Amazon CloudWatch Events in Amazon A2I")."""
        arn = self._arns.human_loop(loop.name)
        output = {"outputS3Uri": output_location(flow, loop).uri} if has_output(session, loop) else None
        event = self._envelope(DETAIL_TYPE, arn, f"{iso(loop.created_at)} {loop.status}", loop.finished_at)
        return event | {
            "detail": {
                "creationTime": iso(loop.created_at),
                "failureCode": loop.failure_code,
                "failureReason": loop.failure_reason,
                "flowDefinitionArn": self._arns.flow_definition(flow.name),
                "humanLoopArn": arn,
                "humanLoopName": loop.name,
                "humanLoopOutput": output,
                "humanLoopStatus": loop.status.value,
            },
        }

    def _job_event(self, job: LabelingJob) -> dict[str, Any]:
        """The event as the developer guide shows it ("Monitor Labeling Job Status")."""
        arn = self._arns.labeling_job(job.name)
        event = self._envelope(JOB_DETAIL_TYPE, arn, job.status, job.modified_at)
        return event | {"detail": {"LabelingJobStatus": job.status.value}}

    def _envelope(self, kind: str, arn: str, end: str, moment: datetime | None) -> dict[str, Any]:
        return {
            "version": "0",
            # The same event has the same id however often it is sent.
            "id": str(uuid5(NAMESPACE_URL, f"{arn} {end}")),
            "detail-type": kind,
            "source": "aws.sagemaker",
            "account": self._arns.account_id,
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "region": self._arns.region,
            "resources": [arn],
        }


@dataclass(frozen=True)
class Queue:
    """An SQS queue, named by its URL."""

    client: Any
    name: str

    def send(self, bodies: list[str]) -> list[str | None]:
        """What went wrong with each, or None. Raises what botocore raises when it went wrong for all."""
        entries = []
        for number, body in enumerate(bodies):
            entry = {"Id": str(number), "MessageBody": body}
            if self.name.endswith(".fifo"):
                event = json.loads(body)
                entry |= {
                    "MessageGroupId": event["resources"][0][-128:],
                    "MessageDeduplicationId": event["id"],
                }
            entries.append(entry)
        reply = self.client.send_message_batch(QueueUrl=self.name, Entries=entries)
        refused = {
            int(f["Id"]): f"{f['Code']}: {f.get('Message', '')}"[:1024] for f in reply.get("Failed", [])
        }
        return [refused.get(number) for number in range(len(bodies))]


@dataclass(frozen=True)
class Bus:
    """An EventBridge event bus."""

    client: Any
    name: str

    def send(self, bodies: list[str]) -> list[str | None]:
        """What went wrong with each, or None. Raises what botocore raises when it went wrong for all."""
        events = [json.loads(body) for body in bodies]
        entries = [
            {
                "Source": SOURCE,
                "DetailType": event["detail-type"],
                "Time": event["time"],
                "Resources": event["resources"],
                "Detail": json.dumps(event["detail"]),
                "EventBusName": self.name,
            }
            for event in events
        ]
        reply = self.client.put_events(Entries=entries)
        return [
            f"{entry['ErrorCode']}: {entry.get('ErrorMessage', '')}"[:1024]
            if entry.get("ErrorCode")
            else None
            for entry in reply["Entries"]
        ]


def _target(settings: ReviewSettings) -> Queue | Bus:
    target = settings.events_to or ""
    session = boto3.session.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        region_name=settings.region,
    )
    config = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})
    if re.match("https?://", target):
        # The queue is where its URL says, be it AWS or not.
        parts = urlsplit(target)
        endpoint = f"{parts.scheme}://{parts.netloc}"
        return Queue(session.client("sqs", endpoint_url=endpoint, config=config), target)
    return Bus(session.client("events", endpoint_url=settings.events_endpoint_url, config=config), target)
