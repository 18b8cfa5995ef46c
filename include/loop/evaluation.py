"""Both models on the same held-out images.

Takes a trained challenger and its parent, predicts with both on every slice (test sets, memory, newest
labels, audit images), gives ``evaluations/<job>/metrics.json``: what each model scores, how sure that is, and
by how much they differ; and ``images.jsonl``, the same image by image. Both are written once. Knows slices,
outputs, metrics and bootstrap; whether the numbers are good enough is the gate's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from include.loop import storage
from include.loop.bootstrap import Spread, bounds, draw, mean_over_classes, spread
from include.loop.champion import find_champion
from include.loop.identity import content_hash
from include.loop.jobs import JobKind, Running
from include.loop.manifest import LabelledImage
from include.loop.matching import Matches, match
from include.loop.metrics import (
    calibration,
    confusion,
    f1_by_image,
    finite,
    mean_average_precision,
    recall_and_precision,
)
from include.loop.outputs import Latency, Model, Outputs, find_outputs, latency, read_outputs
from include.loop.slices import Slices, read_slices
from include.loop.training import read_model
from include.loop.transform import Detection
from include.loop.workspace import Workspace

LIBRARY = "faster-coco-eval"


@dataclass(frozen=True)
class Measured:
    """One model on one slice: what the records say of it, and what it is compared by."""

    record: dict[str, Any]
    matches: Matches
    spread: Spread


def evaluate(
    workspace: Workspace, sagemaker: Any, training_job: str, waited_for: Running | None = None
) -> Running | dict[str, Any]:
    """Measure the challenger and its parent (see jobs.py for the calling pattern)."""
    location = storage.evaluation_file(training_job, "metrics.json")
    metrics = workspace.storage.find_json(location)
    if metrics is None:
        step = _measure(workspace, sagemaker, training_job, waited_for)
        if isinstance(step, Running):
            return step
        metrics = workspace.storage.write_json_once(location, step)
    return {
        "training_job": training_job,
        "champion": metrics["champion"],
        "map50": {
            name: {
                "champion": item["champion"]["map50"] if item["champion"] else None,
                "challenger": item["challenger"]["map50"],
            }
            for name, item in metrics["slices"].items()
        },
        "metrics_uri": workspace.storage.uri(location),
    }


def _measure(
    workspace: Workspace, sagemaker: Any, training_job: str, waited_for: Running | None
) -> Running | dict[str, Any]:
    record = read_model(workspace, training_job)
    parent = find_champion(workspace, record["parent"])
    models = {"challenger": Model(training_job, record["model_data"])}
    if parent:
        models["champion"] = Model(parent.training_job, parent.model_data)
    slices = read_slices(workspace, record["dataset_id"])
    # Both are asked for before either is waited for, so that their jobs run side by side.
    outputs: dict[str, Outputs] = {}
    running: list[str] = []
    for who, model in models.items():
        step = find_outputs(workspace, sagemaker, model, slices.etags, slices.nights, waited_for)
        if isinstance(step, Running):
            running += step.names
        else:
            outputs[who] = step
    if running:
        return Running(JobKind.TRANSFORM, tuple(running))
    detections = {who: read_outputs(workspace, found) for who, found in outputs.items()}
    measured = {
        name: {who: _on_slice(workspace, slices, name, detections[who]) for who in models}
        for name in slices.images
    }
    judged = {name for name in measured if len(slices.images[name]) >= workspace.pipeline.gate.min_images}
    workspace.storage.write_lines(
        storage.evaluation_file(training_job, "images.jsonl"),
        (
            row
            for name in sorted(judged)
            for row in _images(workspace, name, slices.images[name], measured[name], outputs)
        ),
    )
    timed = {who: latency(workspace, model.training_job) for who, model in models.items()}
    return {
        "training_job": training_job,
        "dataset_id": record["dataset_id"],
        "champion": parent.training_job if parent else None,
        "score_threshold": workspace.pipeline.evaluation.score_threshold,
        "confidence": workspace.pipeline.gate.confidence,
        "slices": {
            name: {
                "images": len(slices.images[name]),
                "boxes": sum(len(line.boxes) for line in slices.images[name]),
                "gone": slices.gone[name],
                "judged": name in judged,
                "challenger": models_of["challenger"].record,
                "champion": models_of["champion"].record if parent else None,
                "delta": _delta(workspace, models_of) if parent else None,
            }
            for name, models_of in measured.items()
        },
        "latency": _latency(timed),
        "evaluator": {"library": LIBRARY, "version": version(LIBRARY)},
    }


def _on_slice(
    workspace: Workspace, slices: Slices, name: str, detections: Mapping[str, Sequence[Detection]]
) -> Measured:
    """One model's numbers on one slice, with the bounds of the bootstrap."""
    classes, threshold = workspace.pipeline.classes, workspace.pipeline.evaluation.score_threshold
    images = slices.images[name]
    matches = match(images, detections, len(classes))
    # The same draws for both models: what is drawn from is in the seed, and the model is not.
    seed = content_hash(name, [[line.source, slices.etags[line.source]] for line in images])
    drawn = spread(matches, draw(len(images), seed), threshold)
    precision = mean_average_precision(images, detections, classes)
    boxes = matches.boxes().sum(axis=0)
    record = {
        "map50": precision["map50"],
        **_bounds(workspace, "map50", drawn.map50),
        "map": precision["map"],
        **recall_and_precision(matches, threshold),
        **_bounds(workspace, "recall", drawn.recall),
        **_bounds(workspace, "precision", drawn.precision),
        **calibration(matches),
        "classes": {
            label: {
                "ap50": precision["classes"][label],
                **_bounds(workspace, "", drawn.classes[:, index]),
                "boxes": int(boxes[index]),
            }
            for index, label in enumerate(classes)
        },
        "confusion": confusion(matches, classes, threshold),
        "unpredicted": sum(line.source not in detections for line in images),
    }
    return Measured(record, matches, drawn)


def _delta(workspace: Workspace, models: Mapping[str, Measured]) -> dict[str, Any]:
    """Challenger minus champion, draw by draw on the same images."""
    challenger, champion = models["challenger"], models["champion"]
    by_class = challenger.spread.classes - champion.spread.classes
    return {
        "map50": _difference(challenger.record["map50"], champion.record["map50"]),
        **_bounds(workspace, "", mean_over_classes(by_class)),
        "classes": {
            label: {
                "ap50": _difference(
                    challenger.record["classes"][label]["ap50"], champion.record["classes"][label]["ap50"]
                ),
                **_bounds(workspace, "", by_class[:, index]),
            }
            for index, label in enumerate(workspace.pipeline.classes)
        },
    }


def _images(
    workspace: Workspace,
    name: str,
    images: Sequence[LabelledImage],
    models: Mapping[str, Measured],
    outputs: Mapping[str, Outputs],
) -> Iterator[dict[str, Any]]:
    threshold = workspace.pipeline.evaluation.score_threshold
    f1 = {who: f1_by_image(model.matches, threshold) for who, model in models.items()}
    for index, line in enumerate(images):
        after = finite(f1["challenger"][index])
        before = finite(f1["champion"][index]) if "champion" in f1 else None
        yield {
            "slice": name,
            "image": line.source,
            "champion_f1": before,
            "challenger_f1": after,
            "gain": _difference(after, before),
            "out": {
                who: outputs[who][line.source] if who in outputs else None
                for who in ("champion", "challenger")
            },
        }


def _latency(timed: Mapping[str, Latency | None]) -> dict[str, Any]:
    """Seconds per image of each model, and of how many images."""
    whole = {who: timed.get(who) for who in ("challenger", "champion")}
    return {
        **{who: item.seconds if item else None for who, item in whole.items()},
        "images": {who: item.images if item else 0 for who, item in whole.items()},
    }


def _bounds(workspace: Workspace, name: str, draws: Any) -> dict[str, float | None]:
    low, high = bounds(draws, workspace.pipeline.gate.confidence)
    prefix = f"{name}_" if name else ""
    return {f"{prefix}low": low, f"{prefix}high": high}


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 5)
