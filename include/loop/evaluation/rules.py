"""The rules that a challenger has to keep, one function each.

Takes the metrics of both models (gate_input.py) and the pipeline's settings, gives a ``Rule`` per outcome:
its numbers, whether it is kept, and a line of text that says it to a person. Pure: knows config only; gate.py
asks them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.loop.config import DATASET_SLICES, GateSettings
from include.loop.evaluation.metrics_file import (
    ClassDelta,
    Delta,
    Metrics,
    Slice,
    finite_or_none,
    is_finite,
    shown,
)
from include.loop.evaluation.slices import REPLAYED

# Differences of floats: 0.80 - 0.76 is a hair more than 0.04.
HAIR = 1e-9


@dataclass(frozen=True)
class Rule:
    """One rule's outcome. ``judged`` False: it is told and decides nothing."""

    rule: str
    slice: str | None
    value: float | None
    limit: float | None
    passed: bool
    text: str
    judged: bool = True
    class_name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        value = {name: getattr(self, name) for name in ("rule", "slice", "passed", "judged", "text")}
        numbers = {"value": finite_or_none(self.value), "limit": self.limit}
        return value | numbers | ({"class": self.class_name} if self.class_name is not None else {})


def too_small(metrics: Metrics, judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    for name, item in sorted(metrics.slices.items()):
        if name not in judged:
            text = f"{name} has {item.images} images, fewer than {settings.min_images}: told, not judged"
            yield Rule("images", name, item.images, settings.min_images, False, text, judged=False)


def measured(metrics: Metrics, judged: Mapping[str, Slice]) -> Iterator[Rule]:
    """Every number that a rule needs is there and finite, for both models."""
    for name, item in sorted(judged.items()):
        numbers = {
            "challenger's mAP@0.5": item.challenger.map50,
            "challenger's recall": item.challenger.recall,
        }
        if metrics.champion is not None:
            numbers["champion's mAP@0.5"] = item.champion.map50 if item.champion else None
            delta = item.delta
            numbers["difference"] = delta.map50 if delta else None
            numbers["difference's lower bound"] = delta.low if delta else None
            numbers["difference's upper bound"] = delta.high if delta else None
        missing = [what for what, value in numbers.items() if not is_finite(value)]
        text = f"{name}: no finite {', no finite '.join(missing)}" if missing else f"{name}: fully measured"
        yield Rule("measured", name, None, None, not missing, text)


def support(judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    """Every class has ``min_boxes`` objects in the judged slices, so that its loss could be seen."""
    boxes: dict[str, int] = {}
    for item in judged.values():
        for label, scores in item.challenger.classes.items():
            boxes[label] = boxes.get(label, 0) + scores.boxes
    for label, count in sorted(boxes.items()):
        if count < settings.min_boxes:
            text = (
                f"class {label} has {count} objects in the judged slices, fewer than {settings.min_boxes}: "
                "add images of it to a test set, or lower gate.min_boxes"
            )
            yield Rule("support", None, count, settings.min_boxes, False, text, class_name=label)
    if boxes and min(boxes.values()) >= settings.min_boxes:
        fewest = min(boxes, key=lambda label: (boxes[label], label))
        text = f"every class has at least {boxes[fewest]} objects (class {fewest})"
        yield Rule("support", None, boxes[fewest], settings.min_boxes, True, text, class_name=fewest)


def floors(judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    """No slice below ``floor`` and no class below ``class_floor``, whatever the champion has."""
    for name, item in sorted(judged.items()):
        value, limit = item.challenger.map50, settings.floor
        if limit:
            passed = is_finite(value) and value >= limit - HAIR
            yield Rule("floor", name, value, limit, passed, f"{name}: mAP {shown(value)}, at least {limit:g}")
        for label, scores in sorted(item.challenger.classes.items()):
            value, limit = scores.ap50, settings.class_floor
            if limit and scores.boxes >= max(1, settings.min_boxes):
                passed = is_finite(value) and value >= limit - HAIR
                text = f"{name}, class {label}: AP {shown(value)}, at least {limit:g}"
                yield Rule("class_floor", name, value, limit, passed, text, class_name=label)


def calibration(judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    """Scores mean what they say, or at least no less than the champion's do."""
    for name, item in sorted(judged.items()):
        value, limit = item.challenger.calibration_error, settings.max_calibration_error
        before = item.champion.calibration_error if item.champion else None
        passed = is_finite(value) and value <= (max(limit, before) if is_finite(before) else limit) + HAIR
        text = f"{name}: scores are off by {shown(value)} on average (the champion's by {shown(before)})"
        text += f", at most {limit:g} or as much as the champion's"
        yield Rule("calibration", name, value, limit, passed, text)


def latency(metrics: Metrics, settings: GateSettings) -> Iterator[Rule]:
    """Fast enough, where a job was long enough to tell: of a few images it takes the job's start longest."""
    value, limit = metrics.latency.challenger, settings.max_seconds_per_image
    passed = is_finite(value) and value <= limit + HAIR
    images = metrics.latency.images.challenger
    judged = images >= settings.min_images or not is_finite(value)
    text = f"{shown(value)} seconds per image, at most {limit:g}"
    if not judged:
        text += f"; timed on {images} images only: told, not judged"
    yield Rule("latency", None, value, limit, passed, text, judged=judged)


def gain(metrics: Metrics, judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    """Better in the mean where it should be: by ``min_gain``, and not by luck (``confidence``)."""
    wanted = _improve_on(metrics.slices, settings)
    deltas = {name: judged[name].delta for name in wanted if name in judged}
    usable = {
        name: (delta.map50, delta.low)
        for name, delta in deltas.items()
        if delta and is_finite(delta.map50) and is_finite(delta.low)
    }
    limit = settings.min_gain
    if not usable:
        text = (
            f"none of {', '.join(wanted) or 'no slice'} can be judged: nothing shows a gain. Label more "
            "images for it, name another slice in gate.improve_on, or lower gate.min_images"
        )
        yield Rule("gain", None, None, limit, False, text)
        return
    mean = sum(value for value, _ in usable.values()) / len(usable)
    # The slices are drawn independently of each other: their uncertainties add as squares.
    sure = mean - math.sqrt(sum((value - low) ** 2 for value, low in usable.values())) / len(usable)
    passed = mean >= limit - HAIR and sure > 0
    where = ", ".join(sorted(usable))
    text = (
        f"gain of {mean:+.3f} mAP in the mean over {where}, wanted {limit:+.3f}; "
        f"with {settings.confidence:.0%} confidence it is above {sure:+.3f}, wanted 0"
    )
    yield Rule("gain", where if len(usable) == 1 else None, round(mean, 5), limit, passed, text)


def losses(judged: Mapping[str, Slice], settings: GateSettings) -> Iterator[Rule]:
    """Nowhere surely worse by more than is allowed: a slice than under the best champion so far, so that many
    small losses do not add up night by night; a class, where the slice has enough of it, than under the
    champion.
    """
    for name, item in sorted(judged.items()):
        if item.delta is None or item.champion is None:
            continue  # told by ``measured``
        yield _slice_loss(name, item, item.delta, settings.max_loss)
        # Of a few boxes the bootstrap knows no doubt: they are all right, or all wrong, in every draw.
        enough = [
            label for label, scores in item.challenger.classes.items() if scores.boxes >= settings.min_images
        ]
        classes = [
            _class_loss(name, label, item.delta.classes.get(label), settings.max_class_loss)
            for label in sorted(enough)
        ]
        failed = [rule for rule in classes if not rule.passed]
        yield from failed or sorted(classes, key=lambda rule: rule.value or 0.0)[:1]


def learned(metrics: Metrics, settings: GateSettings) -> Iterator[Rule]:
    """The labels of every new night could be learned, compared with those that were replayed beside them.

    A network that learns from contradicting labels does not come to reproduce them: so labels tell on
    themselves, also where a poor champion makes any new label look like a gain.
    """
    replayed = metrics.learned.get(REPLAYED)
    usual = replayed.recall if replayed and is_finite(replayed.recall) else 1.0
    limit = round(settings.min_learned * usual, 5)
    for night, item in sorted(metrics.learned.items()):
        if night == REPLAYED or not item.boxes:
            continue
        judged = item.images >= settings.min_images
        passed = is_finite(item.recall) and item.recall >= limit - HAIR
        text = (
            f"labels of {night}: the challenger finds {shown(item.recall)} of the boxes it learned "
            f"({shown(usual)} of those that were replayed), at least {limit:.3f} is wanted"
        )
        if not judged:
            text += f"; with {item.images} images told, not judged"
        elif not passed:
            text += (
                ". They contradict each other or earlier ones, or training was too short. The night is not "
                "learned from with others until it is known to do no harm. Look at the answers; if they are "
                f"wrong: python -m include.loop discard-labels {night} --why …"
            )
        yield Rule("learned", night, item.recall, limit, passed, text, judged)


def _slice_loss(name: str, item: Slice, delta: Delta, limit: float) -> Rule:
    before = item.champion.map50 if item.champion else None
    shift = item.best - before if is_finite(item.best) and is_finite(before) else 0.0
    value = delta.map50 - max(0.0, shift) if is_finite(delta.map50) else None
    high = delta.high - max(0.0, shift) if is_finite(delta.high) else None
    passed, text = _loss(value, high, limit)
    whom = "the best champion so far" if shift > 0 else "the champion"
    best = item.best if shift > 0 else before
    text = f"{name}: {shown(item.challenger.map50)} mAP, {whom} has {shown(best)}; {text}"
    return Rule("loss", name, value, -limit, passed, text)


def _class_loss(name: str, label: str, delta: ClassDelta | None, limit: float) -> Rule:
    value, high = (delta.ap50, delta.high) if delta else (None, None)
    passed, text = _loss(value, high, limit)
    text = f"{name}, class {label}: AP changes by {shown(value)}; {text}"
    return Rule("class_loss", name, value, -limit, passed, text, class_name=label)


def _loss(delta: float | None, high: float | None, limit: float) -> tuple[bool, str]:
    """A loss counts when it is larger than allowed and surely more than nothing."""
    if not (is_finite(delta) and is_finite(high)):
        return False, "not measured"
    if delta >= -limit - HAIR:
        return True, f"a loss of at most {limit:g} is allowed"
    if high >= 0:
        return True, f"that is more than the {limit:g} allowed, but may be no loss at all (up to {high:+.3f})"
    return False, f"that is more than the {limit:g} allowed, and surely a loss (below {high:+.3f})"


def _improve_on(slices: Mapping[str, Any], settings: GateSettings) -> list[str]:
    """Where a challenger has to be better: as configured, else every test set (or ``validation``)."""
    return list(settings.improve_on) or sorted(name for name in slices if name not in DATASET_SLICES)
