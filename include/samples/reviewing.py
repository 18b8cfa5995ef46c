"""What a simulated reviewer sees and draws: the truth of an image, the noise of a person, and the answer.

Pure functions of their inputs: the same reviewer, image and seed always give the same answer, in whatever
order and thread the work is done. Takes the input of a task and a line of truth, gives an ``answerContent``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

Box = dict[str, Any]

# What a person does with one box, as a share of the time that drawing one takes; and the look at an image
# before anything is done. A model, not a measurement.
_EFFORT = {"drawn": 1.0, "corrected": 0.6, "deleted": 0.2, "checked": 0.15}
_LOOK = 0.3

# A pre-label that fits so well is left as it is; one that fits less is corrected rather than drawn anew.
_FITS = 0.75
_IS_MEANT = 0.3


@dataclass(frozen=True)
class Noise:
    """How a person errs: shares of boxes missed, shifted or mislabelled, and extra boxes per image."""

    missed: float = 0.02
    shifted: float = 0.05
    mislabelled: float = 0.02
    extra: float = 0.01

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {share}")


@dataclass(frozen=True)
class Truth:
    """What really is in one image: pixel boxes in an image of ``width`` × ``height``."""

    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Reviewed:
    """An answer, how many boxes were drawn, corrected, deleted and checked, and the modelled seconds."""

    content: dict[str, Any]
    actions: Mapping[str, int]
    seconds: float


class Truths:
    """The truth of every image, found by the image's address."""

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self._by_key = {
            _key(line["source-ref"]): Truth(line["width"], line["height"], tuple(line["boxes"]))
            for line in lines
        }

    @classmethod
    def read(cls, path: Path) -> Truths:
        """From a ``truth.jsonl``: one object per line with source-ref, width, height and boxes."""
        return cls([json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()])

    def find(self, address: object) -> Truth | None:
        """The truth of an image, or None. Bucket and leading folders may differ: they are only its place."""
        parts = _key(str(address)).split("/")
        keys = ("/".join(parts[i:]) for i in range(len(parts)))
        return next((self._by_key[key] for key in keys if key in self._by_key), None)


def review(
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
    return Reviewed({"annotatedResult": result}, actions, effort * seconds_per_box)


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


def _key(address: str) -> str:
    """The key of an S3 URI, or a path as it is. A key may hold ``?``, ``#`` and line breaks."""
    return address.split("/", 3)[-1] if address.startswith("s3://") else address.lstrip("/")
