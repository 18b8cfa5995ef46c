"""The demo's `summary.json`: what three batches have brought, made of what lies in the bucket.

`BatchFacts` holds what was read after one batch; `summarise` turns them into one dict: a row for each in
`batches`, and at its top the sums, with the score from before the first to after the last. Pure functions;
reads nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.demo.batch import Plan
from include.demo.domains import Domains

_COUNTS = ("images", "reviewed", "answers", "labels", "quarantined")


@dataclass(frozen=True)
class BatchFacts:
    """One batch: its review, the training it started, and who was champion before and after.

    `before` and `after` are champion.json; `verdict` is the gate's on this batch's challenger, None when no
    challenger came to it. `loops` counts human loops: started, completed, failed, duplicates.
    """

    batch_date: str
    images: int
    labels: dict[str, Any]
    loops: dict[str, int]
    planned: Plan
    reviewer_seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    training_job: str | None
    verdict: dict[str, Any] | None

    @property
    def promoted(self) -> bool:
        return self.after["number"] > self.before["number"]


def summarise(seed: int, batches: Sequence[BatchFacts], domains: Domains) -> dict[str, Any]:
    """The whole summary but for `seconds`, `jobs` and `endpoint`, which belong to no batch."""
    rows = [_row(batch, domains) for batch in batches]
    loops: Counter[str] = Counter()
    for batch in batches:
        loops.update(batch.loops)
    first, last = batches[0], batches[-1]
    return {
        "seed": seed,
        "batch_date": first.batch_date,
        **{name: sum(row[name] for row in rows) for name in _COUNTS},
        "human_loops": {name: loops[name] for name in first.loops},
        "metric": last.after["metric"],
        "score": _score(first.before, last.after, domains),
        "promoted": last.after["number"] > first.before["number"],
        "champion": last.after["training_job"],
        "planned_seconds": round(sum(batch.planned.seconds for batch in batches), 1),
        "reviewer_seconds": round(sum(batch.reviewer_seconds for batch in batches), 1),
        "batches": rows,
    }


def verdict_in_words(batch: BatchFacts) -> str:
    """What became of the batch's challenger and why; empty when the gate was never asked."""
    if batch.verdict is None:
        return ""
    reasons = "; ".join(batch.verdict["reasons"])
    if batch.promoted:
        return f"promoted: {reasons}"
    if batch.verdict["promote"]:
        return f"passed the gate, not promoted: {reasons}"
    return f"not promoted: {reasons}"


def _row(batch: BatchFacts, domains: Domains) -> dict[str, Any]:
    return {
        "batch_date": batch.batch_date,
        "images": batch.images,
        "reviewed": batch.labels["asked"],
        "answers": batch.labels["answers"],
        "labels": batch.labels["labels"],
        "quarantined": batch.labels["quarantined"],
        "score": _score(batch.before, batch.after, domains),
        "verdict": verdict_in_words(batch),
        "promoted": batch.promoted,
        "training_job": batch.training_job,
        "audits": batch.planned.audits,
        "asked_again": batch.planned.again,
        "planned_seconds": batch.planned.seconds,
        "reviewer_seconds": batch.reviewer_seconds,
    }


def _score(before: dict[str, Any], after: dict[str, Any], domains: Domains) -> dict[str, dict[str, float]]:
    return {
        domain.test_set: {
            "before": round(before["score"][domain.test_set], 4),
            "after": round(after["score"][domain.test_set], 4),
        }
        for domain in domains.both
    }
