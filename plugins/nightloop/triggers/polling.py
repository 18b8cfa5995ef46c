"""Waiting without a worker slot: one trigger for a batch's human loops, one for SageMaker jobs.

Both ask an AWS service by aiobotocore at a jittered interval until there is an answer or the deadline has
passed, which they carry themselves: Airflow does not enforce `execution_timeout` while a task is
deferred, and a deferral that times out ends the task without its partial result. A trigger may run twice
(after a restart of the triggerer), so `run` only reads.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.loop.aws.jobs import Pending, ResourceKind, has_ended, is_missing
from include.loop.nightly.human_loops import PAGE_SIZE, LoopCounts, Watch, count_page

GONE = "Deleted"  # status of an endpoint that is not there any more
JITTER = 0.2  # ten batches that start together shall not ask together for ever


class Ending(StrEnum):
    """How a wait ended."""

    DONE = "done"
    DEADLINE = "deadline"
    ERROR = "error"


class PollingTrigger(BaseTrigger):
    """Looks, waits a jittered interval, looks again; ends with exactly one event `{"ending": …, …}`.

    A service that is away for a moment (restart, throttling, 5xx) is asked again until the deadline; any
    other error of AWS ends the wait with its message, and the task decides.

    :param interval: seconds between two looks; grows to `slowest` times as much while nothing changes.
    """

    slowest = 1.0

    def __init__(self, *, interval: float, aws_conn_id: str, region_name: str | None = None) -> None:
        super().__init__()
        self.interval = interval
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "interval": self.interval,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            **self.watched(),
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from botocore.exceptions import BotoCoreError, ClientError

        pause, seen = self.interval, None
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(await self.hook().get_async_conn())
                while True:
                    try:
                        done = await self.look(client)
                    except (BotoCoreError, ClientError) as error:
                        if not is_passing(error):
                            raise
                        self.log.warning("No answer, asking again: %s", error)
                        done = False
                    if done or self.is_late():
                        ending = Ending.DONE if done else Ending.DEADLINE
                        yield TriggerEvent({"ending": str(ending), **self.result()})
                        return
                    changed, seen = self.result() != seen, self.result()
                    pause = self.interval if changed else min(pause * 1.5, self.interval * self.slowest)
                    await asyncio.sleep(min(jittered(pause), self.seconds_left()))
        except (BotoCoreError, ClientError) as error:
            yield TriggerEvent({"ending": str(Ending.ERROR), "message": str(error), **self.result()})

    def is_late(self) -> bool:
        return self.seconds_left() <= 0

    def seconds_left(self) -> float:
        deadline = self.deadline()
        return (deadline - datetime.now(UTC)).total_seconds() if deadline else float("inf")

    @abstractmethod
    def watched(self) -> dict[str, Any]:
        """The keyword arguments of the subclass, JSON-able."""

    @abstractmethod
    def hook(self) -> Any:
        """The hook whose `get_async_conn` gives the client."""

    @abstractmethod
    async def look(self, client: Any) -> bool:
        """Ask once, log what changed; True when there is nothing more to wait for. Reads only."""

    @abstractmethod
    def result(self) -> dict[str, Any]:
        """What is known so far: small and JSON-able, it goes into the event."""

    @abstractmethod
    def deadline(self) -> datetime | None:
        """The moment at which waiting ends; None while it is not known."""


class HumanLoopsTrigger(PollingTrigger):
    """Waits until people have answered a batch's human loops, or until the batch's deadline.

    One trigger per batch: it pages ListHumanLoops (100 per call) and never describes a single loop. Ends
    with counts. Killing the task leaves the loops open on purpose: people's answers are worth more than
    the task that waited for them.

    :param watch: a `include.loop.nightly.human_loops.Watch` as a dict.
    """

    slowest = 5.0

    def __init__(self, *, watch: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watch = Watch.from_dict(watch)
        self.counts = LoopCounts()
        self._told: LoopCounts | None = None

    def watched(self) -> dict[str, Any]:
        return {"watch": self.watch.to_dict()}

    def hook(self) -> Any:
        from nightloop.hooks.loop_aws import AugmentedAIHook

        return AugmentedAIHook(self.aws_conn_id, region_name=self.region_name)

    async def look(self, client: Any) -> bool:
        counts = LoopCounts()
        pages = client.get_paginator("list_human_loops").paginate(
            **self.watch.list_arguments(), PaginationConfig={"PageSize": PAGE_SIZE}
        )
        async for page in pages:
            counts += count_page(self.watch, page["HumanLoopSummaries"])
        self.counts = counts
        if counts != self._told:
            self._told = counts
            self.log.info("%s", progress(self.watch, counts))
        return counts.settled(self.watch.expected)

    def result(self) -> dict[str, Any]:
        return {"counts": self.counts.to_dict()}

    def deadline(self) -> datetime | None:
        return datetime.fromisoformat(self.watch.deadline)


def progress(watch: Watch, counts: LoopCounts) -> str:
    """One line for the log: how many are answered, what else happened, the oldest one that is open."""
    parts = [f"{counts.completed} of {watch.expected} answered"]
    if counts.failed or counts.stopped:
        parts.append(f"{counts.failed} failed, {counts.stopped} stopped")
    if counts.oldest_open:
        since = counts.oldest_open.astimezone(UTC)
        parts.append(f"{counts.open} open, the oldest since {since:%Y-%m-%d %H:%M:%S} UTC")
    return "; ".join([*parts, f"deadline {watch.deadline}"])


class SageMakerJobsTrigger(PollingTrigger):
    """Waits until each of a few SageMaker jobs has ended, by one Describe per running job and interval; or
    until an endpoint's change has, or its deletion.

    Logs what SageMaker says while the jobs run. Ends with each job's status: the task reads the outcome
    itself. When a user clears or marks the waiting task, `on_kill` stops the jobs, so that nothing runs
    on unwatched and billed. An endpoint's change cannot be stopped, and goes on.

    :param running: a `include.loop.aws.jobs.Pending` as a dict.
    :param seconds: the longest a job may take, counted from its own CreationTime (an endpoint's change: from
        the time it was last modified): a retry that attaches to a job does not start the clock again.
    """

    def __init__(self, *, running: dict[str, Any], seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.running = Pending.from_dict(running)
        self.seconds = seconds
        self.statuses: dict[str, str] = {}
        self._ended: set[str] = set()
        self._began: dict[str, datetime] = {}
        self._told: dict[str, int] = {}

    def watched(self) -> dict[str, Any]:
        return {"running": self.running.to_dict(), "seconds": self.seconds}

    def hook(self) -> Any:
        from nightloop.hooks.loop_aws import LoopAwsHook

        return LoopAwsHook(self.aws_conn_id, client_type="sagemaker", region_name=self.region_name)

    async def look(self, client: Any) -> bool:
        kind = self.running.kind
        for name in self._waiting():
            job = await self._describe(client, name)
            if job is None:
                self.statuses[name] = GONE
                self._ended.add(name)
                continue
            # An endpoint is older than its change; one that changes was modified when the change began.
            began = "LastModifiedTime" if kind is ResourceKind.ENDPOINT else "CreationTime"
            self._began.setdefault(name, job[began])
            self._tell(name, job)
            self.statuses[name] = job[kind.status_field]
            if has_ended(kind, job):
                self._ended.add(name)
        return not self._waiting()

    async def _describe(self, client: Any, name: str) -> dict[str, Any] | None:
        """What is there by this name; None for an endpoint that is deleted by now."""
        from botocore.exceptions import ClientError

        kind = self.running.kind
        try:
            return dict(await operation(client, kind.describe_operation, kind, name))
        except ClientError as error:
            if kind is ResourceKind.ENDPOINT and is_missing(error):
                return None
            raise

    async def on_kill(self) -> None:
        from botocore.exceptions import ClientError

        kind = self.running.kind
        if kind is ResourceKind.ENDPOINT:
            self.log.warning("%s goes on changing: that cannot be stopped.", ", ".join(self._waiting()))
            return
        async with await self.hook().get_async_conn() as client:
            for name in self._waiting():
                try:
                    await operation(client, kind.stop_operation, kind, name)
                    self.log.warning("Stopping %s, because the task was cleared or marked.", name)
                except ClientError as error:  # it ended a moment ago
                    self.log.info("%s was not stopped: %s", name, error)

    def result(self) -> dict[str, Any]:
        return {"running": self.running.to_dict(), "statuses": dict(self.statuses)}

    def deadline(self) -> datetime | None:
        waiting = [self._began[name] for name in self._waiting() if name in self._began]
        return min(waiting) + timedelta(seconds=self.seconds) if waiting else None

    def _waiting(self) -> list[str]:
        return [name for name in self.running.names if name not in self._ended]

    def _tell(self, name: str, job: dict[str, Any]) -> None:
        """Log each secondary status once, with its message; transform jobs have none, so log their status."""
        steps = job.get("SecondaryStatusTransitions", [])
        for step in steps[self._told.get(name, 0) :]:
            self.log.info("%s: %s: %s", name, step["Status"], step.get("StatusMessage", ""))
        self._told[name] = len(steps)
        status = job[self.running.kind.status_field]
        if status != self.statuses.get(name) and ("FailureReason" in job or not steps):
            self.log.info("%s: %s %s", name, status, job.get("FailureReason", ""))


def operation(client: Any, name: str, kind: ResourceKind, job: str) -> Any:
    """Call an operation that takes a job's name and nothing else."""
    call: Callable[..., Any] = getattr(client, name)
    return call(**{kind.name_field: job})


def jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- apart, not secret


def is_passing(error: Exception) -> bool:
    """Whether asking again can help: no connection, throttled, or the service's own fault."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response["Error"]["Code"] == "ThrottlingException"
    return isinstance(error, ConnectionError | HTTPClientError)
