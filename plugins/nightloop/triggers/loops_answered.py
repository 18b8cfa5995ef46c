"""The wait for a batch's human loops: one trigger, and one paged listing per interval, for all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.loop.nightly.human_loops import PAGE_SIZE, LoopCounts, Watch, count_page
from nightloop.triggers.polling import PollingTrigger


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
