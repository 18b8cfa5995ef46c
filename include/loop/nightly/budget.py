"""What is left of people's time for a night's questions.

Takes ``triage.budget``, gives the seconds that a batch's questions may take together (None: no limit). A
month is that in which people are asked, so that a backfill over last year's images is paid for now.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from include.loop.core import layout
from include.loop.core.records.nightly import Question, Started
from include.loop.core.records.triage import read_looked_at
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, Storage, in_parallel
from include.loop.core.times import now
from include.loop.trials.shards import committed_shards
from include.loop.workspace import Workspace


def find_budget(workspace: Workspace, batch: str) -> float | None:
    """The seconds that the questions of this batch may take; 0 when the month's are spent."""
    budget = workspace.pipeline.triage.budget
    night, month = of_a_night(workspace), _least(workspace, budget.month_seconds, budget.month_dollars)
    if month is not None:
        month = max(0.0, month - _spent(workspace.storage, batch))
    return min((one for one in (night, month) if one is not None), default=None)


def of_a_night(workspace: Workspace) -> float | None:
    """The seconds of a night's questions, whatever the month has left."""
    budget = workspace.pipeline.triage.budget
    return _least(workspace, budget.seconds, budget.dollars)


def _least(workspace: Workspace, seconds: float | None, dollars: float | None) -> float | None:
    both = [seconds, dollars and dollars * 3600 / workspace.pipeline.review.dollars_per_hour]
    return min((one for one in both if one is not None), default=None)


def _spent(storage: Storage, batch: str) -> float:
    """Seconds of this month's other batches: what their answers took, or are expected to."""
    today, total = now(), 0.0
    committed = dict(committed_shards(storage))
    taken = {late for summary in committed.values() for late in summary.late_loops}
    # By folder: below them lies an output for every image that was ever predicted.
    others = [name for name in layout.batch_folders(storage.list_folders(layout.RUNS)) if name != batch]
    found = in_parallel(lambda name: Started.find(storage, name), others, THREADS_OF_SMALL_REQUESTS)
    for other, started in zip(others, found, strict=True):
        if started is None:
            continue
        at = datetime.fromisoformat(started.started_at)
        if (at.year, at.month) != (today.year, today.month):
            continue
        if other not in committed:
            total += _expected(storage, other)
            continue
        # People may still answer what was open at the batch's deadline.
        left = {loop for loop in committed[other].open_loops if (other, loop) not in taken}
        total += committed[other].reviewer_seconds + (_expected(storage, other, left) if left else 0.0)
    return total


def _expected(storage: Storage, batch: str, loops: Container[str] | None = None) -> float:
    """Of all that a batch asks, or of some of its loops."""
    rows = read_looked_at(storage, batch)
    if loops is not None:
        images = {one.image for one in Question.read_all(storage, batch) if one.loop in loops}
        rows = [row for row in rows if row.image in images]
    return sum(row.expected_seconds for row in rows)
