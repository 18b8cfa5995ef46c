"""How far two labels of one image agree, box by box."""

from __future__ import annotations

from collections.abc import Sequence

from include.consensus.boxes import MIN_IOU, iou
from include.loop.tasks.detection.learnable import ManifestBox
from include.loop.tasks.values import Agreement


def compare_boxes(first: Sequence[ManifestBox], second: Sequence[ManifestBox]) -> Agreement:
    """The same: every box has one of its class on the other side, with an IoU of at least 0.5, as for the
    answers of several reviewers. ``overlaps`` are the IoU of all pairs of one class that lie together.
    """
    pairs = _pairs(first, second)
    same = len(first) == len(second) == sum(overlap >= MIN_IOU for overlap in pairs)
    return Agreement(same, tuple(pairs))


def _pairs(first: Sequence[ManifestBox], second: Sequence[ManifestBox]) -> list[float]:
    """IoU of the boxes of one class that lie together, the closest first, each box once."""
    found = sorted(
        (
            (overlap, i, j)
            for i, one in enumerate(first)
            for j, other in enumerate(second)
            if one.class_id == other.class_id and (overlap := iou(one, other)) > 0
        ),
        reverse=True,
    )
    ones, others, overlaps = set(), set(), []
    for overlap, i, j in found:
        if i not in ones and j not in others:
            ones.add(i)
            others.add(j)
            overlaps.append(overlap)
    return overlaps
