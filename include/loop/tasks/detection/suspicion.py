"""What of a label is probably wrong, by what a model says of the image that has not learned that label.

Takes a labelled image and detections, gives a ``Suspicion`` for each thing that may be wrong: an object that
has no box, a box of nothing, of another class, or badly placed. The kinds of error are those of ObjectLab
(Tkachenko et al., 2023); what they come to for the image is the probability that one of them is there. Scores
are taken as they come: calibrated ones find fewer (docs/benchmarks.md). Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import OVERLAP, overlaps
from include.loop.tasks.detection.predictions import Detection

# Below this a detection and a box are of different things; from here to OVERLAP they may be of one, and one
# of the two is badly placed.
NEAR = 0.2
# A model misses much that is there: that it sees nothing says less than that it sees something else.
SILENCE = 0.2


class Error(StrEnum):
    """What may be wrong."""

    MISSED = "missed"  # an object without a box
    EXTRA = "extra"  # a box without an object
    CLASS = "class"
    PLACE = "place"


@dataclass(frozen=True)
class Suspicion:
    """How probable it is that this is wrong; ``box`` is the number of the label's box, None where one is
    missing, and ``class_id`` what the model says that is there, None for nothing.
    """

    probability: float
    error: Error
    box: int | None
    class_id: int | None


def suspicions(line: LabelledImage, detections: Sequence[Detection]) -> list[Suspicion]:
    """All of a label, most probable first."""
    overlap = overlaps(_boxes(line), _detected(line, detections))
    score = np.array([item.score for item in detections])
    kind = np.array([item.class_id for item in detections], dtype=int)
    found: list[Suspicion] = []
    for place, box in enumerate(line.boxes):
        own, same = overlap[place], kind == box.class_id
        fits, near = own >= OVERLAP, (own >= NEAR) & (own < OVERLAP)
        right = _most(score, fits & same)
        other, moved = fits & ~same, near & same
        found += [
            Suspicion(_most(score, other) * (1 - right), Error.CLASS, place, _best(score, kind, other)),
            Suspicion(_most(score, moved) * (1 - right), Error.PLACE, place, box.class_id),
            Suspicion(SILENCE * (1 - _most(score, fits | near)), Error.EXTRA, place, None),
        ]
    free = overlap.max(axis=0, initial=0.0) < NEAR
    found += [
        Suspicion(item.score, Error.MISSED, None, item.class_id)
        for item, alone in zip(detections, free, strict=True)
        if alone
    ]
    return sorted((item for item in found if item.probability > 0), key=lambda item: -item.probability)


def suspicion(found: Iterable[Suspicion]) -> float:
    """How probable it is that anything of a label is wrong, as if its parts were independent."""
    return 1 - math.exp(sum(math.log1p(-min(item.probability, 0.999)) for item in found))


def _most(score: np.ndarray, chosen: np.ndarray) -> float:
    return float(score[chosen].max(initial=0.0))


def _best(score: np.ndarray, kind: np.ndarray, chosen: np.ndarray) -> int | None:
    return int(kind[chosen][np.argmax(score[chosen])]) if chosen.any() else None


def _boxes(line: LabelledImage) -> np.ndarray:
    rows = [(box.left, box.top, box.width, box.height) for box in line.boxes]
    return np.array(rows, dtype=float).reshape(-1, 4)


def _detected(line: LabelledImage, detections: Sequence[Detection]) -> np.ndarray:
    """Left, top, width and height in pixels."""
    sides = [(item.xmin, item.ymin, item.xmax - item.xmin, item.ymax - item.ymin) for item in detections]
    size = (line.width, line.height, line.width, line.height)
    return np.array(sides, dtype=float).reshape(-1, 4) * size
