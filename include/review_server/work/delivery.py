"""The outbox: writes ``output.json`` to S3 until S3 has it, and only then ends the loop.

A delivery is recorded in the transaction that accepts the last answer, so a crash at any moment loses
nothing. The object's bytes depend on the database alone: writing it twice, after a crash between S3 and the
database, changes nothing. It knows the tables and ``ObjectStore``.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.clock import Clock, iso
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Delivery, FlowDefinition, HumanLoop, LoopInput, Task
from include.review_server.db.statuses import LoopStatus, TaskStatus
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.work.lifecycle import finish, locked_all
from include.review_server.work.outputs import output_location
from include.review_server.work.retries import is_due, next_attempt

log = logging.getLogger(__name__)

_AT_ONCE = 8  # writes to S3 side by side


@dataclass(frozen=True)
class Output:
    """An output.json, ready to be written."""

    loop_id: int
    location: S3Location
    text: str
    kms_key_id: str | None


class Deliveries:
    """The background half of an answer."""

    def __init__(
        self, database: Database, clock: Clock, arns: Arns, store: ObjectStore, public_url: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._store = store
        self._issuer = public_url.rstrip("/")
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="review-delivery")

    def deliver(self, steps: int = 64) -> bool:
        """Job: write the outputs that are due. Whether more are waiting."""
        query = select(Delivery.loop_id).where(is_due(Delivery.due_at, self._clock()))
        with self._database.read() as session:
            due = list(session.scalars(query.order_by(Delivery.due_at).limit(steps)))
        errors = dict(zip(due, self._pool.map(self._write, due), strict=True))
        if due:
            self._settle(errors)
        if failed := [error for error in errors.values() if error]:
            log.warning("%d outputs are not written yet, will try again: %s", len(failed), failed[0])
        return len(due) == steps and len(failed) < steps

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def _write(self, loop_id: int) -> str | None:
        """Put one output to S3; what went wrong, or None."""
        with self._database.read() as session:
            output = self._output(session, loop_id)
        if output is None:
            return None
        try:
            self._store.put_json(output.location, output.text, output.kms_key_id)
        except S3_ERRORS as error:
            return (str(error) or type(error).__name__)[:1024]
        return None

    def _settle(self, errors: dict[int, str | None]) -> None:
        """One transaction for the batch: written loops end, the others wait longer each time."""
        now = self._clock()
        with self._database.write() as session:
            for loop in locked_all(session, errors):
                delivery = session.get(Delivery, loop.id, populate_existing=True)
                if delivery is None:
                    continue
                if errors[loop.id] is None:
                    session.delete(delivery)
                    stopped = loop.status is LoopStatus.STOPPING
                    finish(session, loop, LoopStatus.STOPPED if stopped else LoopStatus.COMPLETED, now)
                else:
                    delivery.attempts += 1
                    delivery.last_error = errors[loop.id]
                    delivery.due_at = next_attempt(now, delivery.attempts)

    def _output(self, session: Session, loop_id: int) -> Output | None:
        if session.get(Delivery, loop_id) is None:
            return None
        loop = session.get_one(HumanLoop, loop_id)
        flow = session.get_one(FlowDefinition, loop.flow_id)
        answers = session.execute(
            select(Task, Answer.content)
            .join(Answer, Answer.task_id == Task.id)
            .where(Task.loop_id == loop_id, Task.status == TaskStatus.ANSWERED)
            .order_by(Task.ended_at, Task.id)
        )
        text = jsontext.splice(
            {"flowDefinitionArn": self._arns.flow_definition(flow.name), "humanLoopName": loop.name},
            {
                "humanAnswers": jsontext.array([self._entry(task, content) for task, content in answers]),
                "inputContent": session.get_one(LoopInput, loop_id).content,
            },
        )
        return Output(loop_id, output_location(flow, loop), text, flow.kms_key_id)

    def _entry(self, task: Task, content: str) -> str:
        """One worker's answer, as A2I writes it."""
        submitted = task.ended_at or task.accepted_at
        # Not less than nothing when the clock was put back between the two.
        spent = max((submitted - task.accepted_at).total_seconds(), 0.0)
        if task.active_milliseconds is not None:
            spent = task.active_milliseconds / 1000
        return jsontext.splice(
            {
                "acceptanceTime": iso(task.accepted_at),
                "submissionTime": iso(submitted),
                "timeSpentInSeconds": spent,
                "workerId": task.worker_id,
                "workerMetadata": {"identityData": self._identity(task.worker_id)},
            },
            {"answerContent": content},
        )

    def _identity(self, worker_id: str) -> dict[str, Any]:
        # The server is its own issuer of identities; the subject follows from the worker's id.
        host = urlsplit(self._issuer).netloc
        subject = uuid5(NAMESPACE_URL, f"//{host}/workers/{worker_id}")
        return {"identityProviderType": "Oidc", "issuer": self._issuer, "sub": str(subject)}
