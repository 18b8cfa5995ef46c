"""The rules that a challenger has to keep, one function each.

Takes the metrics of both models, the pipeline's settings and what the task calls things, gives a
``JudgedRule`` per outcome: its numbers, whether it is kept, and a line of text that says it to a person.
Pure; gate.py asks them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from include.loop.config import DATASET_SLICES, GateSettings
from include.loop.core.records.metrics import ClassDelta, Delta, Metrics, SliceMetrics
from include.loop.core.records.verdict import JudgedRule
from include.loop.evaluation.slices import REPLAYED
from include.loop.tasks.protocol import AnyTask

# Differences of floats: 0.80 - 0.76 is a little more than 0.04.
EPSILON = 1e-9

Judged = Mapping[str, SliceMetrics]


def too_small(metrics: Metrics, judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    for name, item in sorted(metrics.slices.items()):
        if name not in judged:
            text = f"{name} has {item.images} images, fewer than {settings.min_images}: told, not judged"
            yield _rule("images", name, item.images, settings.min_images, False, text, judged=False)


def measured(task: AnyTask, metrics: Metrics, judged: Judged) -> Iterator[JudgedRule]:
    """Every number that a rule needs is there and finite, for both models."""
    for name, item in sorted(judged.items()):
        numbers = {
            f"challenger's {task.metric.key}": item.challenger.score,
            "challenger's recall": item.challenger.recall,
        }
        if metrics.champion is not None:
            numbers[f"champion's {task.metric.key}"] = item.champion.score if item.champion else None
            delta = item.delta
            numbers["difference"] = delta.score if delta else None
            numbers["difference's lower bound"] = delta.low if delta else None
            numbers["difference's upper bound"] = delta.high if delta else None
        missing = [what for what, value in numbers.items() if value is None]
        text = f"{name}: no finite {', no finite '.join(missing)}" if missing else f"{name}: fully measured"
        yield _rule("measured", name, None, None, not missing, text)


def support(task: AnyTask, judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    """Every class has ``min_objects`` objects in the judged slices, so that its loss could be seen."""
    objects = task.words.objects
    counts: dict[str, int] = {}
    for item in judged.values():
        for label, scores in item.challenger.classes.items():
            counts[label] = counts.get(label, 0) + scores.objects
    for label, count in sorted(counts.items()):
        if count < settings.min_objects:
            text = (
                f"class {label} has {count} {objects} in the judged slices, fewer than "
                f"{settings.min_objects}: add images of it to a test set, or lower gate.min_objects"
            )
            yield _rule("support", None, count, settings.min_objects, False, text, class_name=label)
    if counts and min(counts.values()) >= settings.min_objects:
        fewest = min(counts, key=lambda label: (counts[label], label))
        text = f"every class has at least {counts[fewest]} {objects} (class {fewest})"
        yield _rule("support", None, counts[fewest], settings.min_objects, True, text, class_name=fewest)


def floors(task: AnyTask, judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    """No slice below ``floor`` and no class below ``class_floor``, whatever the champion has."""
    for name, item in sorted(judged.items()):
        value, limit = item.challenger.score, settings.floor
        if limit:
            passed = value is not None and value >= limit - EPSILON
            text = f"{name}: {task.metric.label} {shown(value)}, at least {limit:g}"
            yield _rule("floor", name, value, limit, passed, text)
        for label, scores in sorted(item.challenger.classes.items()):
            value, limit = scores.score, settings.class_floor
            if limit and scores.objects >= max(1, settings.min_objects):
                passed = value is not None and value >= limit - EPSILON
                text = f"{name}, class {label}: {task.metric.class_label} {shown(value)}, at least {limit:g}"
                yield _rule("class_floor", name, value, limit, passed, text, class_name=label)


def calibration(judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    """Scores mean what they say, or at least no less than the champion's do."""
    for name, item in sorted(judged.items()):
        value, limit = item.challenger.calibration_error, settings.max_calibration_error
        before = item.champion.calibration_error if item.champion else None
        passed = (
            value is not None and value <= (max(limit, before) if before is not None else limit) + EPSILON
        )
        text = f"{name}: scores are off by {shown(value)} on average (the champion's by {shown(before)})"
        text += f", at most {limit:g} or as much as the champion's"
        yield _rule("calibration", name, value, limit, passed, text)


def latency(metrics: Metrics, settings: GateSettings) -> Iterator[JudgedRule]:
    """Fast enough, where a job was long enough to tell: of a few images it takes the job's start longest."""
    value, limit = metrics.latency.challenger, settings.max_seconds_per_image
    passed = value is not None and value <= limit + EPSILON
    images = metrics.latency.images.challenger
    judged = images >= settings.min_images or value is None
    text = f"{shown(value)} seconds per image, at most {limit:g}"
    if not judged:
        text += f"; timed on {images} images only: told, not judged"
    yield _rule("latency", None, value, limit, passed, text, judged=judged)


def gain(task: AnyTask, metrics: Metrics, judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    """Better in the mean where it should be: by ``min_gain``, and not by luck (``confidence``)."""
    wanted = _improve_on(metrics.slices, settings)
    deltas = {name: judged[name].delta for name in wanted if name in judged}
    usable = {
        name: (delta.score, delta.low)
        for name, delta in deltas.items()
        if delta and delta.score is not None and delta.low is not None
    }
    limit = settings.min_gain
    if not usable:
        text = (
            f"none of {', '.join(wanted) or 'no slice'} can be judged: nothing shows a gain. Label more "
            "images for it, name another slice in gate.improve_on, or lower gate.min_images"
        )
        yield _rule("gain", None, None, limit, False, text)
        return
    mean = sum(value for value, _ in usable.values()) / len(usable)
    # The slices are drawn independently of each other: their uncertainties add as squares.
    sure = mean - math.sqrt(sum((value - low) ** 2 for value, low in usable.values())) / len(usable)
    passed = mean >= limit - EPSILON and sure > 0
    where = ", ".join(sorted(usable))
    text = (
        f"gain of {mean:+.3f} {task.metric.label} in the mean over {where}, wanted {limit:+.3f}; "
        f"with {settings.confidence:.0%} confidence it is above {sure:+.3f}, wanted 0"
    )
    yield _rule("gain", where if len(usable) == 1 else None, round(mean, 5), limit, passed, text)


def losses(task: AnyTask, judged: Judged, settings: GateSettings) -> Iterator[JudgedRule]:
    """Nowhere surely worse by more than is allowed: a slice than under the best champion so far, so that many
    small losses do not add up batch by batch; a class, where the slice has enough of it, than under the
    champion.
    """
    for name, item in sorted(judged.items()):
        if item.delta is None or item.champion is None:
            continue  # told by ``measured``
        yield _slice_loss(task, name, item, item.delta, settings.max_loss)
        # Of a few objects the bootstrap knows no doubt: they are all right, or all wrong, in every draw.
        classes = item.challenger.classes.items()
        enough = sorted(label for label, scores in classes if scores.objects >= settings.min_images)
        rules = [
            _class_loss(task, name, label, item.delta.classes.get(label), settings.max_class_loss)
            for label in enough
        ]
        failed = [rule for rule in rules if not rule.passed]
        yield from failed or sorted(rules, key=lambda rule: rule.value or 0.0)[:1]


def train_recall(task: AnyTask, metrics: Metrics, settings: GateSettings) -> Iterator[JudgedRule]:
    """The labels of every new batch could be learned, compared with those that were replayed beside them.

    A network that learns from contradicting labels does not come to reproduce them: so labels tell on
    themselves, also where a poor champion makes any new label look like a gain.
    """
    replayed = metrics.train_recall.get(REPLAYED)
    usual = replayed.recall if replayed and replayed.recall is not None else 1.0
    parts = task.words.parts
    limit = round(settings.min_train_recall * usual, 5)
    for batch, item in sorted(metrics.train_recall.items()):
        if batch == REPLAYED or not item.objects:
            continue
        judged = item.images >= settings.min_images
        passed = item.recall is not None and item.recall >= limit - EPSILON
        text = (
            f"labels of {batch}: the challenger finds {shown(item.recall)} of the {parts} it learned "
            f"({shown(usual)} of those that were replayed), at least {limit:.3f} is wanted"
        )
        if not judged:
            text += f"; with {item.images} images told, not judged"
        elif not passed:
            text += (
                ". They contradict each other or earlier ones, or training was too short. The batch is not "
                "learned from with others until it is known to do no harm. Look at the answers; if they are "
                f"wrong: python -m include.loop discard-labels {batch} --why …"
            )
        yield _rule("train_recall", batch, item.recall, limit, passed, text, judged)


def shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _slice_loss(task: AnyTask, name: str, item: SliceMetrics, delta: Delta, limit: float) -> JudgedRule:
    before = item.champion.score if item.champion else None
    shift = item.best - before if item.best is not None and before is not None else 0.0
    value = delta.score - max(0.0, shift) if delta.score is not None else None
    high = delta.high - max(0.0, shift) if delta.high is not None else None
    passed, text = _loss(value, high, limit)
    whom = "the best champion so far" if shift > 0 else "the champion"
    best = item.best if shift > 0 else before
    label = task.metric.label
    text = f"{name}: {shown(item.challenger.score)} {label}, {whom} has {shown(best)}; {text}"
    return _rule("loss", name, value, -limit, passed, text)


def _class_loss(task: AnyTask, name: str, label: str, delta: ClassDelta | None, limit: float) -> JudgedRule:
    value, high = (delta.score, delta.high) if delta else (None, None)
    passed, text = _loss(value, high, limit)
    text = f"{name}, class {label}: {task.metric.class_label} changes by {shown(value)}; {text}"
    return _rule("class_loss", name, value, -limit, passed, text, class_name=label)


def _loss(delta: float | None, high: float | None, limit: float) -> tuple[bool, str]:
    """A loss counts when it is larger than allowed and surely more than nothing."""
    if delta is None or high is None:
        return False, "not measured"
    if delta >= -limit - EPSILON:
        return True, f"a loss of at most {limit:g} is allowed"
    if high >= 0:
        return True, f"that is more than the {limit:g} allowed, but may be no loss at all (up to {high:+.3f})"
    return False, f"that is more than the {limit:g} allowed, and surely a loss (below {high:+.3f})"


def _improve_on(slices: Mapping[str, Any], settings: GateSettings) -> list[str]:
    """Where a challenger has to be better: as configured, else every test set (or ``validation``)."""
    return list(settings.improve_on) or sorted(name for name in slices if name not in DATASET_SLICES)


def _rule(
    rule: str,
    slice: str | None,
    value: float | None,
    limit: float | None,
    passed: bool,
    text: str,
    judged: bool = True,
    class_name: str | None = None,
) -> JudgedRule:
    return JudgedRule(
        rule=rule,
        slice=slice,
        class_name=class_name,
        value=value,
        limit=limit,
        passed=passed,
        judged=judged,
        text=text,
    )
