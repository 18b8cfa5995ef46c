"""Whether a challenger may become the champion.

Takes the metrics of both models on the same images, gives a verdict: every rule with its numbers, its outcome
and a line of text. It fails closed: what is missing, not finite or unreadable never promotes. ``decide`` is
a pure function; ``judge`` reads the metrics, keeps the verdict, and puts on record what was tried. Knows
rules, storage and trial_records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from include.loop.config import GateSettings
from include.loop.core import layout, storage
from include.loop.core.storage import parse
from include.loop.evaluation import rules
from include.loop.evaluation.metrics_file import Metrics, Slice, finite_or_none, shown
from include.loop.evaluation.rules import Rule
from include.loop.trials.past import keep_trial, warnings
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Verdict:
    """``reasons`` is never empty: the texts of the rules that failed, or one line why it passes."""

    promote: bool
    reasons: tuple[str, ...]
    rules: tuple[Rule, ...]


def judge(workspace: Workspace, training_job: str) -> dict[str, Any]:
    """Decide by ``evaluations/<job>/metrics.json``; the verdict is kept beside it, once, and so is what it
    says about the new nights. ``warnings`` are for the owner: nights that are held back, and what now.

    Without metrics the verdict is no; it is judged anew when they are there.
    """
    location = layout.verdict_file(training_job)
    found = workspace.storage.find(layout.metrics_file(training_job))
    digest = hashlib.sha256(found[0]).hexdigest() if found else None
    kept, etag = workspace.storage.find_version(location)
    if kept is None or (digest and kept["metrics_sha256"] is None):
        metrics = _readable(found[0]) if found else None
        verdict = decide(metrics, workspace.pipeline.gate)
        kept = _record(training_job, metrics, verdict) | {"metrics_sha256": digest}
        workspace.storage.replace(location, storage.dump(kept), etag)
    trial = keep_trial(workspace, training_job, kept)  # also after a try that died between the two writes
    return {
        "training_job": training_job,
        "promote": kept["promote"],
        "reasons": kept["reasons"],
        "outcome": str(trial.outcome) if trial else None,
        "warnings": warnings(workspace, trial) if trial else [],
        "verdict_uri": workspace.storage.uri(location),
    }


def decide(metrics: Mapping[str, Any] | None, settings: GateSettings) -> Verdict:
    """Judge the content of metrics.json (None: there is none); rules.py says what each rule wants."""
    if metrics is None:
        return _closed("there are no metrics: the evaluation has not ended well. Run it again, then the gate")
    try:
        read = Metrics.model_validate(metrics)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _closed(f"metrics.json cannot be judged: {place}: {first['msg'].lower()}")
    first_model = read.champion is None
    judged = {
        name: item for name, item in read.slices.items() if first_model or item.images >= settings.min_images
    }
    outcomes = [
        *rules.too_small(read, judged, settings),
        *rules.measured(read, judged),
        *rules.support(judged, settings),
        *rules.floors(judged, settings),
    ]
    if not first_model:  # whatever a first model is like, there is nothing better
        outcomes += [
            *rules.gain(read, judged, settings),
            *rules.losses(judged, settings),
            *rules.learned(read, settings),
            *rules.calibration(judged, settings),
            *rules.latency(read, settings),
        ]
    failed = tuple(rule.text for rule in outcomes if rule.judged and not rule.passed)
    return Verdict(not failed, failed or (_why(outcomes, judged, first_model),), tuple(outcomes))


def _why(outcomes: list[Rule], judged: Mapping[str, Slice], first_model: bool) -> str:
    if first_model:
        numbers = (f"{name} {shown(item.challenger.map50)}" for name, item in sorted(judged.items()))
        return f"first model: {', '.join(numbers)}"
    return next(rule.text for rule in outcomes if rule.rule == "gain")


def _closed(text: str) -> Verdict:
    return Verdict(False, (text,), (Rule("evaluation", None, None, None, False, text),))


def _readable(body: bytes) -> Mapping[str, Any]:
    try:
        value = parse(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _record(training_job: str, metrics: Mapping[str, Any] | None, verdict: Verdict) -> dict[str, Any]:
    slices = (metrics or {}).get("slices")
    champion = (metrics or {}).get("champion")
    return {
        "training_job": training_job,
        "champion": champion,
        "promote": verdict.promote,
        "rules": [rule.to_dict() for rule in verdict.rules],
        "reasons": list(verdict.reasons),
        "map50": _map50(slices, "challenger"),
        "before": _map50(slices, "champion") if champion else None,
    }


def _map50(slices: Any, who: str) -> dict[str, float | None]:
    found = {}
    for name, item in slices.items() if isinstance(slices, dict) else ():
        scores = item.get(who) if isinstance(item, dict) else None
        value = scores.get("map50") if isinstance(scores, dict) else None
        found[name] = finite_or_none(value)
    return found
