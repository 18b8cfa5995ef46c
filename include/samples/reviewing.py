"""What a simulated reviewer sees and answers: the truth of an image, with the errors of a person.

Pure functions of their inputs: the same reviewer, image and seed always give the same answer, in whatever
order and thread the work is done. Takes the input of a task and a line of truth, gives an ``answerContent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from include.samples.truths import Box, TrueClasses, Truth

# What a person does with one box, as a share of the time that drawing one takes; to choose a class; and the
# look at an image before anything is done. A model, not a measurement.
_EFFORT = {"drawn": 1.0, "corrected": 0.6, "deleted": 0.2, "checked": 0.15}
_CHOICE = 0.2
_LOOK = 0.3

# A pre-label that fits so well is left as it is; one that fits less is corrected rather than drawn anew.
_FITS = 0.75
_IS_MEANT = 0.3


@dataclass(frozen=True)
class Noise:
    """How a person errs: shares of boxes missed, shifted or mislabelled, and extra boxes per image. The same
    for classes, which cannot be shifted; the only class of an image cannot be missed either, nor be extra.
    """

    missed: float = 0.02
    shifted: float = 0.05
    mislabelled: float = 0.02
    extra: float = 0.01

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {share}")


@dataclass(frozen=True)
class Reviewed:
    """An answer; how many boxes were drawn, corrected, deleted and checked, or classes chosen; and the
    modelled seconds.
    """

    content: dict[str, Any]
    actions: Mapping[str, int]
    seconds: float


def review(
    task_input: Mapping[str, Any],
    truth: Truth | TrueClasses,
    noise: Noise,
    random: Random,
    seconds_per_box: float,
    element: str = "annotatedResult",
) -> Reviewed:
    """The answer that the element of this name in the task's template gives: boxes, or classes."""
    if isinstance(truth, TrueClasses):
        done = _choose(task_input, truth, noise, random, seconds_per_box)
    else:
        done = _correct(task_input, truth, noise, random, seconds_per_box)
    return replace(done, content={element: done.content})


def _choose(
    task_input: Mapping[str, Any], truth: TrueClasses, noise: Noise, random: Random, seconds_per_box: float
) -> Reviewed:
    """As crowd-image-classifier answers, or its multi-select: there an ``exclusion`` category of the task's
    input says that no class fits.
    """
    labels = [str(label) for label in task_input.get("labels", [])]

    def seen(name: str) -> str:
        if random.random() >= noise.mislabelled:
            return name
        return random.choice([other for other in labels if other != name] or [name])

    result: dict[str, Any]
    if not truth.many:
        chosen, result = 1, {"label": seen(truth.names[0])}
    else:
        names = {seen(name) for name in truth.names if random.random() >= noise.missed}
        if labels and random.random() < noise.extra:
            names.add(random.choice(labels))
        nothing = (task_input.get("exclusion") or {}).get("text")
        texts = [label for label in labels if label in names] or ([nothing] if nothing else [])
        chosen, result = len(texts), {"labels": texts}
    effort = _LOOK + _CHOICE * chosen
    return Reviewed(result, {"chosen": chosen}, effort * seconds_per_box)


def _correct(
    task_input: Mapping[str, Any], truth: Truth, noise: Noise, random: Random, seconds_per_box: float
) -> Reviewed:
    """Correct the pre-labels (``initialValue``) towards the truth, with a person's errors."""
    labels = [str(label) for label in task_input.get("labels", [])]
    offered: list[Box] = list(task_input.get("initialValue") or [])
    unused = list(offered)
    actions = dict.fromkeys(_EFFORT, 0)
    drawn: list[Box] = []
    for box in truth.boxes:
        if random.random() < noise.missed:
            continue
        meant = max(unused, key=lambda offer: _overlap(offer, box), default=None)
        seen = _seen(box, truth, labels, noise, random)
        if meant is not None and _overlap(meant, box) >= _IS_MEANT:
            unused.remove(meant)
            fits = _overlap(meant, seen) >= _FITS and meant["label"] == seen["label"]
            actions["checked" if fits else "corrected"] += 1
            drawn.append(meant if fits else seen)
        else:
            actions["drawn"] += 1
            drawn.append(seen)
    if labels and random.random() < noise.extra:
        actions["drawn"] += 1
        drawn.append(_anywhere(truth, random.choice(labels), random))
    actions["deleted"] = len(unused)
    boxes = sorted((_plain(box) for box in drawn), key=_order)
    result: dict[str, Any] = {
        "boundingBoxes": boxes,
        "inputImageProperties": {"height": truth.height, "width": truth.width},
    }
    if "initialValue" in task_input:
        result["initialValueModified"] = boxes != sorted((_plain(box) for box in offered), key=_order)
    effort = _LOOK + sum(_EFFORT[action] * count for action, count in actions.items())
    return Reviewed(result, actions, effort * seconds_per_box)


def _seen(box: Box, truth: Truth, labels: list[str], noise: Noise, random: Random) -> Box:
    """The box as this person draws it."""
    left, top, width, height = (round(box[side]) for side in ("left", "top", "width", "height"))
    label = str(box["label"])
    if random.random() < noise.shifted:
        # By a fifth of its size at most: still the same thing, but badly drawn.
        left += round(width * random.uniform(-0.2, 0.2))
        top += round(height * random.uniform(-0.2, 0.2))
    if random.random() < noise.mislabelled:
        label = random.choice([other for other in labels if other != label] or [label])
    left, top = (min(max(0, left), truth.width - width), min(max(0, top), truth.height - height))
    return {"label": label, "left": max(0, left), "top": max(0, top), "width": width, "height": height}


def _anywhere(truth: Truth, label: str, random: Random) -> Box:
    width, height = max(1, truth.width // 6), max(1, truth.height // 6)
    left, top = random.randint(0, truth.width - width), random.randint(0, truth.height - height)
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a["left"] + a["width"], b["left"] + b["width"]) - max(a["left"], b["left"])
    height = min(a["top"] + a["height"], b["top"] + b["height"]) - max(a["top"], b["top"])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return float(both / (a["width"] * a["height"] + b["width"] * b["height"] - both))


def _plain(box: Box) -> Box:
    return {side: box[side] for side in ("height", "label", "left", "top", "width")}


def _order(box: Box) -> tuple[Any, ...]:
    return (box["left"], box["top"], box["width"], box["height"], box["label"])
