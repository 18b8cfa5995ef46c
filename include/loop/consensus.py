"""One list of boxes from several workers' answers.

Takes the usable answers of one image (A2I does not consolidate them), gives the boxes a majority agrees on.
Boxes belong together when they have the same label and overlap by half (IoU), one per worker; the sides are
averaged; the confidence is the share of workers that drew the box. The order of the answers does not matter.
Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from include.loop.answers import Answer, Box

MIN_IOU = 0.5


@dataclass(frozen=True)
class AgreedBox:
    """A box and the share of the workers that drew it, in (0, 1]."""

    box: Box
    confidence: float


def agree(answers: Sequence[Answer]) -> list[AgreedBox]:
    """The boxes that more than half of the workers drew, in the order of ``Box``."""
    if not answers:
        raise ValueError("a consensus needs at least one answer")
    ordered = sorted(answers, key=lambda answer: (answer.worker, answer.submitted, sorted(answer.boxes)))
    drawn = [(worker, box) for worker, answer in enumerate(ordered) for box in sorted(answer.boxes)]
    groups = [group for group in _group(drawn) if 2 * len(group) > len(answers)]
    agreed = [AgreedBox(_average(group), round(len(group) / len(answers), 4)) for group in groups]
    return sorted(agreed, key=lambda item: (item.box, item.confidence))


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


def _group(drawn: Sequence[tuple[int, Box]]) -> list[list[Box]]:
    """Join the closest pairs first, never two boxes of one worker."""
    pairs = []
    for (i, (worker, box)), (j, (other_worker, other)) in combinations(enumerate(drawn), 2):
        if worker != other_worker and box.label == other.label and (overlap := iou(box, other)) >= MIN_IOU:
            pairs.append((-overlap, min(box, other), max(box, other), i, j))
    group_of = {index: {index} for index in range(len(drawn))}
    for _, _, _, i, j in sorted(pairs):
        together = group_of[i] | group_of[j]
        if len({drawn[index][0] for index in together}) == len(together):
            for index in together:
                group_of[index] = together
    unique = {min(group): group for group in group_of.values()}
    return [[drawn[index][1] for index in sorted(group)] for _, group in sorted(unique.items())]


def _average(group: Sequence[Box]) -> Box:
    """The mean of each side, so that the result lies within the hull of the boxes."""
    count = len(group)
    left = round(sum(box.left for box in group) / count)
    top = round(sum(box.top for box in group) / count)
    right = round(sum(box.left + box.width for box in group) / count)
    bottom = round(sum(box.top + box.height for box in group) / count)
    return Box(group[0].label, left, top, max(1, right - left), max(1, bottom - top))
