"""The demo's `summary.json`: what three nights have brought, made of what lies in the bucket.

`NightFacts` holds what was read after one night; `summarise` turns the nights into one dict: a row per night
in `nights`, and at its top the sums, with mAP from before the first night to after the last. Pure functions;
reads nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LIGHTS = ("day", "night")
_COUNTS = ("images", "reviewed", "answers", "labels", "quarantined")


@dataclass(frozen=True)
class NightFacts:
    """One night: its review, the training it rang for, and who was champion before and after.

    `before` and `after` are champion.json; `verdict` is the gate's on this night's challenger, None when no
    challenger came to it. `loops` counts human loops: started, completed, failed, duplicates.
    """

    batch_date: str
    images: int
    labels: dict[str, Any]
    loops: dict[str, int]
    reviewer_seconds: float
    before: dict[str, Any]
    after: dict[str, Any]
    training_job: str | None
    verdict: dict[str, Any] | None

    @property
    def promoted(self) -> bool:
        return self.after["number"] > self.before["number"]


def summarise(seed: int, nights: Sequence[NightFacts]) -> dict[str, Any]:
    """The whole summary but for `seconds`, `jobs` and `endpoint`, which belong to no night."""
    rows = [_row(night) for night in nights]
    loops: Counter[str] = Counter()
    for night in nights:
        loops.update(night.loops)
    first, last = nights[0], nights[-1]
    return {
        "seed": seed,
        "batch_date": first.batch_date,
        **{name: sum(row[name] for row in rows) for name in _COUNTS},
        "human_loops": {name: loops[name] for name in first.loops},
        "map50": _map50(first.before, last.after),
        "promoted": last.after["number"] > first.before["number"],
        "champion": last.after["training_job"],
        "reviewer_seconds": round(sum(night.reviewer_seconds for night in nights), 1),
        "nights": rows,
    }


def verdict_in_words(night: NightFacts) -> str:
    """What became of the night's challenger and why; empty when the gate was never asked."""
    if night.verdict is None:
        return ""
    reasons = "; ".join(night.verdict["reasons"])
    if night.promoted:
        return f"promoted: {reasons}"
    if night.verdict["promote"]:
        return f"passed the gate, not promoted: {reasons}"
    return f"not promoted: {reasons}"


def _row(night: NightFacts) -> dict[str, Any]:
    return {
        "batch_date": night.batch_date,
        "images": night.images,
        "reviewed": night.labels["asked"],
        "answers": night.labels["answers"],
        "labels": night.labels["labels"],
        "quarantined": night.labels["quarantined"],
        "map50": _map50(night.before, night.after),
        "verdict": verdict_in_words(night),
        "promoted": night.promoted,
        "training_job": night.training_job,
        "reviewer_seconds": night.reviewer_seconds,
    }


def _map50(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        light: {
            "before": round(before["metrics"][light], 4),
            "after": round(after["metrics"][light], 4),
        }
        for light in LIGHTS
    }
