"""What the numbers of a model on labelled images are.

Takes labelled images, a model's detections and their matches; gives mAP as COCO defines it (by
faster-coco-eval), recall, precision and confusion from a working score on, F1 by image, and how far scores
can be taken at their word. A number that cannot be measured is None, never NaN. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.loop.core.records.metrics import ReliabilityBin, finite
from include.loop.tasks import shares
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import Bools, Floats, Ints, Matches, choose, overlaps
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.measuring import Outcomes

# Detections below are nearly all wrong and say so; they are so many that they would drown the others.
LOWEST_SCORE = 0.1
BACKGROUND = "background"
MISSED = "missed"


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's, from 0 to 1. ``score``: mean over classes at IoU 0.5; ``strict``: the mean over IoU 0.5 to
    0.95;
    ``classes``: AP at 0.5 by class. None for a class without a box in these images, and where there is no box
    at all.
    """

    score: float | None
    strict: float | None
    classes: dict[str, float | None]


def average_precision(
    images: Sequence[LabelledImage], detections: Mapping[str, Sequence[Detection]], classes: Sequence[str]
) -> AveragePrecision:
    """COCO's average precision of detections on labelled images."""
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(as_coco(images, classes))
    found = truth.loadRes(as_results(images, detections))
    run = COCOeval_faster(truth, found, iouType="bbox")
    run.evaluate()
    run.accumulate()
    # Axes: IoU threshold, recall point, class, area range, most detections; -1 where a class has no box.
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]

    def mean(values: Any) -> float | None:
        measured = values[values > -1]
        return finite(measured.mean()) if measured.size else None

    return AveragePrecision(
        score=mean(precision[0]),
        strict=mean(precision),
        classes={name: mean(precision[0, :, index]) for index, name in enumerate(classes)},
    )


def at_work(matches: Matches, threshold: float) -> Bools:
    """Which detections count at work: those that score at least the threshold."""
    return matches.score >= threshold


def recall_and_precision(matches: Matches, threshold: float) -> tuple[float | None, float | None]:
    """The share of labelled boxes that were found, and of detections that are right, of the right class."""
    working = at_work(matches, threshold)
    hits = int((working & (matches.hit >= 0)).sum())
    return shares.share(hits, len(matches.true_class)), shares.share(hits, int(working.sum()))


def calibration(matches: Matches) -> tuple[float | None, tuple[ReliabilityBin, ...]]:
    """How far scores are from the share of detections that is right, after the model's NMS; with the bins."""
    return shares.calibration(matches.score, matches.hit >= 0, LOWEST_SCORE)


def confusion(matches: Matches, classes: Sequence[str], threshold: float) -> dict[str, dict[str, int]]:
    """What became of every labelled box: true class (or background) to predicted class (or missed) to count.

    A box that was found counts as found; what is left over on both sides is then paired whatever its class.
    """
    table: dict[str, dict[str, int]] = {}

    def count(true: str, predicted: str) -> None:
        row = table.setdefault(true, {})
        row[predicted] = row.get(predicted, 0) + 1

    working = at_work(matches, threshold)
    taken = np.zeros(len(matches.true_class), dtype=bool)
    taken[matches.hit[working & (matches.hit >= 0)]] = True
    for true in matches.true_class[taken]:
        count(classes[true], classes[true])
    spares = _by_image(np.flatnonzero(working & (matches.hit < 0)), matches.image, matches.images)
    opens = _by_image(np.flatnonzero(~taken), matches.true_image, matches.images)
    for spare, open_boxes in zip(spares, opens, strict=True):
        pairs = choose(overlaps(matches.box[spare], matches.true_box[open_boxes]))
        for detection, pair in zip(spare, pairs, strict=True):
            true = BACKGROUND if pair < 0 else classes[matches.true_class[open_boxes[pair]]]
            count(true, classes[matches.class_id[detection]])
        for left in np.setdiff1d(np.arange(len(open_boxes)), pairs):
            count(classes[matches.true_class[open_boxes[left]]], MISSED)
    return table


def _by_image(rows: Ints, image: Ints, images: int) -> list[Ints]:
    """Rows by the image that each is of; the images of all rows ascend."""
    return np.split(rows, np.searchsorted(image[rows], np.arange(1, images))) if images else []


def outcomes(matches: Matches, threshold: float) -> Outcomes:
    """What became of each image at work: its labelled boxes, those that were found, and all detections."""
    working = at_work(matches, threshold)
    true, found, said = (
        np.bincount(image, minlength=matches.images)
        for image in (
            matches.true_image,
            matches.image[working & (matches.hit >= 0)],
            matches.image[working],
        )
    )
    return Outcomes(true, found, said, right=(found == true) & (found == said))


def f1_by_image(matches: Matches, threshold: float) -> Floats:
    """F1 of each image at work, from 0 to 1; 1 for an image without an object on which nothing was found."""
    counts = outcomes(matches, threshold)
    total = counts.said + counts.true
    return np.divide(2.0 * counts.found, total, out=np.ones(matches.images), where=total > 0)


def as_coco(images: Sequence[LabelledImage], classes: Sequence[str]) -> dict[str, Any]:
    annotations = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": box.class_id,
            "bbox": [box.left, box.top, box.width, box.height],
            "area": box.width * box.height,
            "iscrowd": 0,
        }
        for number, (image_id, box) in enumerate(
            ((image_id, box) for image_id, image in enumerate(images) for box in image.boxes), start=1
        )
    ]
    return {
        "images": [
            {"id": image_id, "width": image.width, "height": image.height}
            for image_id, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": index, "name": name} for index, name in enumerate(classes)],
    }


def as_results(
    images: Sequence[LabelledImage], detections: Mapping[str, Sequence[Detection]]
) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image_id,
            "category_id": item.class_id,
            "score": item.score,
            "bbox": [
                item.xmin * image.width,
                item.ymin * image.height,
                (item.xmax - item.xmin) * image.width,
                (item.ymax - item.ymin) * image.height,
            ],
        }
        for image_id, image in enumerate(images)
        for item in detections.get(image.source, ())
    ]
