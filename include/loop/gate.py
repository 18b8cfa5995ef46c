"""Whether a challenger becomes the champion.

Takes the metrics of both models on the same test sets, gives a verdict with its reasons. It fails closed: a
number that is missing or not finite never promotes. Knows storage only; ``decide`` is a pure function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.loop import storage
from include.loop.config import GateSettings
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Verdict:
    """``reasons`` is never empty."""

    promote: bool
    reasons: tuple[str, ...]


def judge(workspace: Workspace, training_job: str) -> dict[str, Any]:
    """Decide by ``evaluations/<job>/metrics.json``; the verdict is kept beside it."""
    metrics = workspace.storage.read_json(storage.evaluation_file(training_job, "metrics.json"))
    champion = metrics["champion"]["map50"] if metrics["champion"] else None
    verdict = decide(champion, metrics["challenger"]["map50"], workspace.pipeline.gate)
    location = storage.evaluation_file(training_job, "verdict.json")
    workspace.storage.write_json(
        location,
        {
            "promote": verdict.promote,
            "reasons": list(verdict.reasons),
            "map50": metrics["challenger"]["map50"],
            "champion": metrics["champion"]["training_job"] if metrics["champion"] else None,
        },
    )
    return {
        "training_job": training_job,
        "promote": verdict.promote,
        "reasons": list(verdict.reasons),
        "verdict_uri": workspace.storage.uri(location),
    }


def decide(
    champion: Mapping[str, float | None] | None,
    challenger: Mapping[str, float | None],
    settings: GateSettings,
) -> Verdict:
    """Compare mAP@0.5 by test set (None where it could not be measured).

    The first model is promoted when its numbers are finite. A challenger has to gain ``min_gain`` in the mean
    over the test sets, and may lose at most ``max_loss`` on any of them.
    """
    unusable = [
        f"{who} has no finite mAP@0.5 on {name}"
        for who, scores in (("challenger", challenger), ("champion", champion or {}))
        for name, value in sorted(scores.items())
        if value is None or not math.isfinite(value)
    ]
    if not challenger:
        unusable.append("challenger was measured on no test set")
    if champion is not None and champion.keys() != challenger.keys():
        unusable.append(f"test sets differ: {sorted(champion)} and {sorted(challenger)}")
    if unusable:
        return Verdict(False, tuple(unusable))
    after = {name: float(value or 0.0) for name, value in challenger.items()}
    if champion is None:
        shown = ", ".join(f"{name} {value:.3f}" for name, value in sorted(after.items()))
        return Verdict(True, (f"first model: {shown}",))
    before = {name: float(value or 0.0) for name, value in champion.items()}
    return _compare(before, after, settings)


def _compare(before: dict[str, float], after: dict[str, float], settings: GateSettings) -> Verdict:
    reasons = []
    gain = sum(after[name] - before[name] for name in after) / len(after)
    # Differences of floats: 0.80 - 0.76 is a hair more than 0.04.
    enough = gain >= settings.min_gain - 1e-9
    if not enough:
        reasons.append(f"mean gain {gain:+.3f} is below {settings.min_gain:g}")
    losses = [name for name in sorted(after) if before[name] - after[name] > settings.max_loss + 1e-9]
    reasons += [
        f"{name} fell from {before[name]:.3f} to {after[name]:.3f}, more than {settings.max_loss:g}"
        for name in losses
    ]
    if reasons:
        return Verdict(False, tuple(reasons))
    shown = (f"{name} {before[name]:.3f} to {after[name]:.3f}" for name in sorted(after))
    return Verdict(True, (f"mean gain {gain:+.3f}: {', '.join(shown)}",))
