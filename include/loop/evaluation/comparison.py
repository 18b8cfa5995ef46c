"""What two models score on the same images, and by how much they differ: the content of metrics.json.

Takes slices of labelled images and both models' detections, gives records of numbers with the bounds that the
bootstrap puts on them. Pure: the benchmarks measure with it as the loop does. Knows metrics and bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from include.loop.config import Pipeline
from include.loop.core.identity import content_hash
from include.loop.core.storage import dump
from include.loop.evaluation.bootstrap import Spread, bounds, draw, mean_over_classes, spread
from include.loop.evaluation.slices import Slices
from include.loop.tasks.detection.matching import Floats, Ints, Matches, match
from include.loop.tasks.detection.metrics import (
    calibration,
    confusion,
    f1_by_image,
    finite,
    mean_average_precision,
    recall_and_precision,
)
from include.loop.tasks.detection.predictions import Detection

LIBRARY = "faster-coco-eval"
CHALLENGER, CHAMPION = "challenger", "champion"
MODELS = (CHALLENGER, CHAMPION)

Detections = Mapping[str, Sequence[Detection]]  # by image; an image that is not there was not predicted


@dataclass(frozen=True)
class _Measured:
    """One model on one slice: what the records say of it, and what it is compared by."""

    record: dict[str, Any]
    matches: Matches
    spread: Spread


def compare(
    pipeline: Pipeline,
    slices: Slices,
    learned: Slices,
    detections: Mapping[str, Detections],
    earlier: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The measured parts of metrics.json, and the lines of images.jsonl for the slices that are judged.

    ``detections`` by model: the challenger's, and the champion's when there is one. Of ``learned`` (see
    slices.py) the challenger's detections alone are looked at. ``earlier`` is the "slices" of the champion's
    own metrics.json, which know the best of its ancestors.
    """
    records: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name, images in slices.images.items():
        models = {who: _measure(pipeline, slices, name, found) for who, found in detections.items()}
        judged = len(images) >= pipeline.gate.min_images
        records[name] = {
            "images": len(images),
            "boxes": sum(len(line.boxes) for line in images),
            "gone": slices.gone[name],
            "judged": judged,
            **{who: models[who].record if who in models else None for who in MODELS},
            "delta": _delta(pipeline, models) if CHAMPION in models else None,
            "digest": _digest(slices, name),
            "best": _best(slices, name, models.get(CHAMPION), earlier or {}),
        }
        if judged:
            rows += _by_image(pipeline, slices, name, models)
    taught = {name: _taught(pipeline, learned, name, detections[CHALLENGER]) for name in learned.images}
    return {
        "score_threshold": pipeline.evaluation.score_threshold,
        "confidence": pipeline.gate.confidence,
        "slices": records,
        "learned": taught,
        "evaluator": {"library": LIBRARY, "version": version(LIBRARY)},
    }, rows


def _measure(pipeline: Pipeline, slices: Slices, name: str, detections: Detections) -> _Measured:
    """One model's numbers on one slice, with the bounds of the bootstrap."""
    classes, threshold = pipeline.classes, pipeline.evaluation.score_threshold
    images = slices.images[name]
    matches = match(images, detections, len(classes))
    drawn = spread(matches, _draws(slices, name), threshold)
    precision = mean_average_precision(images, detections, classes)
    boxes = matches.boxes().sum(axis=0)
    record = {
        "map50": precision["map50"],
        **_bounds(pipeline, drawn.map50, "map50_"),
        "map": precision["map"],
        **recall_and_precision(matches, threshold),
        **_bounds(pipeline, drawn.recall, "recall_"),
        **_bounds(pipeline, drawn.precision, "precision_"),
        **calibration(matches),
        "classes": {
            label: {
                "ap50": precision["classes"][label],
                **_bounds(pipeline, drawn.classes[:, index]),
                "boxes": int(boxes[index]),
            }
            for index, label in enumerate(classes)
        },
        "confusion": confusion(matches, classes, threshold),
        "unpredicted": sum(line.source not in detections for line in images),
    }
    return _Measured(record, matches, drawn)


def _delta(pipeline: Pipeline, models: Mapping[str, _Measured]) -> dict[str, Any]:
    """Challenger minus champion, draw by draw on the same images."""
    after, before = models[CHALLENGER], models[CHAMPION]
    by_class = after.spread.classes - before.spread.classes
    classes = (
        (label, after.record["classes"][label]["ap50"], before.record["classes"][label]["ap50"])
        for label in pipeline.classes
    )
    return {
        "map50": _difference(after.record["map50"], before.record["map50"]),
        **_bounds(pipeline, mean_over_classes(by_class)),
        "classes": {
            label: {"ap50": _difference(new, old), **_bounds(pipeline, by_class[:, index])}
            for index, (label, new, old) in enumerate(classes)
        },
    }


def _by_image(
    pipeline: Pipeline, slices: Slices, name: str, models: Mapping[str, _Measured]
) -> list[dict[str, Any]]:
    threshold = pipeline.evaluation.score_threshold
    f1 = {who: f1_by_image(model.matches, threshold) for who, model in models.items()}
    rows = []
    for index, line in enumerate(slices.images[name]):
        scores = {f"{who}_f1": finite(f1[who][index]) if who in f1 else None for who in MODELS}
        gain = _difference(scores["challenger_f1"], scores["champion_f1"])
        rows.append({"slice": name, "image": line.source, **scores, "gain": gain})
    return rows


def _taught(pipeline: Pipeline, learned: Slices, name: str, detections: Detections) -> dict[str, Any]:
    """How many of the boxes it was taught the challenger finds again at work: labels that contradict each
    other, or all that it knew, cannot be learned.
    """
    threshold = pipeline.evaluation.score_threshold
    images = learned.images[name]
    matches = match(images, detections, len(pipeline.classes))
    drawn = spread(matches, _draws(learned, name), threshold)
    return {
        "images": len(images),
        "boxes": len(matches.true_class),
        "recall": recall_and_precision(matches, threshold)["recall"],
        **_bounds(pipeline, drawn.recall, "recall_"),
    }


def _best(slices: Slices, name: str, champion: _Measured | None, earlier: Mapping[str, Any]) -> float | None:
    """The highest mAP@0.5 of champion and ancestors on these very images, with these very labels."""
    if champion is None:
        return None
    known = earlier.get(name) or {}
    scores = [champion.record["map50"]]
    if known.get("digest") == _digest(slices, name):
        scores.append(known.get("best"))
    return max((score for score in scores if score is not None), default=None)


def _draws(slices: Slices, name: str) -> Ints:
    """The same draws for both models: what is drawn from is in the seed, and the model is not."""
    return draw(len(slices.images[name]), _digest(slices, name))


def _digest(slices: Slices, name: str) -> str:
    lines = ([line.value, slices.etags[line.source]] for line in slices.images[name])
    return content_hash(name, sorted(lines, key=dump))


def _bounds(pipeline: Pipeline, draws: Floats, prefix: str = "") -> dict[str, float | None]:
    low, high = bounds(draws, pipeline.gate.confidence)
    return {f"{prefix}low": low, f"{prefix}high": high}


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 5)
