"""Shares of counts, as every task measures with them; what there is nothing of is NaN or None, never 0.

Takes counts and scores, gives ratios, means over classes, and how far scores can be taken at their word.
Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.loop.core.records.metrics import ReliabilityBin, finite

Floats = NDArray[np.float64]
BINS = 10


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Element by element; NaN where there is nothing to divide by."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def mean_over_classes(values: Floats) -> Floats:
    """Mean of each row over its numbers; NaN for a row without one."""
    there = np.isfinite(values)
    return ratio(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1))


def share(part: int, whole: int) -> float | None:
    return finite(part / whole) if whole else None


def calibration(
    score: Floats, right: NDArray[np.bool_], lowest: float
) -> tuple[float | None, tuple[ReliabilityBin, ...]]:
    """How far scores are from the share of predictions that is right, among those of ``lowest`` or more.

    The mean distance, weighted by count (expected calibration error), and the bins of scores that it is taken
    over.
    """
    counted = score >= lowest
    score, right = score[counted], right[counted]
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    reliability = []
    distance = 0.0
    for index in range(int(lowest * BINS), BINS):
        own = bins == index
        count = int(own.sum())
        if count:
            distance += count * abs(score[own].mean() - right[own].mean())
        reliability.append(
            ReliabilityBin(
                low=round(index / BINS, 5),
                high=round((index + 1) / BINS, 5),
                count=count,
                mean_score=finite(score[own].mean()) if count else None,
                precision=finite(right[own].mean()) if count else None,
            )
        )
    return finite(distance / len(score)) if len(score) else None, tuple(reliability)
