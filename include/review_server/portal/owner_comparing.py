"""How far answers to one item are apart, and what people made of the model's proposals. Pure.

Boxes belong together as in consolidation (``include.consensus.boxes``): same class, overlapping by half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from include.consensus.boxes import MIN_IOU
from include.review_server.portal.owner_reading import Box, Said

NOTHING = ""
# More people than this are not asked about one item; pairs grow with the square.
MOST_COMPARED = 12
# An answer is unlike the others when it is so far from them, and they so near to each other.
_FAR, _NEAR = 0.5, 0.25

Change = tuple[str, str]
Matrix = list[list[float]]


def difference(one: Said, other: Said) -> float:
    """0 when two answers say the same, 1 when nothing is common to them; of the field that differs most."""
    return max((_of_field(one, other, name) for name in one.fields | other.fields), default=0.0)


def distances(answers: Sequence[Said]) -> Matrix:
    """How far each answer is from each other one of its item; of the first dozen."""
    answers = answers[:MOST_COMPARED]
    far = [[0.0] * len(answers) for _ in answers]
    for (one, a), (other, b) in combinations(enumerate(answers), 2):
        far[one][other] = far[other][one] = difference(a, b)
    return far


def apart(far: Matrix, at: int) -> float:
    """How far an answer is from the others of its item, at the mean."""
    return sum(far[at]) / (len(far) - 1)


def is_unlike(far: Matrix, at: int) -> bool:
    """Whether this answer stands against others who are of one mind; of three answers or more."""
    others = [place for place in range(len(far)) if place != at]
    if len(others) < 2:
        return False
    among = [far[one][other] for one, other in combinations(others, 2)]
    return apart(far, at) > _FAR and sum(among) / len(among) <= _NEAR


def changes(model: Said, person: Said) -> Counter[Change]:
    """What the model said → what the person said, each with how often; ``NOTHING`` for added and removed."""
    counted: Counter[Change] = Counter()
    if model.boxes:
        counted.update(_changed_boxes(model.all_boxes, person.all_boxes))
    if model.classes and person.classes:
        said, meant = set(model.all_classes), set(person.all_classes)
        counted.update((name, name) for name in said & meant)
        gone, new = sorted(said - meant), sorted(meant - said)
        if len(gone) == len(new) == 1:
            counted[gone[0], new[0]] += 1
        else:
            counted.update((name, NOTHING) for name in gone)
            counted.update((NOTHING, name) for name in new)
    return counted


def _of_field(one: Said, other: Said, name: str) -> float:
    if name in one.boxes and name in other.boxes:
        return _of_boxes(one.boxes[name], other.boxes[name])
    if name in one.classes and name in other.classes:
        mine, theirs = set(one.classes[name]), set(other.classes[name])
        return 1 - len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0
    if name in one.rest and name in other.rest:
        return float(one.rest[name] != other.rest[name])
    return 1.0


def _of_boxes(mine: Sequence[Box], theirs: Sequence[Box]) -> float:
    if Counter(mine) == Counter(theirs):
        return 0.0
    return 1 - 2 * len(_pairs(mine, theirs)) / (len(mine) + len(theirs))


def _changed_boxes(model: Sequence[Box], person: Sequence[Box]) -> Counter[Change]:
    """Boxes on the same place belong together, whatever their class."""
    same = [(box, other) for box, other in _pairs(model, person)]
    counted: Counter[Change] = Counter((box.label, other.label) for box, other in same)
    left = Counter(model) - Counter(box for box, _ in same)
    rest = Counter(person) - Counter(box for _, box in same)
    # What is left on both sides may be one thing of which the class was changed.
    moved = _pairs(
        [replace(box, label=NOTHING) for box in left.elements()],
        [replace(box, label=NOTHING) for box in rest.elements()],
    )
    for box, other in moved:
        before = next(known for known in left.elements() if replace(known, label=NOTHING) == box)
        after = next(known for known in rest.elements() if replace(known, label=NOTHING) == other)
        counted[before.label, after.label] += 1
        left[before] -= 1
        rest[after] -= 1
    counted.update((box.label, NOTHING) for box in left.elements())
    counted.update((NOTHING, box.label) for box in rest.elements())
    return counted


def _pairs(mine: Sequence[Box], theirs: Sequence[Box]) -> list[tuple[Box, Box]]:
    """Boxes of the same class that overlap enough, the closest first, each in one pair."""
    mine, theirs = list(dict.fromkeys(mine)), list(dict.fromkeys(theirs))
    if not mine or not theirs:
        return []
    codes: dict[str, int] = {}
    one, other = (
        np.array(
            [(codes.setdefault(b.label, len(codes)), b.left, b.top, b.width, b.height) for b in boxes]
        ).T[:, :, None]
        for boxes in (mine, theirs)
    )
    other = other.transpose(0, 2, 1)
    sides = [
        np.minimum(one[start] + one[size], other[start] + other[size]) - np.maximum(one[start], other[start])
        for start, size in ((1, 3), (2, 4))
    ]
    both = np.clip(sides[0], 0, None) * np.clip(sides[1], 0, None)
    overlap = both / (one[3] * one[4] + other[3] * other[4] - both)
    rows, columns = np.nonzero((overlap >= MIN_IOU) & (one[0] == other[0]))
    pairs, used = [], (set[int](), set[int]())
    for place in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in used[0] and column not in used[1]:
            used[0].add(row)
            used[1].add(column)
            pairs.append((mine[row], theirs[column]))
    return pairs
