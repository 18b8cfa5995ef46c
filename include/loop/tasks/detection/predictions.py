"""What a detector said about one image, as the algorithm documents it.

Takes one ``.out`` object or an endpoint's reply, gives its ``Detection`` values, best first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse

# A box may reach a little beyond the image; a side that is farther out is counted in pixels.
FARTHEST_SIDE = 2.0


@dataclass(frozen=True)
class Detection:
    """One predicted box: class index, score, and sides as fractions of the image (0 to 1)."""

    class_id: int
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float


def read_detections(payload: bytes, num_classes: int) -> list[Detection]:
    """The detections of one .out object, best first; BadRecord when it is not what the algorithm documents.

    Shape: ``{"prediction": [[class, score, xmin, ymin, xmax, ymax], …]}``; coordinates are clamped to the
    image.
    """
    return _read(payload, lambda row: _detection(row, num_classes))


def read_foreign(payload: bytes, num_classes: int, ids: Mapping[int, int]) -> list[Detection]:
    """The same of another model, whose classes may be others: ``ids`` has our class for each of its that is
    wanted; empty: it numbers them as we do. BadRecord also for scores that are not from 0 to 1, and for sides
    that are no shares of the image.
    """

    def read(row: Sequence[Any]) -> Detection | None:
        class_id, *rest = (float(value) for value in row)
        if class_id >= 0 and not all(0 <= score <= 1 for score in rest[:1]):
            raise ValueError(f"score must be from 0 to 1: {row}")
        if any(side > FARTHEST_SIDE for side in rest[1:]):
            raise ValueError(f"sides must be shares of the image, from 0 to 1, not pixels: {row}")
        if ids and class_id not in ids:
            return None
        return _detection([ids[int(class_id)] if ids else class_id, *rest], num_classes)

    return _read(payload, read)


def _read(payload: bytes, read: Callable[[Sequence[Any]], Detection | None]) -> list[Detection]:
    try:
        detections = [read(row) for row in parse(payload)["prediction"]]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadRecord(f"no prediction: unreadable output ({error})") from None
    return sorted((item for item in detections if item is not None), key=lambda item: -item.score)


def _detection(row: Sequence[Any], num_classes: int) -> Detection | None:
    class_id, score, *sides = (float(value) for value in row)
    if len(sides) != 4 or not all(map(math.isfinite, (class_id, score, *sides))):
        raise ValueError(f"not [class, score, xmin, ymin, xmax, ymax]: {row}")
    if class_id < 0:
        return None  # the algorithm's padding rows
    if class_id != int(class_id) or class_id >= num_classes:
        raise ValueError(f"class {class_id:g} is not one of {num_classes}")
    xmin, ymin, xmax, ymax = (min(max(side, 0.0), 1.0) for side in sides)
    return Detection(int(class_id), score, xmin, ymin, xmax, ymax)
