"""Where a thing is by several workers' boxes: those of careful workers weigh more, and a box that lies off
the others hardly at all.

Each side of a worker's box lies about the true one with the worker's own spread, heavy-tailed (Student's t):
most people are exact mostly, and then far off once. Estimated by expectation maximisation, from the boxes
alone. Takes groups of boxes, of which each is one thing, of whatever class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from include.consensus.boxes import Floats, Ints, Rectangle

ROUNDS = 20
# As shares of a box's width or height: what is usual of people, and the least, for pixels are whole.
SPREAD = 0.05
LEAST = 0.005
SHRINK = 10.0  # boxes that the usual counts as against everybody's spread, and everybody's against a worker's
# Degrees of freedom. Of fewer than about five a mean without weights is worse than a median.
TAIL = 2.0
SIDES = 4


class Places:
    """Boxes, with the ``group`` and the ``worker`` of each (both numbers from 0)."""

    def __init__(self, boxes: Sequence[Rectangle], group: Ints, worker: Ints) -> None:
        rows = np.array([(box.left, box.top, box.width, box.height) for box in boxes], dtype=np.float64)
        left, top, width, height = rows.reshape(-1, 4).T
        self._sides = np.stack([left, top, left + width, top + height], axis=1)
        self._group, self._worker = group, worker
        self._groups = int(group.max(initial=-1)) + 1
        self._alone = np.bincount(group, minlength=self._groups)[group] == 1
        size = self._sums(np.stack([width, height, width, height], axis=1), np.ones(len(group)))
        self._size = np.maximum(size, 1e-9)[group]

    def locate(self, there: Floats, workers: int) -> tuple[Floats, Floats]:
        """The left, top, right and bottom of each group (G x 4), and the spread of each worker, from the
        probability that each group is ``there``.
        """
        spread = np.full(workers, SPREAD)
        weight = np.ones(len(self._group))
        counts = there[self._group] * ~self._alone
        for _ in range(ROUNDS):
            precision = weight / spread[self._worker] ** 2
            middle = self._sums(self._sides, precision)
            off = ((self._sides - middle[self._group]) / self._size) ** 2
            # What is not known of the true place belongs to the distance from it.
            unknown = 1 / np.bincount(self._group, precision, self._groups)[self._group]
            distance = off.mean(axis=1) + unknown
            weight = (TAIL + SIDES) / (TAIL + SIDES * distance / spread[self._worker] ** 2)
            spread = self._spread(counts, weight * distance, workers)
        return middle, spread

    def _spread(self, counts: Floats, squares: Floats, workers: int) -> Floats:
        of = np.bincount(self._worker, counts, workers)
        total = np.bincount(self._worker, counts * squares, workers)
        everybody = (total.sum() + SHRINK * SPREAD**2) / (of.sum() + SHRINK)
        found = np.sqrt((total + SHRINK * everybody) / (of + SHRINK))
        return np.asarray(np.maximum(found, LEAST))

    def _sums(self, values: Floats, weight: Floats) -> Floats:
        """The weighted mean of each group, G x 4."""
        total = np.bincount(self._group, weight, self._groups)
        columns = [np.bincount(self._group, weight * column, self._groups) / total for column in values.T]
        return np.stack(columns, axis=1)
