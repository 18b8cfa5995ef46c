"""Boxes of one image beside other boxes of the same image: which lie together, and how far they agree.

The rule is that of AWS's object-detection example: boxes in the order of their confidence, each takes the
free reference box that it overlaps most, however little, whatever the classes. An image's IoU is the mean
over all pairs and a 0 for every box and every reference that is left over, so that invented and missed boxes
count. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """``pairs`` are indices of a box and of its reference, ``overlaps`` the IoU of each."""

    pairs: tuple[tuple[int, int], ...]
    overlaps: tuple[float, ...]
    boxes: int
    references: int

    @property
    def things(self) -> int:
        """Pairs, boxes without a reference and references without a box: what the mean is taken over."""
        return self.boxes + self.references - len(self.pairs)

    @property
    def iou(self) -> float:
        """Of the image; 1 where neither side has a box."""
        return sum(self.overlaps) / self.things if self.things else 1.0


def match(boxes: Floats, references: Floats, confidences: Sequence[float] = ()) -> Match:
    """Boxes are rows of left, top, width and height. Without confidences, and among equal ones, the closest
    pair comes first, so that nothing depends on the order of the boxes.
    """
    if not (len(boxes) and len(references)):
        return Match((), (), len(boxes), len(references))
    overlap = _overlaps(boxes, references)
    rows, columns = np.nonzero(overlap)
    found = overlap[rows, columns]
    trust = np.asarray(confidences, dtype=np.float64)[rows] if len(confidences) else np.zeros(len(rows))
    free, left = set(range(len(boxes))), set(range(len(references)))
    pairs, overlaps = [], []
    for place in np.lexsort((columns, rows, -found, -trust)):
        box, reference = int(rows[place]), int(columns[place])
        if box in free and reference in left:
            free.remove(box)
            left.remove(reference)
            pairs.append((box, reference))
            overlaps.append(float(found[place]))
    return Match(tuple(pairs), tuple(overlaps), len(boxes), len(references))


def _overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union, B x O; 0 where both are empty."""
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])
    end = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], others[None, :, :2] + others[None, :, 2:])
    shared = np.clip(end - start, 0, None).prod(axis=2)
    union = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)[None, :] - shared
    # Of one box with itself it may come to a hair more than 1.
    return np.minimum(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), 1.0)
