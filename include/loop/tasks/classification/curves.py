"""The ROC and precision-recall curves of a classifier, thinned for a page.

Takes a table, gives the curves of all classes together (of every image and class, as "micro" means it) and,
where there are not too many to be looked at, of each class against the rest. The areas that are told beside
them come from the whole curves (metrics.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from include.loop.core.records.metrics import Curve, Point
from include.loop.tasks.classification.table import Bools, Table
from include.loop.tasks.measuring import Floats

# A curve of so many points looks like the whole one at the size of a page.
POINTS = 40
# So many small curves can be looked at, and kept with every evaluation.
MOST_CLASSES = 12


def curves(table: Table, classes: Sequence[str]) -> tuple[Curve, ...]:
    """All together first, by an empty name. A class that cannot be measured has none."""
    found = [_curve("", table.truth.ravel(), table.scores.ravel())]
    if len(classes) <= MOST_CLASSES:
        found += [
            _curve(label, table.truth[:, index], table.scores[:, index])
            for index, label in enumerate(classes)
        ]
    return tuple(curve for curve in found if curve)


def _curve(name: str, truth: Bools, scores: Floats) -> Curve | None:
    """None without a positive or without a negative."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not truth.any() or truth.all():
        return None
    false, true, _ = roc_curve(truth, scores)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return Curve(name=name, roc=_thin(false, true), pr=_thin(recall[::-1], precision[::-1]))


def _thin(x: Floats, y: Floats) -> tuple[Point, ...]:
    """At most ``POINTS`` of the points, evenly along the way, both ends among them."""
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    places = np.searchsorted(way, np.linspace(0, way[-1], POINTS)) if len(x) > POINTS else np.arange(len(x))
    places = np.unique(np.concatenate(([0], np.minimum(places, len(x) - 1), [len(x) - 1])))
    if len(places) > POINTS:  # with an end of its own
        places = np.delete(places, len(places) // 2)
    return tuple((round(float(x[place]), 4), round(float(y[place]), 4)) for place in places)
