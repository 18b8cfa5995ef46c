"""The A2I runtime: start, describe, list, stop and delete human loops.

Parameters and replies are the API's own members; the wire has checked them against the model. A start is
idempotent by name: the same name, flow definition and input give the same loop, whatever became of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.api.flow_definitions import live_flow
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import (
    EarlierAnswer,
    FlowDefinition,
    HumanLoop,
    HumanTaskUi,
    ItemInput,
    WorkItem,
)
from include.review_server.db.pages import page
from include.review_server.db.statuses import FlowStatus, ItemStatus
from include.review_server.s3 import ObjectStore, image_buckets
from include.review_server.work.lifecycle import locked, stop
from include.review_server.work.outputs import has_output, output_location
from include.wire import AwsError

# In flight per flow definition with a private team; AWS does not raise it.
LOOPS_IN_FLIGHT = 5_000

# The operations that look at S3 before they reply.
WAIT_FOR_S3 = frozenset({"StartHumanLoop"})


class HumanLoopOperations:
    """The five operations of the runtime API. ``wake`` tells the background that there is work."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arns: Arns,
        store: ObjectStore,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._store = store
        self._wake = wake

    def start_human_loop(self, params: dict[str, Any]) -> dict[str, Any]:
        name, content = params["HumanLoopName"], params["HumanLoopInput"]["InputContent"]
        flow_name = self._flow_name(params["FlowDefinitionArn"])
        try:
            value = jsontext.parse(content)
        except ValueError as error:
            raise _invalid(f"HumanLoopInput.InputContent is not JSON: {error}") from None
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        before = _answered_before(value)
        # Asked before the quota and the flow definition's state: a retry of a start that succeeded succeeds.
        if not self._is_replay(name, flow_name, sha256):
            for bucket in self._image_buckets(value):
                if problem := self._store.cors_problem(bucket):
                    raise _invalid(f"HumanLoopInput.InputContent: {problem}")
            try:
                self._insert(name, flow_name, content, sha256, before)
            except IntegrityError:
                # Someone else started a loop of this name in the meantime.
                if not self._is_replay(name, flow_name, sha256):
                    raise
        return {"HumanLoopArn": self._arns.human_loop(name)}

    def describe_human_loop(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            loop = _existing(session, params["HumanLoopName"])
            flow = session.get_one(FlowDefinition, loop.queue_id)
            written = has_output(session, loop)
            return {
                "CreationTime": loop.created_at,
                "FailureReason": loop.failure_reason,
                "FailureCode": loop.failure_code,
                "HumanLoopStatus": loop.status.shown,
                "HumanLoopName": loop.name,
                "HumanLoopArn": self._arns.human_loop(loop.name),
                "FlowDefinitionArn": self._arns.flow_definition(flow.name),
                "HumanLoopOutput": {"OutputS3Uri": output_location(flow, loop).uri} if written else None,
            }

    def list_human_loops(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["FlowDefinitionArn"]
        with self._database.read() as session:
            name = self._arns.name_in(arn, "flow-definition")
            flow = live_flow(session, name) if name else None
            if flow is None:
                raise AwsError("ResourceNotFoundException", f"Could not find flow definition {arn}")
            of_flow = select(HumanLoop).where(HumanLoop.queue_id == flow.id)
            loops, token = page(session, of_flow, HumanLoop, params)
            return {
                "HumanLoopSummaries": [
                    {
                        "HumanLoopName": loop.name,
                        "HumanLoopStatus": loop.status.shown,
                        "CreationTime": loop.created_at,
                        "FailureReason": loop.failure_reason,
                        "FlowDefinitionArn": arn,
                    }
                    for loop in loops
                ],
                "NextToken": token,
            }

    def stop_human_loop(self, params: dict[str, Any]) -> None:
        name = params["HumanLoopName"]
        with self._database.write() as session:
            loop = locked(session, _existing(session, name).id)
            if loop is None:
                raise _not_found(name)
            if loop.status in (ItemStatus.COMPLETED, ItemStatus.FAILED):
                raise _invalid(f"Human loop {name} is {loop.status}: only a loop in progress can be stopped")
            stop(session, loop, self._clock())
        self._wake()

    def delete_human_loop(self, params: dict[str, Any]) -> None:
        """The loop, its input and answers leave the database; what S3 has stays."""
        name = params["HumanLoopName"]
        with self._database.write() as session:
            loop = locked(session, _existing(session, name).id)
            if loop is None:
                raise _not_found(name)
            if not loop.status.is_terminal:
                raise _invalid(
                    f"Human loop {name} is {loop.status.shown}: stop it first; only Completed, Stopped and "
                    "Failed loops can be deleted"
                )
            session.execute(delete(WorkItem).where(WorkItem.id == loop.id))

    def _is_replay(self, name: str, flow_name: str, sha256: str) -> bool:
        """Whether the very same loop was started before. ``ConflictException`` when another one was."""
        with self._database.read() as session:
            loop = session.scalars(select(HumanLoop).where(HumanLoop.name == name)).one_or_none()
            if loop is None:
                return False
            flow = session.get_one(FlowDefinition, loop.queue_id)
        if loop.input_sha256 == sha256 and flow.name == flow_name:
            return True
        other = "flow definition" if flow.name != flow_name else "input"
        raise AwsError("ConflictException", f"Human loop {name} exists already with another {other}")

    def _insert(self, name: str, flow_name: str, content: str, sha256: str, before: set[str]) -> None:
        with self._database.write() as session:
            flow = live_flow(session, flow_name)
            if flow is None or flow.status is not FlowStatus.ACTIVE:
                state = "does not exist" if flow is None else f"is {flow.status}, not Active"
                raise _invalid(f"Flow definition {flow_name} {state}")
            # The column alone: a template may be long.
            template = select(HumanTaskUi.deleted_at).where(HumanTaskUi.id == flow.human_task_ui_id)
            if session.scalars(template).one() is not None:
                raise _invalid(f"Flow definition {flow_name} starts no more: its human task UI was deleted")
            # One statement decides and counts, so that the quota holds whoever starts at the same time.
            counted = session.scalars(
                update(FlowDefinition)
                .where(FlowDefinition.id == flow.id, FlowDefinition.in_flight < LOOPS_IN_FLIGHT)
                .values(in_flight=FlowDefinition.in_flight + 1)
                .returning(FlowDefinition.id)
                .execution_options(synchronize_session=False)
            ).one_or_none()
            if counted is None:
                raise AwsError(
                    "ServiceQuotaExceededException",
                    f"Flow definition {flow_name} has {LOOPS_IN_FLIGHT} loops in flight (InProgress or "
                    "Stopping): start more when some have ended",
                )
            now = self._clock()
            loop = HumanLoop(
                name=name,
                queue_id=flow.id,
                status=ItemStatus.IN_PROGRESS,
                vacancies=flow.workers_per_item,
                created_at=now,
                available_until=now + timedelta(seconds=flow.availability_seconds),
                input_sha256=sha256,
            )
            session.add(loop)
            session.flush()
            session.add(ItemInput(item_id=loop.id, content=content))
            session.add_all(EarlierAnswer(item_id=loop.id, worker_id=worker) for worker in before)

    def _image_buckets(self, value: Any) -> list[str]:
        try:
            return sorted(image_buckets(value))
        except ValueError as error:
            raise _invalid(f"HumanLoopInput.InputContent: {error}") from None

    def _flow_name(self, arn: str) -> str:
        name = self._arns.name_in(arn, "flow-definition")
        if name is None:
            raise _invalid(f"Flow definition {arn} does not exist in this account and Region")
        return name


def _answered_before(value: Any) -> set[str]:
    """The workers of ``answeredBefore``. It is anybody's input: what is no worker's id says nothing."""
    listed = value.get("answeredBefore") if isinstance(value, dict) else None
    return {item for item in listed if _is_worker_id(item)} if isinstance(listed, list) else set()


def _is_worker_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) is not None


def _existing(session: Session, name: str) -> HumanLoop:
    loop = session.scalars(select(HumanLoop).where(HumanLoop.name == name)).one_or_none()
    if loop is None:
        raise _not_found(name)
    return loop


def _not_found(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Could not find human loop {name}")


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
