"""How far two labels of one image agree, box by box."""

from __future__ import annotations

from collections.abc import Sequence

from include.loop.tasks.detection.consensus import MIN_IOU
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
            if one.class_id == other.class_id and (overlap := _iou(one, other)) > 0
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


def _iou(one: ManifestBox, other: ManifestBox) -> float:
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(width, 0.0) * max(height, 0.0)
    return both / (one.width * one.height + other.width * other.height - both)
