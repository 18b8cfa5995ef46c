"""What is left of people's time for a night's questions.

Takes ``triage.budget``, gives the seconds that a batch's questions may take together (None: no limit). A
month is that in which people are asked, so that a backfill over last year's images is paid for now.
"""

from __future__ import annotations

from datetime import datetime

from include.loop.core import layout
from include.loop.core.records.nightly import LabelSummary, Started
from include.loop.core.records.triage import frame_of, read_looked_at
from include.loop.core.storage import Storage
from include.loop.core.times import now
from include.loop.workspace import Workspace


def find_budget(workspace: Workspace, batch: str) -> float | None:
    """The seconds that the questions of this batch may take; 0 when the month's are spent."""
    budget, dollars_per_hour = workspace.pipeline.triage.budget, workspace.pipeline.review.dollars_per_hour

    def seconds(time: float | None, dollars: float | None) -> float | None:
        both = [time, dollars and dollars * 3600 / dollars_per_hour]
        return min((one for one in both if one is not None), default=None)

    night = seconds(budget.seconds, budget.dollars)
    month = seconds(budget.month_seconds, budget.month_dollars)
    if month is not None:
        month = max(0.0, month - _spent(workspace.storage, batch))
    return min((one for one in (night, month) if one is not None), default=None)


def _spent(storage: Storage, batch: str) -> float:
    """Seconds of this month's other batches: what their answers took, or are expected to."""
    today, total = now(), 0.0
    asked = [layout.folder_of(item.uri) for item in storage.list(layout.RUNS) if layout.is_started(item.uri)]
    for folder in asked:
        other = folder.removeprefix(layout.BATCH_FOLDER)
        at = datetime.fromisoformat(Started.read(storage, other).started_at)
        if other == batch or (at.year, at.month) != (today.year, today.month):
            continue
        done = LabelSummary.find(storage, other)
        total += done.reviewer_seconds if done else _expected(storage, other)
    return total


def _expected(storage: Storage, batch: str) -> float:
    return float(frame_of(read_looked_at(storage, batch))["expected_seconds"].sum())
