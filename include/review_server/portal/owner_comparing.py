"""How far answers to one item are apart, and what people made of the model's proposals. Pure.

Boxes, and entities of a text, belong together as in consolidation (``include.consensus``): same class,
overlapping by half. None says that an answer has too many on one spot to be compared while somebody waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from include.consensus.boxes import Box, TooManyPairs
from include.consensus.pairs import MOST_NEAR, closest_pairs
from include.review_server.portal.owner_reading import Said

NOTHING = ""
# More people than this are not asked about one item; pairs grow with the square.
MOST_COMPARED = 12
# An answer is unlike the others when it is so far from them, and they so near to each other.
_FAR, _NEAR = 0.5, 0.25

Change = tuple[str, str]
Matrix = list[list[float | None]]


def difference(one: Said, other: Said) -> float | None:
    """0 when two answers say the same, 1 when nothing is common to them; of the field that differs most."""
    try:
        return max((_of_field(one, other, name) for name in one.fields | other.fields), default=0.0)
    except TooManyPairs:
        return None


def distances(answers: Sequence[Said]) -> Matrix:
    """How far each answer is from each other one of its item; of the first dozen."""
    answers = answers[:MOST_COMPARED]
    far: Matrix = [[0.0] * len(answers) for _ in answers]
    for (one, a), (other, b) in combinations(enumerate(answers), 2):
        far[one][other] = far[other][one] = difference(a, b)
    return far


def effort(answers: Sequence[Said]) -> int:
    """How many pairs of boxes are looked at for the distances of these answers, at most."""
    counts = [len(said.all_boxes) + len(said.all_spans) for said in answers[:MOST_COMPARED]]
    return sum(min(one * other, MOST_NEAR) for one, other in combinations(counts, 2))


def apart(far: Matrix, at: int) -> float | None:
    """How far an answer is from the others of its item, at the mean of those it could be compared with."""
    return _mean([value for place, value in enumerate(far[at]) if place != at])


def is_unlike(far: Matrix, at: int) -> bool:
    """Whether this answer stands against others who are of one mind; of three answers or more."""
    others = [place for place in range(len(far)) if place != at]
    mine, among = apart(far, at), _mean([far[one][other] for one, other in combinations(others, 2)])
    return mine is not None and among is not None and mine > _FAR and among <= _NEAR


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def changes(model: Said, person: Said) -> Counter[Change] | None:
    """What the model said → what the person said, each with how often; ``NOTHING`` for added and removed."""
    counted: Counter[Change] = Counter()
    try:
        if model.boxes:
            counted.update(_changed_boxes(model.all_boxes, person.all_boxes))
        if model.spans:
            counted.update(_changed_boxes(model.all_spans, person.all_spans))
    except TooManyPairs:
        return None
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
    for mine, theirs in ((one.boxes, other.boxes), (one.spans, other.spans)):
        if name in mine and name in theirs:
            return _of_boxes(mine[name], theirs[name])
    if name in one.classes and name in other.classes:
        said, meant = set(one.classes[name]), set(other.classes[name])
        return 1 - len(said & meant) / len(said | meant) if said | meant else 0.0
    if name in one.rest and name in other.rest:
        return float(one.rest[name] != other.rest[name])
    return 1.0


def _of_boxes(mine: Sequence[Box], theirs: Sequence[Box]) -> float:
    if not mine and not theirs:
        return 0.0
    same, left, rest = _parted(mine, theirs)
    pairs = same.total() + len(closest_pairs(left, rest))
    return 1 - 2 * pairs / (len(mine) + len(theirs))


def _changed_boxes(model: Sequence[Box], person: Sequence[Box]) -> Counter[Change]:
    """Boxes on the same place belong together, whatever their class."""
    same, left, rest = _parted(model, person)
    counted: Counter[Change] = Counter((box.label, box.label) for box in same.elements())
    # What is left on both sides may be one thing of which the class was changed.
    for any_label in (False, True):
        pairs = closest_pairs(left, rest, any_label)
        counted.update((left[one].label, rest[other].label) for one, other in pairs)
        before, after = {one for one, _ in pairs}, {other for _, other in pairs}
        left = [box for place, box in enumerate(left) if place not in before]
        rest = [box for place, box in enumerate(rest) if place not in after]
    counted.update((box.label, NOTHING) for box in left)
    counted.update((NOTHING, box.label) for box in rest)
    return counted


def _parted(mine: Sequence[Box], theirs: Sequence[Box]) -> tuple[Counter[Box], list[Box], list[Box]]:
    """Boxes that are the same on both sides to the last digit, and what else there is on each. Most boxes of
    a model stay as they are, so that there is little left to be compared.
    """
    one, other = Counter(mine), Counter(theirs)
    same = one & other
    return same, list((one - same).elements()), list((other - same).elements())
