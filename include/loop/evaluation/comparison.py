"""What two models score on the same images, and by how much they differ: the content of metrics.json.

Takes slices of labelled images and both models' predictions, gives records of numbers with the bounds that
the bootstrap puts on them. Pure: the benchmarks measure with it as the loop does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from include.loop.config import Pipeline
from include.loop.core.identity import content_hash
from include.loop.core.records.metrics import (
    CHALLENGER,
    CHAMPION,
    MODELS,
    ClassDelta,
    Delta,
    Evaluator,
    ImageComparison,
    ModelScores,
    SliceMetrics,
    TrainRecall,
    finite,
)
from include.loop.core.records.version_1 import first_slice_name
from include.loop.core.storage import dump
from include.loop.evaluation.bootstrap import bounds, draw
from include.loop.evaluation.slices import Slices
from include.loop.tasks.measuring import Draws, Floats, Ints, Measured
from include.loop.tasks.protocol import AnyTask

Predictions = Mapping[str, Any]  # by image; an image that is not there was not predicted


@dataclass(frozen=True)
class Comparison:
    """The measured parts of metrics.json, and the rows of images.jsonl for the slices that are judged."""

    slices: dict[str, SliceMetrics]
    train_recall: dict[str, TrainRecall]
    evaluator: Evaluator
    rows: list[ImageComparison]


@dataclass(frozen=True)
class _Model:
    """One model on one slice: what the records say of it, and what it is compared by."""

    scores: ModelScores
    measured: Measured
    draws: Draws


def compare(
    task: AnyTask,
    pipeline: Pipeline,
    slices: Slices,
    learned: Slices,
    predictions: Mapping[str, Predictions],
    earlier: Mapping[str, SliceMetrics] | None = None,
) -> Comparison:
    """``predictions`` by model: the challenger's, and the champion's when there is one. Of ``learned`` (see
    slices.py) the challenger's predictions alone are looked at. ``earlier`` are the slices of the champion's
    own metrics.json, which know the best of its ancestors.
    """
    records: dict[str, SliceMetrics] = {}
    rows: list[ImageComparison] = []
    for name, images in slices.images.items():
        models = {who: _measure(task, pipeline, slices, name, found) for who, found in predictions.items()}
        champion = models.get(CHAMPION)
        judged = len(images) >= pipeline.gate.min_images
        records[name] = SliceMetrics(
            images=len(images),
            objects=sum(len(line.classes) for line in images),
            gone=slices.gone[name],
            judged=judged,
            challenger=models[CHALLENGER].scores,
            champion=champion.scores if champion else None,
            delta=_delta(pipeline, models[CHALLENGER], champion) if champion else None,
            digest=_digest(slices, name),
            best=_best(slices, name, champion, earlier or {}),
        )
        if judged:
            rows += _by_image(slices, name, models)
    recalls = {
        name: _train_recall(task, pipeline, learned, name, predictions[CHALLENGER]) for name in learned.images
    }
    return Comparison(
        records, recalls, Evaluator(library=task.evaluator, version=version(task.evaluator)), rows
    )


def _measure(
    task: AnyTask, pipeline: Pipeline, slices: Slices, name: str, predictions: Predictions
) -> _Model:
    """One model's numbers on one slice, with the bounds of the bootstrap."""
    measured = task.measure(slices.images[name], predictions, pipeline.evaluation.score_threshold)
    draws, scores = measured.resample(_draws(slices, name)), measured.scores()
    classes = {
        label: scores.classes[label].model_copy(update=_bounds(pipeline, draws.classes[:, index]))
        for index, label in enumerate(pipeline.classes)
    }
    numbers = {
        "classes": classes,
        **_bounds(pipeline, draws.score),
        **_bounds(pipeline, draws.recall, "recall_"),
        **_bounds(pipeline, draws.precision, "precision_"),
    }
    return _Model(scores.model_copy(update=numbers), measured, draws)


def _delta(pipeline: Pipeline, after: _Model, before: _Model) -> Delta:
    """Challenger minus champion, draw by draw on the same images."""
    by_class = after.draws.classes - before.draws.classes
    classes = (
        (label, after.scores.classes[label].score, before.scores.classes[label].score)
        for label in pipeline.classes
    )
    return Delta(
        score=_difference(after.scores.score, before.scores.score),
        **_bounds(pipeline, after.draws.score - before.draws.score),
        classes={
            label: ClassDelta(score=_difference(new, old), **_bounds(pipeline, by_class[:, index]))
            for index, (label, new, old) in enumerate(classes)
        },
    )


def _by_image(slices: Slices, name: str, models: Mapping[str, _Model]) -> Iterator[ImageComparison]:
    right = {who: model.measured.by_image() for who, model in models.items()}
    mistakes = models[CHALLENGER].measured.mistakes()
    for index, line in enumerate(slices.images[name]):
        f1 = {who: finite(right[who][index]) if who in right else None for who in MODELS}
        yield ImageComparison(
            slice=name,
            image=line.source,
            challenger_f1=f1[CHALLENGER],
            champion_f1=f1[CHAMPION],
            gain=_difference(f1[CHALLENGER], f1[CHAMPION]),
            mistake=mistakes.get(index),
        )


def _train_recall(
    task: AnyTask, pipeline: Pipeline, learned: Slices, name: str, predictions: Predictions
) -> TrainRecall:
    """How many of the objects that it learned the challenger finds again at work: labels that contradict
    each other, or all that it knew, cannot be learned.
    """
    images = learned.images[name]
    measured = task.measure(images, predictions, pipeline.evaluation.score_threshold)
    return TrainRecall(
        images=len(images),
        objects=sum(len(line.classes) for line in images),
        recall=measured.recall(),
        **_bounds(pipeline, measured.resample(_draws(learned, name)).recall, "recall_"),
    )


def _best(
    slices: Slices, name: str, champion: _Model | None, earlier: Mapping[str, SliceMetrics]
) -> float | None:
    """The highest score of champion and ancestors on these very images, with these very labels."""
    if champion is None:
        return None
    known = earlier.get(name)
    scores = [champion.scores.score]
    if known and known.digest == _digest(slices, name):
        scores.append(known.best)
    return max((score for score in scores if score is not None), default=None)


def _draws(slices: Slices, name: str) -> Ints:
    """The same draws for both models: what is drawn from is in the seed, and the model is not."""
    return draw(len(slices.images[name]), _digest(slices, name))


def _digest(slices: Slices, name: str) -> str:
    """Of the same images and labels the same as ever: a slice goes in under its first name."""
    lines = ([line.value, slices.etags[line.source]] for line in slices.images[name])
    return content_hash(first_slice_name(name), sorted(lines, key=dump))


def _bounds(pipeline: Pipeline, draws: Floats, prefix: str = "") -> dict[str, float | None]:
    low, high = bounds(draws, pipeline.gate.confidence)
    return {f"{prefix}low": low, f"{prefix}high": high}


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else round(after - before, 5)
