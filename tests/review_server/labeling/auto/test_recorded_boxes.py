"""What becomes of boxes that a real model found: recorded, with people's boxes, in a round of a labeling job.

The images have one dark square or disc each; ``said`` is what the transform job wrote, without the boxes
below 0.09.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from include.review_server.labeling.auto.algorithms import DETECTION
from include.review_server.labeling.auto.predictions import label, overlaps, read_prediction
from include.review_server.labeling.auto.requests import annotator_text
from include.review_server.labeling.auto.thresholds import of_boxes

NAMES = ("square", "disc")
NOW = datetime(2026, 2, 11, 9, 14, 3, 120551, UTC)
RECORDED = [
    json.loads(line) for line in Path(__file__).with_name("detections.jsonl").read_text().split("\n") if line
]
FOUND = [read_prediction(DETECTION, json.dumps(line["said"]).encode(), len(NAMES)) for line in RECORDED]


def test_what_the_model_is_sure_of_is_taken_and_an_image_without_any_box_never() -> None:
    said = [prediction for prediction in FOUND if prediction is not None]
    assert len(said) == len(RECORDED) == 40
    pairs = [
        overlaps(prediction, {"annotations": line["people"]}, len(NAMES))
        for prediction, line in zip(said, RECORDED, strict=True)
    ]
    found = of_boxes(
        [prediction.confidence for prediction in said],
        np.array([sums for sums, _ in pairs]),
        np.array([counts for _, counts in pairs]),
        DETECTION.target,
    )
    assert found.confidence is not None
    assert found.low is not None
    assert found.quality is not None
    assert found.images >= 30
    assert DETECTION.target <= found.low < found.quality < 1
    # All forty together would reach the target as well. The model saw nothing in one of them.
    (blind,) = [prediction for prediction in said if not prediction.value["annotations"]]
    assert blind.confidence < found.confidence


def test_the_line_of_a_machine_label_has_the_documented_shape() -> None:
    (prediction,) = [item for item in FOUND if item and item.confidences == (0.8955,)]
    made = label(DETECTION, prediction, "box", NAMES, "labeling-job/box-r1", NOW)
    assert annotator_text({17: made}) == (
        '17 {"box": {"image_size": [{"width": 128, "height": 128, "depth": 3}], "annotations": '
        '[{"class_id": 0, "top": 47, "left": 3, "height": 44, "width": 45}]}, "box-metadata": '
        '{"objects": [{"confidence": 0.8955}], "class-map": {"0": "square"}, "type": '
        '"groundtruth/object-detection", "human-annotated": "no", "creation-date": '
        '"2026-02-11T09:14:03.120551", "job-name": "labeling-job/box-r1"}}\n'
    )
