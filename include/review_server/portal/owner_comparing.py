"""How far answers to one item are apart, and what people made of the model's proposals. Pure.

Boxes belong together as in consolidation (``include.consensus.boxes``): same class, overlapping by half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from include.consensus.boxes import TooManyPairs, group_boxes
from include.review_server.portal.owner_reading import Box, Said

NOTHING = ""
# More people than this are not asked about one item; pairs grow with the square.
MOST_COMPARED = 12
# An answer is unlike the others when it is so far from them, and they so near to each other.
_FAR, _NEAR = 0.5, 0.25

Change = tuple[str, str]


def difference(one: Said, other: Said) -> float:
    """0 when two answers say the same, 1 when nothing is common to them; of the field that differs most."""
    return max((_of_field(one, other, name) for name in one.fields | other.fields), default=0.0)


def apart(answers: Sequence[Said]) -> list[float]:
    """How far each answer is from the others of its item, at the mean; of the first dozen."""
    answers = answers[:MOST_COMPARED]
    if len(answers) < 2:
        return [0.0] * len(answers)
    sums = [0.0] * len(answers)
    for (one, a), (other, b) in combinations(enumerate(answers), 2):
        far = difference(a, b)
        sums[one] += far
        sums[other] += far
    return [total / (len(answers) - 1) for total in sums]


def is_unlike(answers: Sequence[Said], at: int) -> bool:
    """Whether this answer stands against others who are of one mind; of three answers or more."""
    if not 3 <= len(answers) <= MOST_COMPARED:
        return False
    far = [difference(answers[at], other) for place, other in enumerate(answers) if place != at]
    rest = apart([answer for place, answer in enumerate(answers) if place != at])
    return sum(far) / len(far) > _FAR and sum(rest) / len(rest) <= _NEAR


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
    if not mine and not theirs:
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
    try:
        groups = group_boxes([list(dict.fromkeys(mine)), list(dict.fromkeys(theirs))])
    except TooManyPairs:
        return []
    pairs = []
    for group in groups:
        by_side = dict(group)
        if len(by_side) == 2:
            pairs.append((by_side[0], by_side[1]))
    return pairs
