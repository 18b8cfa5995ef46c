"""Boxes for training: what several workers agree on, or the word that they do not.

The careful alternative to ``boxes.py``, whose groups it takes. Ground Truth's consolidation always gives a
label, and a training image with a box left out teaches that nothing is there. So here the boxes that have no
majority are asked about:

- Drawn by exactly half of the workers: there is no majority for it and none against it. The image has no
  label.
- Drawn by fewer: outvoted and left out, unless half of the workers or more drew something without a majority
  at that place (boxes of any label of which one lies half within the other): then they say that something is
  there, but not what or how large. The image has no label. A second box of a worker around what a kept box of
  theirs is around is no voice.

A worker who is alone is a majority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from include.consensus.boxes import MIN_IOU, AgreedBox, B, Floats, Group, group_boxes, iou, near

MIN_SHARED = 0.5  # of the smaller of two boxes: less of it, and they speak of different things


class BoxesInDoubt(ValueError):
    """There is no majority either way about ``boxes``, which are those of the answers."""

    def __init__(self, boxes: Sequence[Any]) -> None:
        super().__init__("reviewers disagree")
        self.boxes = tuple(boxes)


def agree_or_doubt(answers: Sequence[Sequence[B]]) -> list[AgreedBox[B]]:
    """The boxes that more than half of the workers drew. BoxesInDoubt when it is open whether, or as what, a
    box belongs to them.
    """
    agreed: list[AgreedBox[B]] = []
    left: list[Group[B]] = []
    kept: Group[B] = []
    for group in group_boxes(answers):
        if 2 * len(group) > len(answers):
            agreed.append(AgreedBox(tuple(box for _, box in group), len(group) / len(answers)))
            kept += group
        else:
            left.append(group)
    # Who has drawn a kept box nearly twice says no second thing about its place.
    left = [group for group in left if 2 * len(group) >= len(answers) or not _repeats(group, kept)]
    if doubtful := _doubtful(left, len(answers)):
        raise BoxesInDoubt(doubtful)
    return agreed


def _doubtful(groups: Sequence[Group[B]], workers: int) -> list[B]:
    """Of the boxes without a majority those that have none against them."""
    return [box for box, size, voices in _voices(groups) if 2 * max(size, voices) >= workers]


def contested(groups: Sequence[Group[B]], workers: int) -> list[B]:
    """Of groups that are left out each for itself, the boxes at whose place half of the workers or more drew
    something, though not the same.
    """
    return [box for box, size, voices in _voices(groups) if voices > size and 2 * voices >= workers]


def _voices(groups: Sequence[Group[B]]) -> Iterator[tuple[B, int, int]]:
    """Each box, the size of its group, and how many workers drew something at its place."""
    drawn = [item for group in groups for item in group]
    sizes = [len(group) for group in groups for _ in group]
    there = [{worker} for worker, _ in drawn]
    ones, others, _ = near([box for _, box in drawn], _of_smaller, MIN_SHARED)
    for i, j in zip(ones.tolist(), others.tolist(), strict=True):
        there[i].add(drawn[j][0])
        there[j].add(drawn[i][0])
    for (_, box), size, voices in zip(drawn, sizes, there, strict=True):
        yield box, size, len(voices)


def _of_smaller(shared: Floats, area: Floats, areas: Floats) -> Floats:
    return shared / np.minimum(area, areas)


def _repeats(group: Group[B], kept: Group[B]) -> bool:
    """Whether each of these workers has drawn the same thing in a box that is kept."""
    return all(
        any(
            worker == other and box.label == there.label and iou(box, there) >= MIN_IOU
            for other, there in kept
        )
        for worker, box in group
    )
