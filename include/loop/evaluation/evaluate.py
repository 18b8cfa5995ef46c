"""Both models on the same held-out images.

Takes a trained challenger and its parent, predicts with both on every slice (test sets, memory, newest
labels, audit images), gives ``evaluations/<job>/metrics.json``: what each model scores, how sure that is, and
by how much they differ, and which images they gave nothing for; and ``images.jsonl``, the same image by
image. Both are written once. An image that one model has predicted and the other cannot be asked about (an
older version read its format, or its name fitted there) says nothing about either. Knows slices, outputs and
scores; whether the numbers are good enough is the gate's to say.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.aws.transform import JOB_FAILED
from include.loop.core import layout
from include.loop.evaluation.comparison import CHALLENGER, CHAMPION, MODELS, Detections, compare
from include.loop.evaluation.predictions import Model, Outputs, find_outputs, latency, read_outputs, reasons
from include.loop.evaluation.slices import Slices, read_learned, read_slices
from include.loop.models.champion import find_champion
from include.loop.training.job import read_model
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Contest:
    """Who meets whom, and on what; ``models`` has a champion unless this is the first model."""

    dataset_id: str
    models: Mapping[str, Model]
    slices: Slices
    learned: Slices


def evaluate(
    workspace: Workspace, training_job: str, waited_for: Pending | None = None
) -> Pending | dict[str, Any]:
    """Measure the challenger and its parent (see jobs.py for the calling pattern)."""
    location = layout.metrics_file(training_job)
    metrics = workspace.storage.find_json(location)
    if metrics is None:
        contest = _contest(workspace, training_job)
        outputs = _predict(workspace, contest, waited_for)
        if isinstance(outputs, Pending):
            return outputs
        metrics = _measure(workspace, contest, outputs)
        metrics = workspace.storage.write_json_once(location, metrics)
    return {
        "training_job": training_job,
        "champion": metrics["champion"],
        "map50": {
            name: {who: item[who]["map50"] if item[who] else None for who in MODELS}
            for name, item in metrics["slices"].items()
        },
        "unpredicted": metrics.get("unpredicted", []),  # earlier versions gave the numbers alone
        "metrics_uri": workspace.storage.uri(location),
    }


def _contest(workspace: Workspace, training_job: str) -> Contest:
    record = read_model(workspace, training_job)
    models = {CHALLENGER: Model(training_job, record["model_data"])}
    parent = find_champion(workspace, record["parent"])
    if parent:
        models[CHAMPION] = Model(parent.training_job, parent.model_data)
    dataset_id = record["dataset_id"]
    return Contest(
        dataset_id, models, read_slices(workspace, dataset_id), read_learned(workspace, dataset_id)
    )


def _predict(
    workspace: Workspace, contest: Contest, waited_for: Pending | None
) -> Pending | dict[str, Outputs]:
    """Both are asked for before either is waited for, so that their jobs run side by side."""
    outputs: dict[str, Outputs] = {}
    running: list[str] = []
    for who, model in contest.models.items():
        if who == CHALLENGER:  # no night has met it yet
            etags, nights = contest.slices.etags | contest.learned.etags, {}
        else:
            etags, nights = contest.slices.etags, contest.slices.nights
        sizes = contest.slices.sizes | contest.learned.sizes
        step = find_outputs(workspace, model, etags, nights, sizes, waited_for)
        if isinstance(step, Pending):
            running += step.names
        else:
            outputs[who] = step
    return Pending(ResourceKind.TRANSFORM, tuple(running)) if running else outputs


def _measure(workspace: Workspace, contest: Contest, outputs: Mapping[str, Outputs]) -> dict[str, Any]:
    """metrics.json; images.jsonl is written on the way."""
    detections = {who: read_outputs(workspace, found) for who, found in outputs.items()}
    champion = contest.models.get(CHAMPION)
    earlier = workspace.storage.find_json(layout.metrics_file(champion.training_job)) if champion else None
    unlike = _unlike(workspace, contest, outputs)
    slices = contest.slices.without(unlike)
    measured, rows = compare(
        workspace.pipeline, slices, contest.learned, detections, (earlier or {}).get("slices")
    )
    training_job = contest.models[CHALLENGER].training_job
    workspace.storage.write_lines(
        layout.measured_images_file(training_job),
        (
            row | {"out": {who: outputs[who][row["image"]] if who in outputs else None for who in MODELS}}
            for row in rows
        ),
    )
    return {
        "training_job": training_job,
        "dataset_id": contest.dataset_id,
        "champion": champion.training_job if champion else None,
        **measured,
        "unpredicted": _unpredicted(workspace, contest, detections, unlike),
        "latency": _latency(workspace, contest),
    }


def _unlike(workspace: Workspace, contest: Contest, outputs: Mapping[str, Outputs]) -> set[str]:
    """The images that one model has predicted, and another could not be asked about."""
    etags, unlike = contest.slices.etags, set()
    for who, model in contest.models.items():
        known = reasons(workspace, model.training_job)
        unlike |= {
            image
            for image, etag in etags.items()
            if outputs[who][image] is None
            and known.get((image, etag), JOB_FAILED) != JOB_FAILED
            and any(found[image] for found in outputs.values())
        }
    return unlike


def _unpredicted(
    workspace: Workspace, contest: Contest, detections: Mapping[str, Detections], unlike: Container[str]
) -> list[dict[str, Any]]:
    """By slice and model: how many images got no prediction, the first of them, and why. They count as
    nothing found, but those that are ``left_out`` of the slice.
    """
    told = []
    for who, model in contest.models.items():
        known = reasons(workspace, model.training_job)
        for name, lines in contest.slices.images.items():
            missed = [line.source for line in lines if line.source not in detections[who]]
            for left_out in (False, True):
                these = [image for image in missed if (image in unlike) is left_out]
                if not these:
                    continue
                why = known.get((these[0], contest.slices.etags[these[0]]), "its output cannot be read")
                item = {"slice": name, "model": who, "images": len(these), "first": these[0], "why": why}
                told.append(item | ({"left_out": True} if left_out else {}))
    return told


def _latency(workspace: Workspace, contest: Contest) -> dict[str, Any]:
    """Seconds per image of each model, and over how many images."""
    timed = {who: latency(workspace, model.training_job) for who, model in contest.models.items()}
    items = {who: timed.get(who) for who in MODELS}
    return {
        **{who: item.seconds if item else None for who, item in items.items()},
        "images": {who: item.images if item else 0 for who, item in items.items()},
    }
