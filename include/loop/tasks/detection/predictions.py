"""What a detector said about one image, as the algorithm documents it.

Takes one ``.out`` object or an endpoint's reply, gives its ``Detection`` values, best first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse


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
    try:
        rows = parse(payload)["prediction"]
        detections = [_detection(row, num_classes) for row in rows]
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
