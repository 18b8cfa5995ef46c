"""Scenes whose boxes have errors of a known kind, as a model's pre-labels have them.

``plant(seed)`` gives the same pictures, boxes and errors for the same seed: a box that is missing, a wrong
class, a box that lies beside its digit, a box too much, and pictures that are right. ``faults`` holds an
answer against the truth.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from include.samples.scenes import SIDE, Box, Scene, draw

Error = Literal["missing", "wrong class", "shifted", "too much"]
ERRORS: tuple[Error, ...] = ("missing", "wrong class", "shifted", "too much")
CLASSES = list("0123456789")
RIGHT = 3  # pixels within which each side of a box must lie: what a person sees at once
_EVERY = 6  # one picture of six is right as it is
_SHIFT = (5, 12)  # pixels, in both directions


@dataclass(frozen=True)
class Planted:
    """One picture: the boxes that are true, and those that a person is shown."""

    scene: Scene
    shown: tuple[Box, ...]
    errors: tuple[Error, ...]

    @property
    def truth(self) -> tuple[Box, ...]:
        return self.scene.boxes


def plant(seed: int, pictures: int = 30) -> list[Planted]:
    """Pictures by night: each sixth is right, the others have two to four errors, each of another box."""
    chance = random.Random(seed)
    made: list[Planted] = []
    number = 0
    while len(made) < pictures:
        scene = draw("night", "test", seed, number)
        number += 1
        is_right = len(made) % _EVERY == _EVERY - 1
        if not is_right and len(scene.boxes) < 3:
            continue
        errors = () if is_right else tuple(chance.choices(ERRORS, k=chance.choice((2, 3, 3, 4))))
        if planted := _planted(scene, errors, chance):
            made.append(planted)
    return made


def faults(answer: Sequence[dict[str, Any]], truth: Sequence[Box]) -> list[str]:
    """What is wrong with an answer's boxes; nothing when it is right."""
    left = list(answer)
    found = []
    for box in truth:
        match = next((each for each in left if same(each, box)), None)
        if match is None:
            found.append(f"no box like {box}")
        else:
            left.remove(match)
    return found + [f"no digit is at {each}" for each in left]


def same(box: dict[str, Any], other: Box) -> bool:
    """Whether a stored box is the other one, as far as people can tell."""
    return box["label"] == other.label and all(
        abs(one - two) <= RIGHT
        for one, two in (
            (box["left"], other.left),
            (box["top"], other.top),
            (box["left"] + box["width"], other.left + other.width),
            (box["top"] + box["height"], other.top + other.height),
        )
    )


def _planted(scene: Scene, errors: tuple[Error, ...], chance: random.Random) -> Planted | None:
    """The scene with these errors, each of another box; None when it has not enough boxes or room."""
    boxes: list[Box | None] = list(scene.boxes)
    of_boxes = [error for error in errors if error != "too much"]
    if len(of_boxes) > len(boxes):
        return None
    for index, error in zip(chance.sample(range(len(boxes)), len(of_boxes)), of_boxes, strict=True):
        change = {"missing": _missing, "wrong class": _renamed, "shifted": _shifted}[error]
        boxes[index] = change(scene.boxes[index], chance)
        if error == "shifted" and boxes[index] is None:
            return None
    shown = [box for box in boxes if box is not None]
    for _ in range(errors.count("too much")):
        extra = _extra([*shown, *scene.boxes], chance)
        if extra is None:
            return None
        shown.insert(chance.randrange(len(shown) + 1), extra)
    return Planted(scene, tuple(shown), errors)


def _missing(_box: Box, _chance: random.Random) -> None:
    return None


def _renamed(box: Box, chance: random.Random) -> Box:
    return replace(box, label=chance.choice([label for label in CLASSES if label != box.label]))


def _shifted(box: Box, chance: random.Random) -> Box | None:
    """The box moved both ways, still inside of the picture."""
    for _ in range(20):
        left = box.left + chance.choice((-1, 1)) * chance.randint(*_SHIFT)
        top = box.top + chance.choice((-1, 1)) * chance.randint(*_SHIFT)
        if 0 <= left <= SIDE - box.width and 0 <= top <= SIDE - box.height:
            return replace(box, left=left, top=top)
    return None


def _extra(taken: list[Box], chance: random.Random) -> Box | None:
    """A box where there is no digit."""
    for _ in range(200):
        width, height = chance.randint(14, 26), chance.randint(22, 36)
        left, top = chance.randint(0, SIDE - width), chance.randint(0, SIDE - height)
        if all(
            left + width <= box.left
            or box.left + box.width <= left
            or top + height <= box.top
            or box.top + box.height <= top
            for box in taken
        ):
            return Box(chance.choice(CLASSES), left, top, width, height)
    return None
