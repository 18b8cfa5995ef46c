"""Human loops: their statuses, and how far a batch has come, counted by pages.

Takes the summaries of ListHumanLoops; gives counts. One listing of the flow definition answers for a whole
batch (100 loops a call), because its loops share a name prefix: nothing is described one by one while
waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from include.loop.core.identity import is_loop_of, loop_prefix
from include.loop.core.records.nightly import LabelSummary, RefusedQuestions, Started
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_a2i_runtime import AugmentedAIRuntimeClient

log = logging.getLogger(__name__)

PAGE_SIZE = 100  # the most ListHumanLoops gives
# Our clock says when asking began, the server's stamps the loops: leave room for their difference.
CLOCK_SLACK = timedelta(minutes=15)


class HumanLoopStatus(StrEnum):
    """HumanLoopStatus of the A2I a2i model, and the two states its guide names for a deletion."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    DELETING = "Deleting"
    DELETED = "Deleted"
    UNKNOWN = "Unknown"

    @classmethod
    def _missing_(cls, value: object) -> HumanLoopStatus:
        # The service may grow a state: waiting on is safe, and the deadline still ends the wait.
        _warn_once(str(value))
        return cls.UNKNOWN

    @property
    def is_open(self) -> bool:
        """People may still answer: a stopping loop's open task can be submitted until its time limit."""
        return self in OPEN

    @property
    def has_answers(self) -> bool:
        return self is HumanLoopStatus.COMPLETED


OPEN = frozenset({HumanLoopStatus.IN_PROGRESS, HumanLoopStatus.STOPPING, HumanLoopStatus.UNKNOWN})


@dataclass(frozen=True)
class LoopCounts:
    """How many loops of a batch are in which group, and since when the oldest open one waits."""

    open: int = 0
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    oldest_open: datetime | None = None

    def __add__(self, other: LoopCounts) -> LoopCounts:
        return LoopCounts(
            self.open + other.open,
            self.completed + other.completed,
            self.failed + other.failed,
            self.stopped + other.stopped,
            min((time for time in (self.oldest_open, other.oldest_open) if time), default=None),
        )

    def settled(self, expected: int) -> bool:
        """Whether every loop that was started has come to an end."""
        return self.completed + self.failed + self.stopped >= expected

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; the time in ISO 8601."""
        return asdict(self) | {"oldest_open": self.oldest_open.isoformat() if self.oldest_open else None}


@dataclass(frozen=True)
class Watch:
    """All that is needed to wait for a batch; times in ISO 8601. ``expected`` 0: nothing to wait for."""

    flow_definition_arn: str
    name_prefix: str
    expected: int
    created_after: str
    deadline: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Watch:
        return cls(**value)

    def list_arguments(self) -> dict[str, Any]:
        """Arguments of ListHumanLoops (or of its paginator) for this batch."""
        return list_arguments(self.flow_definition_arn, datetime.fromisoformat(self.created_after))


def watch(workspace: Workspace, batch: str) -> Watch:
    """What to wait for in a batch whose loops were started; nothing, once its labels are committed."""
    started = Started.read(workspace.storage, batch)
    committed = workspace.storage.exists(LabelSummary.location(batch))
    refused = RefusedQuestions.find(workspace.storage, batch)
    return Watch(
        flow_definition_arn=started.flow_definition_arn,
        name_prefix=loop_prefix(workspace.pipeline.name, batch),
        expected=0 if committed else started.asked - len(refused.reasons if refused else ()),
        created_after=started.created_after,
        deadline=started.deadline,
    )


def count_page(watch: Watch, summaries: Iterable[dict[str, Any]]) -> LoopCounts:
    """The counts of one page; loops of other batches are left out."""
    counts = LoopCounts()
    for item in summaries:
        if is_loop_of(watch.name_prefix, item["HumanLoopName"]):
            counts += _count_one(HumanLoopStatus(item["HumanLoopStatus"]), item["CreationTime"])
    return counts


def list_loops(
    a2i: AugmentedAIRuntimeClient, flow_definition_arn: str, created_after: datetime
) -> Iterator[tuple[str, HumanLoopStatus]]:
    """Name and status of every loop of a flow definition since a time, by pages of 100."""
    for page in _pages(a2i, list_arguments(flow_definition_arn, created_after)):
        for item in page["HumanLoopSummaries"]:
            yield item["HumanLoopName"], HumanLoopStatus(item["HumanLoopStatus"])


def list_arguments(flow_definition_arn: str, created_after: datetime) -> dict[str, Any]:
    return {
        "FlowDefinitionArn": flow_definition_arn,
        "CreationTimeAfter": created_after,
        "SortOrder": "Ascending",  # new loops appear behind the pages already read, never between them
    }


def _count_one(status: HumanLoopStatus, created: datetime) -> LoopCounts:
    if status.is_open:
        return LoopCounts(open=1, oldest_open=created)
    if status is HumanLoopStatus.COMPLETED:
        return LoopCounts(completed=1)
    return LoopCounts(failed=1) if status is HumanLoopStatus.FAILED else LoopCounts(stopped=1)


@cache
def _warn_once(status: str) -> None:
    log.warning("human loop status %r is not known; such loops are taken as open", status)


def _pages(a2i: AugmentedAIRuntimeClient, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    paginator = a2i.get_paginator("list_human_loops")
    return iter(paginator.paginate(**arguments, PaginationConfig={"PageSize": PAGE_SIZE}))
