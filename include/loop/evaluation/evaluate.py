"""Both models on the same held-out images.

Takes a trained challenger and its parent, predicts with both on every slice (test sets, retention set, recent
labels, audit images), gives ``evaluations/<job>/metrics.json``: what each model scores, how sure that is, and
by how much they differ, and which images they gave nothing for; and ``images.jsonl``, the same image by
image. Both are written once. An image that one model has predicted and the other cannot be asked about (an
older version read its format, or its name fitted there) says nothing about either. Whether the numbers are
good enough is the gate's to say.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.aws.transform import JOB_FAILED
from include.loop.core.records.metrics import (
    CHALLENGER,
    CHAMPION,
    MODELS,
    ImageComparison,
    LatencyMetrics,
    Metrics,
    MetricsParts,
    SliceMetrics,
    TimedImages,
    Unpredicted,
)
from include.loop.core.records.models import TrainedModel
from include.loop.core.records.outputs import reasons_by_image
from include.loop.evaluation import calibration
from include.loop.evaluation.comparison import Predictions, compare
from include.loop.evaluation.predictions import Contestant, Outputs, find_outputs, latency
from include.loop.evaluation.slices import Slices, read_learned, read_slices
from include.loop.models.champion import find_champion
from include.loop.tasks.outputs import read_outputs
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateResult:
    """``score`` is by slice and model, of the ``metric`` of this name; None without a champion."""

    training_job: str
    champion: str | None
    metric: str
    score: dict[str, dict[str, float | None]]
    unpredicted: list[dict[str, Any]]
    metrics_uri: str


@dataclass(frozen=True)
class Contest:
    """Who meets whom, and on what; ``models`` has a champion unless this is the first model."""

    dataset_id: str
    models: Mapping[str, Contestant]
    slices: Slices
    learned: Slices


def evaluate(
    workspace: Workspace, training_job: str, waited_for: Pending | None = None
) -> Pending | EvaluateResult:
    """Measure the challenger and its parent (see jobs.py for the calling pattern)."""
    metrics = Metrics.find(workspace.storage, training_job)
    if metrics is None:
        contest = _contest(workspace, training_job)
        outputs = _predict(workspace, contest, waited_for)
        if isinstance(outputs, Pending):
            return outputs
        metrics = _measure(workspace, contest, outputs)
        metrics = metrics.write_once(workspace.storage, training_job)
    return EvaluateResult(
        training_job=training_job,
        champion=metrics.champion,
        metric=metrics.metric,
        score={
            name: {
                CHALLENGER: item.challenger.score,
                CHAMPION: item.champion.score if item.champion else None,
            }
            for name, item in metrics.slices.items()
        },
        unpredicted=[item.model_dump() for item in metrics.unpredicted],
        metrics_uri=workspace.storage.uri(Metrics.location(training_job)),
    )


def _contest(workspace: Workspace, training_job: str) -> Contest:
    trained = TrainedModel.read(workspace.storage, training_job)
    models = {CHALLENGER: Contestant(training_job, trained.model_data)}
    parent = find_champion(workspace, trained.parent)
    if parent:
        models[CHAMPION] = Contestant(parent.training_job, parent.model_data)
    dataset_id = trained.dataset_id
    return Contest(
        dataset_id, models, read_slices(workspace, dataset_id), read_learned(workspace, dataset_id)
    )


def _predict(
    workspace: Workspace, contest: Contest, waited_for: Pending | None
) -> Pending | dict[str, Outputs]:
    """Both are asked for before either is waited for, so that their jobs run side by side."""
    outputs: dict[str, Outputs] = {}
    pending: list[str] = []
    for who, model in contest.models.items():
        if who == CHALLENGER:  # no batch has met it yet
            etags, batches = contest.slices.etags | contest.learned.etags, {}
        else:
            etags, batches = contest.slices.etags, contest.slices.batches
        sizes = contest.slices.sizes | contest.learned.sizes
        step = find_outputs(workspace, model, etags, batches, sizes, waited_for)
        if isinstance(step, Pending):
            pending += step.names
        else:
            outputs[who] = step
    return Pending(ResourceKind.TRANSFORM, tuple(pending)) if pending else outputs


def _measure(workspace: Workspace, contest: Contest, outputs: Mapping[str, Outputs]) -> Metrics:
    """metrics.json; images.jsonl is written on the way."""
    predictions = {
        who: read_outputs(workspace.task, workspace.storage, found) for who, found in outputs.items()
    }
    champion = contest.models.get(CHAMPION)
    unlike = _unlike(workspace, contest, outputs)
    slices = contest.slices.without(unlike)
    measured = compare(
        workspace.task,
        workspace.pipeline,
        slices,
        contest.learned,
        predictions,
        _earlier(workspace, champion),
    )
    training_job = contest.models[CHALLENGER].training_job
    rows = (
        row.model_copy(update={"out": {who: found[row.image] for who, found in outputs.items()}})
        for row in measured.rows
    )
    ImageComparison.write_all(workspace.storage, rows, training_job)
    return Metrics(
        training_job=training_job,
        dataset_id=contest.dataset_id,
        champion=champion.training_job if champion else None,
        metric=workspace.task.metric.key,
        score_threshold=workspace.pipeline.evaluation.score_threshold,
        confidence=workspace.pipeline.gate.confidence,
        slices=measured.slices,
        train_recall=measured.train_recall,
        latency=_latency(workspace, contest),
        unpredicted=tuple(_unpredicted(workspace, contest, predictions, unlike)),
        evaluator=measured.evaluator,
        calibration=calibration.fit(workspace.task, workspace.pipeline, slices, predictions[CHALLENGER]),
    )


def _earlier(workspace: Workspace, champion: Contestant | None) -> dict[str, SliceMetrics]:
    """What the champion scored as a challenger, as far as it can be read: the first versions wrote less, and
    nothing here needs it.
    """
    if champion is None:
        return {}
    found = MetricsParts.find(workspace.storage, champion.training_job)
    for problem in found.problems:
        log.warning("what %s scored before is not compared with: %s", champion.training_job, problem)
    if found.metric != workspace.task.metric.key:  # one number is no best of another
        return {}
    return found.slices


def _unlike(workspace: Workspace, contest: Contest, outputs: Mapping[str, Outputs]) -> set[str]:
    """The images that one model has predicted, and another could not be asked about."""
    etags, unlike = contest.slices.etags, set()
    for who, model in contest.models.items():
        known = reasons_by_image(workspace.storage, model.training_job)
        unlike |= {
            image
            for image, etag in etags.items()
            if outputs[who][image] is None
            and known.get((image, etag), JOB_FAILED) != JOB_FAILED
            and any(found[image] for found in outputs.values())
        }
    return unlike


def _unpredicted(
    workspace: Workspace, contest: Contest, predictions: Mapping[str, Predictions], unlike: Container[str]
) -> list[Unpredicted]:
    """By slice and model."""
    told = []
    for who, model in contest.models.items():
        known = reasons_by_image(workspace.storage, model.training_job)
        for name, lines in contest.slices.images.items():
            missed = [line.source for line in lines if line.source not in predictions[who]]
            for left_out in (False, True):
                these = [image for image in missed if (image in unlike) is left_out]
                if not these:
                    continue
                why = known.get((these[0], contest.slices.etags[these[0]]), "its output cannot be read")
                told.append(
                    Unpredicted(
                        slice=name, model=who, images=len(these), first=these[0], why=why, left_out=left_out
                    )
                )
    return told


def _latency(workspace: Workspace, contest: Contest) -> LatencyMetrics:
    """Seconds per image of each model, and over how many images."""
    timed = {who: latency(workspace, model.training_job) for who, model in contest.models.items()}
    items = {who: timed.get(who) for who in MODELS}
    return LatencyMetrics(
        images=TimedImages(**{who: item.images if item else 0 for who, item in items.items()}),
        **{who: item.seconds if item else None for who, item in items.items()},
    )
