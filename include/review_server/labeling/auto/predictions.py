"""What a model says of one image: read from a transform job's output, measured against people, made a label.

Takes the bytes that a container wrote, so nothing in them is believed: what is no prediction for these
classes is None, and its image goes to people. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np

from include.review_server.labeling.auto.algorithms import CLASSIFICATION, Algorithm
from include.wire import strictjson

# A box is a label from this score on; below the lower one it does not make its image doubtful.
_LABEL_SCORE, _DOUBTFUL_SCORE = 0.5, 0.1
_MOST_BOXES = 1_000

Box = dict[str, Any]


@dataclass(frozen=True)
class Prediction:
    """``confidence`` says how far the label can be taken at its word, 0 to 1; it is of the whole image.

    ``value`` is the label as a manifest has it, ``confidences`` one for the class or one for each box.
    """

    confidence: float
    value: Any
    confidences: tuple[float, ...]


def read_prediction(algorithm: Algorithm, output: bytes, classes: int) -> Prediction | None:
    """From an ``.out`` object; None when it is nothing that this algorithm says of so many classes."""
    try:
        said = strictjson.loads(output)
        return _class(said, classes) if algorithm is CLASSIFICATION else _boxes(said, classes)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        return None


def label(
    algorithm: Algorithm,
    prediction: Prediction,
    attribute: str,
    categories: Sequence[str],
    job: str,
    now: datetime,
) -> dict[str, Any]:
    """Attribute and metadata of a machine label; ``job`` is ``labeling-job/<name>``."""
    made = now.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if algorithm is CLASSIFICATION:
        metadata: dict[str, Any] = {
            "confidence": prediction.confidences[0],
            "job-name": job,
            "class-name": categories[prediction.value],
            "human-annotated": "no",
            "creation-date": made,
            "type": "groundtruth/image-classification",
        }
    else:
        used = sorted({box["class_id"] for box in prediction.value["annotations"]})
        metadata = {
            "objects": [{"confidence": confidence} for confidence in prediction.confidences],
            "class-map": {str(index): categories[index] for index in used},
            "type": "groundtruth/object-detection",
            "human-annotated": "no",
            "creation-date": made,
            "job-name": job,
        }
    return {attribute: prediction.value, f"{attribute}-metadata": metadata}


def agrees(prediction: Prediction, truth: Any) -> bool:
    """Whether the class is the one that people gave: a number, or the same as text."""
    return str(prediction.value) == str(truth)


def overlaps(prediction: Prediction, truth: Mapping[str, Any], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """For each class the sum of the IoUs of its boxes, predicted and missed, and how many these are.

    Closest pairs first, of the same class; a box without a partner counts with 0.
    """
    sums, counts = np.zeros(classes), np.zeros(classes)
    for index in range(classes):
        found = [box for box in prediction.value["annotations"] if box["class_id"] == index]
        known = [box for box in truth["annotations"] if int(box["class_id"]) == index]
        pairs = sorted(
            ((iou(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(known)), reverse=True
        )
        taken: set[tuple[str, int]] = set()
        for overlap, i, j in pairs:
            if overlap > 0 and not {("found", i), ("known", j)} & taken:
                taken |= {("found", i), ("known", j)}
                sums[index] += overlap
        counts[index] = len(found) + len(known) - len(taken) // 2
    return sums, counts


def iou(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Intersection over union of two boxes by left, top, width, height."""
    across = min(a["left"] + a["width"], b["left"] + b["width"]) - max(a["left"], b["left"])
    down = min(a["top"] + a["height"], b["top"] + b["height"]) - max(a["top"], b["top"])
    shared = max(across, 0) * max(down, 0)
    whole = a["width"] * a["height"] + b["width"] * b["height"] - shared
    return shared / whole if whole > 0 else 0.0


def _class(said: Any, classes: int) -> Prediction | None:
    scores = said["prediction"] if isinstance(said, dict) else said
    if len(scores) != classes or not all(_is_share(score) for score in scores):
        return None
    best = max(range(classes), key=scores.__getitem__)
    return Prediction(float(scores[best]), best, (round(float(scores[best]), 4),))


def _boxes(said: Any, classes: int) -> Prediction | None:
    (size,) = said["image_size"]
    width, height = int(size["width"]), int(size["height"])
    everything = [box for box in said["annotations"] if box["score"] >= _DOUBTFUL_SCORE]
    if width < 1 or height < 1 or len(everything) > _MOST_BOXES:
        return None
    if not all(_is_box(box, classes) for box in everything):
        return None
    inside = [
        (box["score"], _clipped(box, width, height)) for box in everything if box["score"] >= _LABEL_SCORE
    ]
    kept = [(score, box) for score, box in inside if box["width"] >= 1 and box["height"] >= 1]
    value = {
        "image_size": [{"width": width, "height": height, "depth": int(size.get("depth", 3))}],
        "annotations": [box for _, box in kept],
    }
    # Nothing found may be blindness as well: such an image is the first to go to people.
    sure = min((max(box["score"], 1 - box["score"]) for box in everything), default=0.0) if kept else 0.0
    return Prediction(float(sure), value, tuple(round(float(score), 4) for score, _ in kept))


def _clipped(box: Mapping[str, Any], width: int, height: int) -> Box:
    left, top = max(box["left"], 0), max(box["top"], 0)
    return {
        "class_id": box["class_id"],
        "top": top,
        "left": left,
        "height": min(box["top"] + box["height"], height) - top,
        "width": min(box["left"] + box["width"], width) - left,
    }


def _is_box(box: Mapping[str, Any], classes: int) -> bool:
    return (
        type(box["class_id"]) is int
        and 0 <= box["class_id"] < classes
        and _is_share(box["score"])
        and all(_is_number(box[side]) for side in ("left", "top", "width", "height"))
    )


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
