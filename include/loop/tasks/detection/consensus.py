"""One list of boxes from several workers' answers, or the word that they disagree.

Takes the usable answers of one image (A2I does not consolidate them), and decides box by box. Boxes belong
together when they have the same label and overlap by half (IoU), one per worker; the sides are averaged.

- Drawn by more than half of the workers: the box is kept; its confidence is the share that drew it.
- Drawn by exactly half: there is no majority for it and none against it. The image has no label, for a
  training image with a box left out teaches that nothing is there.
- Drawn by fewer: outvoted and left out, unless half of the workers or more drew something without a majority
  at that place (boxes of any label of which one lies half within the other): then they say that something is
  there, but not what or how large. The image has no label. A second box of a worker around what a kept box of
  theirs is around is no voice.

A worker who is alone is a majority: one usable answer of several that were asked for is a label. The order of
the answers does not matter. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from include.loop.tasks.detection.answers import Box, BoxAnswer
from include.loop.tasks.values import ReviewersDisagree

MIN_IOU = 0.5
MIN_SHARED = 0.5  # of the smaller of two boxes: less of it, and they speak of different things

# Boxes of one thing, each with the number of the worker that drew it.
Group = list[tuple[int, Box]]


@dataclass(frozen=True)
class AgreedBox:
    """A box and the share of the workers that drew it, in (0, 1]."""

    box: Box
    confidence: float


class BoxesInDoubt(ReviewersDisagree):
    """There is no majority either way about ``boxes``."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        super().__init__()
        self.boxes = tuple(boxes)


def agree(answers: Sequence[BoxAnswer]) -> list[AgreedBox]:
    """The boxes that more than half of the workers drew, in the order of ``Box``. BoxesInDoubt when it is
    open whether, or as what, a box belongs to them.
    """
    if not answers:
        raise ValueError("a consensus needs at least one answer")
    ordered = sorted(answers, key=lambda answer: (answer.submitted, answer.worker, sorted(answer.boxes)))
    drawn = [(worker, box) for worker, answer in enumerate(ordered) for box in sorted(answer.boxes)]
    agreed, left = [], []
    kept: Group = []
    for group in _group(drawn):
        if 2 * len(group) > len(answers):
            boxes = [box for _, box in group]
            agreed.append(AgreedBox(_average(boxes), round(len(group) / len(answers), 4)))
            kept += group
        else:
            left.append(group)
    # Who has drawn a kept box nearly twice says no second thing about its place.
    left = [group for group in left if 2 * len(group) >= len(answers) or not _repeats(group, kept)]
    if doubtful := _doubtful(left, len(answers)):
        raise BoxesInDoubt(doubtful)
    return sorted(agreed, key=lambda item: (item.box, item.confidence))


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    both = _common(one, other)
    return both / (one.width * one.height + other.width * other.height - both)


def _common(one: Box, other: Box) -> int:
    """The pixels that lie in both."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return max(0, width) * max(0, height)


def _doubtful(groups: Sequence[Group], workers: int) -> list[Box]:
    """Of the boxes without a majority those that have none against them, in the order of ``Box``."""
    drawn = [item for group in groups for item in group]
    sizes = [len(group) for group in groups for _ in group]
    there = [{worker} for worker, _ in drawn]
    for i, j in _touching([box for _, box in drawn]):
        if _same_place(drawn[i][1], drawn[j][1]):
            there[i].add(drawn[j][0])
            there[j].add(drawn[i][0])
    return sorted(
        box
        for (_, box), size, others in zip(drawn, sizes, there, strict=True)
        if 2 * max(size, len(others)) >= workers
    )


def _repeats(group: Group, kept: Group) -> bool:
    """Whether each of these workers has drawn the same thing in a box that is kept."""
    return all(
        any(
            worker == other and box.label == there.label and iou(box, there) >= MIN_IOU
            for other, there in kept
        )
        for worker, box in group
    )


def _touching(boxes: Sequence[Box]) -> Iterator[tuple[int, int]]:
    """The index pairs of boxes that may have pixels in common, the lower index first: from left to right, so
    that of a thousand boxes few pairs are looked at.
    """
    order = sorted(range(len(boxes)), key=lambda index: boxes[index].left)
    for place, i in enumerate(order):
        right = boxes[i].left + boxes[i].width
        for j in islice(order, place + 1, None):
            if boxes[j].left >= right:
                break
            yield min(i, j), max(i, j)


def _same_place(one: Box, other: Box) -> bool:
    smaller = min(one.width * one.height, other.width * other.height)
    return _common(one, other) >= MIN_SHARED * smaller


def _group(drawn: Sequence[tuple[int, Box]]) -> list[Group]:
    """Join the closest pairs first, never two boxes of one worker."""
    pairs = []
    for i, j in _touching([box for _, box in drawn]):
        (worker, box), (other_worker, other) = drawn[i], drawn[j]
        if worker != other_worker and box.label == other.label and (overlap := iou(box, other)) >= MIN_IOU:
            pairs.append((-overlap, min(box, other), max(box, other), i, j))
    group_of = {index: {index} for index in range(len(drawn))}
    for _, _, _, i, j in sorted(pairs):
        together = group_of[i] | group_of[j]
        if len({drawn[index][0] for index in together}) == len(together):
            for index in together:
                group_of[index] = together
    unique = {min(group): group for group in group_of.values()}
    return [[drawn[index] for index in sorted(group)] for _, group in sorted(unique.items())]


def _average(group: Sequence[Box]) -> Box:
    """The mean of each side, so that the result lies within the hull of the boxes."""
    count = len(group)
    left = round(sum(box.left for box in group) / count)
    top = round(sum(box.top for box in group) / count)
    right = round(sum(box.left + box.width for box in group) / count)
    bottom = round(sum(box.top + box.height for box in group) / count)
    return Box(group[0].label, left, top, max(1, right - left), max(1, bottom - top))
