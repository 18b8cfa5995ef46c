"""The boxes that several workers' answers to one image come to.

Ground Truth's documents say that the most similar boxes of different workers, by intersection over union, are
averaged, and publish no threshold. Here boxes belong together when they have the same label and overlap by
half, the closest pairs first, one per worker; what more than half of the answering workers drew is kept.
``doubt.py`` is the alternative that asks what the others drew there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from include.consensus.grouping import join

MIN_IOU = 0.5
# Pairs of boxes that lie over each other. Three workers with a thousand boxes each on one spot have nearly so
# many; of a photograph there are a few for each thing.
MOST_PAIRS = 5_000_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rectangle(Protocol):
    """A place of an image in pixels, with an area, origin top left."""

    @property
    def left(self) -> float: ...

    @property
    def top(self) -> float: ...

    @property
    def width(self) -> float: ...

    @property
    def height(self) -> float: ...


class Labelled(Rectangle, Protocol):
    @property
    def label(self) -> str: ...


@dataclass(frozen=True)
class Box:
    """A box that a person drew, or a model."""

    label: str
    left: float
    top: float
    width: float
    height: float


B = TypeVar("B", bound=Labelled)

# Boxes of one thing, each with the number of the worker that drew it.
Group = list[tuple[int, B]]


@dataclass(frozen=True)
class AgreedBox(Generic[B]):
    """The boxes that were ``drawn`` of one thing, one for each worker, and the share of all workers that they
    are, in (0, 1].
    """

    drawn: tuple[B, ...]
    share: float

    @property
    def label(self) -> str:
        return self.drawn[0].label

    def mean(self, side: Callable[[B], float]) -> float:
        """The mean of what ``side`` says of each box, not rounded."""
        return sum(side(box) for box in self.drawn) / len(self.drawn)


class TooManyPairs(ValueError):
    """So many boxes on one spot that they cannot be told apart: no people drew them."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} pairs of boxes lie over each other")


def agree_on_boxes(answers: Sequence[Sequence[B]]) -> list[AgreedBox[B]]:
    """What more than half of the workers drew. ``answers`` has the boxes of each worker, each box once; the
    order of workers and boxes says nothing but between boxes that overlap alike.
    """
    return [
        AgreedBox(tuple(box for _, box in group), len(group) / len(answers))
        for group in group_boxes(answers)
        if 2 * len(group) > len(answers)
    ]


def group_boxes(answers: Sequence[Sequence[B]], any_label: bool = False) -> list[Group[B]]:
    """All boxes, those together that are of one thing: with ``any_label`` those of other labels too, after
    the ones of the same. TooManyPairs when that would take minutes to tell.
    """
    drawn = [(worker, box) for worker, boxes in enumerate(answers) for box in boxes]
    workers = np.array([worker for worker, _ in drawn], dtype=np.int64)
    labels = _ranks([box.label for _, box in drawn])
    ones, others, overlap = near([box for _, box in drawn], of_union, MIN_IOU)
    other_label = labels[ones] != labels[others]
    fit = (workers[ones] != workers[others]) & (any_label | ~other_label)
    ones, others, overlap, other_label = ones[fit], others[fit], overlap[fit], other_label[fit]
    # Between pairs that overlap alike the boxes decide, so that the order of the answers does not.
    rank = _ranks([(box.label, box.left, box.top, box.width, box.height) for _, box in drawn])
    low, high = np.minimum(rank[ones], rank[others]), np.maximum(rank[ones], rank[others])
    closest = np.lexsort((others, ones, high, low, -overlap, other_label))
    pairs = zip(ones[closest].tolist(), others[closest].tolist(), strict=True)
    return [[drawn[part] for part in group] for group in join(workers.tolist(), pairs)]


def near(
    boxes: Sequence[Rectangle], measure: Callable[[Floats, Floats, Floats], Floats], least: float
) -> tuple[Ints, Ints, Floats]:
    """The pairs of boxes (the lower index, the higher one) of which ``measure`` gives at least so much, and
    what it gives: of their common area and the areas of both. TooManyPairs when there are too many.
    """
    found: list[tuple[Ints, Ints, Floats]] = []
    count = 0
    for one, others, shared, area, areas in _touching(boxes):
        value = measure(shared, area, areas)
        others, value = others[value >= least], value[value >= least]
        found.append((np.minimum(one, others), np.maximum(one, others), value))
        count += len(others)
        if count > MOST_PAIRS:
            raise TooManyPairs(MOST_PAIRS)
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    low, high, values = zip(*found, strict=True)
    return np.concatenate(low), np.concatenate(high), np.concatenate(values)


def _touching(boxes: Sequence[Rectangle]) -> Iterator[tuple[int, Ints, Floats, Floats, Floats]]:
    """Each box with those to its right that may have pixels in common with it: their indices, the common
    areas, its own area and theirs. So of a thousand boxes few pairs are looked at.
    """
    rows = np.array([(box.left, box.top, box.width, box.height) for box in boxes], dtype=np.float64)
    left, top, width, height = rows.reshape(-1, 4).T
    right, bottom, areas = left + width, top + height, width * height
    order = np.argsort(left, kind="stable")
    ends = np.searchsorted(left[order], right[order])
    for place, (one, end) in enumerate(zip(order, ends, strict=True)):
        others = order[place + 1 : end]
        across = np.minimum(right[one], right[others]) - np.maximum(left[one], left[others])
        down = np.minimum(bottom[one], bottom[others]) - np.maximum(top[one], top[others])
        shared = np.clip(across, 0, None) * np.clip(down, 0, None)
        yield int(one), others, shared, areas[one], areas[others]


def of_union(shared: Floats, area: Floats, areas: Floats) -> Floats:
    """Intersection over union, from the areas that ``near`` knows."""
    return shared / (area + areas - shared)


def _ranks(values: Sequence[Any]) -> Ints:
    """The place of each value among all that there are; equal ones have the same."""
    places = {value: place for place, value in enumerate(sorted(set(values)))}
    return np.array([places[value] for value in values], dtype=np.int64)


def iou(one: Rectangle, other: Rectangle) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(0, width) * max(0, height)
    return both / (one.width * one.height + other.width * other.height - both)
