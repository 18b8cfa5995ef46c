"""Whether a challenger may become the champion.

Takes the metrics of both models on the same images, gives a verdict: every rule with its numbers, its outcome
and a line of text. It fails closed: what is missing, not finite or unreadable never promotes. ``decide`` is
a pure function; ``judge`` reads the metrics, keeps the verdict, and puts on record what was tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from include.loop.config import GateSettings
from include.loop.core.errors import BadRecord
from include.loop.core.records.metrics import Metrics, SliceMetrics
from include.loop.core.records.verdict import JudgedRule, Verdict
from include.loop.evaluation import rules
from include.loop.tasks.protocol import AnyTask
from include.loop.trials.past import keep_trial, warnings
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class GateResult:
    """``outcome`` is what the verdict says about the new batches, None for a first model; ``warnings`` are
    for the owner: batches that are held back, and what now.
    """

    training_job: str
    promote: bool
    reasons: list[str]
    outcome: str | None
    warnings: list[str]
    verdict_uri: str


def judge(workspace: Workspace, training_job: str) -> GateResult:
    """Decide by ``evaluations/<job>/metrics.json``; the verdict is kept beside it, once, and so is what it
    says about the new batches.

    Without metrics the verdict is no; it is judged anew when they are there.
    """
    storage = workspace.storage
    found = storage.find(Metrics.location(training_job))
    digest = hashlib.sha256(found[0]).hexdigest() if found else None
    kept, etag = Verdict.find_version(storage, training_job)
    if kept is None or (digest and kept.metrics_sha256 is None):
        verdict = decide_by(workspace.task, found and found[0], workspace.pipeline.gate)
        kept = verdict.model_copy(update={"training_job": training_job, "metrics_sha256": digest})
        kept.replace(storage, etag, training_job)
    trial = keep_trial(workspace, training_job, kept)  # also after a try that died between the two writes
    return GateResult(
        training_job=training_job,
        promote=kept.promote,
        reasons=list(kept.reasons),
        outcome=str(trial.outcome) if trial else None,
        warnings=warnings(workspace, trial) if trial else [],
        verdict_uri=storage.uri(Verdict.location(training_job)),
    )


def decide_by(task: AnyTask, body: bytes | None, settings: GateSettings) -> Verdict:
    """Judge the bytes of metrics.json; None: there are none."""
    if body is None:
        return _closed("there are no metrics: the evaluation has not ended well. Run it again, then the gate")
    try:
        metrics = Metrics.from_json(body)
    except BadRecord as error:
        return _closed(f"metrics.json cannot be judged: {error}")
    if metrics.metric != task.metric.key:
        return _closed(
            f"the models were measured by {metrics.metric}, and the pipeline's evaluation.metric is "
            f"{task.metric.key} since: the limits are not those of this number. No label is lost, and the "
            "next training with new labels is measured and judged by it"
        )
    return decide(task, metrics, settings)


def decide(task: AnyTask, metrics: Metrics, settings: GateSettings) -> Verdict:
    """Judge what was measured; rules.py says what each rule wants."""
    first_model = metrics.champion is None
    judged = {
        name: item
        for name, item in metrics.slices.items()
        if first_model or item.images >= settings.min_images
    }
    outcomes = [
        *rules.too_small(metrics, judged, settings),
        *rules.measured(task, metrics, judged),
        *rules.support(task, judged, settings),
        *rules.floors(task, judged, settings),
    ]
    if not first_model:  # whatever a first model is like, there is nothing better
        outcomes += [
            *rules.gain(task, metrics, judged, settings),
            *rules.losses(task, judged, settings),
            *rules.train_recall(task, metrics, settings),
            *rules.calibration(judged, settings),
            *rules.latency(metrics, settings),
        ]
    failed = tuple(rule.text for rule in outcomes if rule.failed)
    before = {name: item.champion.score if item.champion else None for name, item in metrics.slices.items()}
    return Verdict(
        champion=metrics.champion,
        promote=not failed,
        rules=tuple(outcomes),
        reasons=failed or (_why(outcomes, judged, first_model),),
        metric=metrics.metric,
        score={name: item.challenger.score for name, item in metrics.slices.items()},
        before=None if first_model else before,
    )


def _why(outcomes: list[JudgedRule], judged: Mapping[str, SliceMetrics], first_model: bool) -> str:
    if first_model:
        numbers = (f"{name} {rules.shown(item.challenger.score)}" for name, item in sorted(judged.items()))
        return f"first model: {', '.join(numbers)}"
    return next(rule.text for rule in outcomes if rule.rule == "gain")


def _closed(text: str) -> Verdict:
    rule = JudgedRule(rule="evaluation", passed=False, text=text)
    return Verdict(promote=False, reasons=(text,), rules=(rule,))
