"""The wait for a batch's human loops: one trigger, and one paged listing per interval, for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import TriggerEvent

from include.loop.core.identity import is_loop_of
from include.loop.nightly.human_loops import PAGE_SIZE, LoopCounts, Watch, count_page
from nightloop.triggers.loop_events import Subscription, ends_of_loops
from nightloop.triggers.polling import PollingTrigger, jittered

# With a queue of events: looked at without an event as well, since one may be lost.
LONGEST_SILENCE = 900.0


class HumanLoopsTrigger(PollingTrigger):
    """Waits until people have answered a batch's human loops, or until the batch's deadline.

    One trigger per batch: it pages ListHumanLoops (100 per call) and never describes a single loop. Ends
    with counts. Killing the task leaves the loops open on purpose: people's answers are worth more than
    the task that waited for them.

    :param watch: a `include.loop.nightly.human_loops.Watch` as a dict.
    :param events_queue: URL of an SQS queue that is told of the ends of loops. With it nothing is listed
        while nothing happens; without, or while it cannot be read, at every interval.
    :param queue_conn_id: the connection for that queue.
    """

    slowest = 5.0

    def __init__(
        self,
        *,
        watch: dict[str, Any],
        events_queue: str | None = None,
        queue_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.watch = Watch.from_dict(watch)
        self.events_queue = events_queue
        self.queue_conn_id = queue_conn_id or self.aws_conn_id
        self._subscription: Subscription | None = None
        self.counts = LoopCounts()
        self._told: LoopCounts | None = None

    def watched(self) -> dict[str, Any]:
        return {
            "watch": self.watch.to_dict(),
            "events_queue": self.events_queue,
            "queue_conn_id": self.queue_conn_id,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.events_queue is None:
            async for event in super().run():
                yield event
            return
        # Before the first look: what ends after it is told.
        async with ends_of_loops(
            self.events_queue, self._is_mine, self._connect_to_queue
        ) as self._subscription:
            async for event in super().run():
                yield event

    async def rest(self, seconds: float) -> None:
        if self._subscription is None or self._subscription.is_failing:
            await super().rest(seconds)
            return
        # Not more often than without a queue, when many answer at once.
        await super().rest(min(jittered(self.interval), self.seconds_left()))
        await self._subscription.listen(min(LONGEST_SILENCE, max(0.0, self.seconds_left())))

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

    def _is_mine(self, loop: str) -> bool:
        return is_loop_of(self.watch.name_prefix, loop)

    async def _connect_to_queue(self) -> Any:
        from nightloop.hooks.loop_aws import LoopAwsHook

        hook = LoopAwsHook(self.queue_conn_id, client_type="sqs", region_name=self.region_name)
        return await hook.get_async_conn()

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
