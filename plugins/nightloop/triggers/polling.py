"""Waiting without a worker slot: what the triggers for human loops, jobs and decisions have in common.

They ask an AWS service by aiobotocore at a jittered interval until there is an answer or the deadline has
passed, which they carry themselves: Airflow does not enforce `execution_timeout` while a task is
deferred, and a deferral that times out ends the task without its partial result. A trigger may run twice
(after a restart of the triggerer), so `run` only reads.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

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
                    await self.rest(min(jittered(pause), self.seconds_left()))
        except (BotoCoreError, ClientError) as error:
            yield TriggerEvent({"ending": str(Ending.ERROR), "message": str(error), **self.result()})

    async def rest(self, seconds: float) -> None:
        """Between two looks."""
        await asyncio.sleep(seconds)

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


def jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- apart, not secret


def is_passing(error: Exception) -> bool:
    """Whether asking again can help: no connection, throttled, or the service's own fault."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error.response["Error"]["Code"] == "ThrottlingException"
    return isinstance(error, ConnectionError | HTTPClientError)
