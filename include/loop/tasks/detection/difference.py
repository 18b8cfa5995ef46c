"""How far two answers of detectors to the same image are apart."""

from __future__ import annotations

from collections.abc import Sequence

from include.loop.tasks.detection.predictions import Detection

# Detections below this score come and go with the last bits of a float (both sides are cut at a rank).
MIN_SCORE = 0.1


def largest_difference(expected: Sequence[Detection], answer: Sequence[Detection]) -> float:
    """How far two lists of detections are apart, in whatever order: 0 when they are the same.

    Each detection is paired with the nearest one of its class on the other side; the distance of a pair is
    the largest difference of its scores and sides. One that finds no partner is its whole score away.
    """
    pairs = sorted(
        (_distance(one, other), i, j)
        for i, one in enumerate(expected)
        for j, other in enumerate(answer)
        if one.class_id == other.class_id and max(one.score, other.score) >= MIN_SCORE
    )
    left, right = set(range(len(expected))), set(range(len(answer)))
    largest = 0.0
    for distance, i, j in pairs:
        if i in left and j in right:
            # Two that have nothing to do with each other are both missing on the other side.
            largest = max(largest, min(distance, max(expected[i].score, answer[j].score)))
            left.discard(i)
            right.discard(j)
    alone = [expected[i].score for i in left] + [answer[j].score for j in right]
    return max([largest, *(score for score in alone if score >= MIN_SCORE)])


def _distance(one: Detection, other: Detection) -> float:
    return max(
        abs(getattr(one, name) - getattr(other, name)) for name in ("score", "xmin", "ymin", "xmax", "ymax")
    )
