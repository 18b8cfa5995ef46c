"""How hard an image is for a detector, told by its label: what replay shows again first."""

from __future__ import annotations

from collections.abc import Iterable

from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import match
from include.loop.tasks.detection.predictions import Detection


def difficulty(line: LabelledImage, detections: Iterable[Detection], score_threshold: float) -> float:
    """How far the champion is from the label, 0 (all found with certainty, nothing invented) to 1.

    One minus the sum of the scores of found objects, divided by the number of objects and of confident
    detections that found none; what has found what is COCO's matching at an IoU of 0.5 (matching.py).
    """
    matches = match([line], {line.source: list(detections)}, classes=0)  # nothing is counted by class here
    hit = matches.hit >= 0
    invented = int((~hit & (matches.score >= score_threshold)).sum())
    things = len(line.boxes) + invented
    return 1 - float(matches.score[hit].sum()) / things if things else 0.0
