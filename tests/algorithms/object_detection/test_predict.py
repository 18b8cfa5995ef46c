"""Suppression keeps the best of what overlaps, class by class; average precision agrees with COCO's."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.algorithms.object_detection.evaluation import mean_average_precision
from include.algorithms.object_detection.predict import MAX_DETECTIONS, iou, suppress

HERE, NEARLY_HERE, THERE = [0.1, 0.1, 0.3, 0.3], [0.11, 0.1, 0.31, 0.3], [0.6, 0.6, 0.8, 0.9]


def test_of_overlapping_boxes_of_a_class_only_the_best_stays():
    scores = np.array([[0.9, 0.0], [0.8, 0.7], [0.0, 0.6]], np.float32)
    rows = suppress(scores, np.array([HERE, NEARLY_HERE, THERE], np.float32), 0.45)
    assert rows[:, 0].tolist() == [0, 1, 1]
    np.testing.assert_allclose(rows[:, 1], [0.9, 0.7, 0.6], rtol=1e-6)


def test_a_threshold_of_one_keeps_them_all():
    scores = np.array([[0.9], [0.8]], np.float32)
    assert len(suppress(scores, np.array([HERE, NEARLY_HERE], np.float32), 1.0)) == 2


def test_nothing_found_is_an_empty_table():
    assert suppress(np.zeros((3, 2), np.float32), np.zeros((3, 4), np.float32), 0.45).shape == (0, 6)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_rows_are_sorted_bounded_and_inside_the_image(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.2, 1.0, (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.01, 0.5, (200, 2))], 1).astype(np.float32)
    rows = suppress(rng.random((200, 3)).astype(np.float32), boxes, 0.45)
    assert len(rows) <= MAX_DETECTIONS
    assert (np.diff(rows[:, 1]) <= 0).all()
    assert ((rows[:, 2:] >= 0) & (rows[:, 2:] <= 1)).all()
    for kind in range(3):
        kept = rows[rows[:, 0] == kind][:, 2:]
        assert (iou(kept, kept) - np.eye(len(kept)) <= 0.45 + 1e-6).all()


def test_perfect_detections_score_one_and_none_score_nothing():
    truth = [np.array([[1, *HERE], [2, *THERE]])]
    assert mean_average_precision([np.array([[1, 0.9, *HERE], [2, 0.8, *THERE]])], truth, 0.5) == 1.0
    assert mean_average_precision([np.empty((0, 6))], truth, 0.5) == 0.0
    assert mean_average_precision([np.empty((0, 6))], [np.empty((0, 5))], 0.5) == 0.0


def test_a_second_detection_of_the_same_object_is_wrong():
    found = [np.array([[1, 0.9, *HERE], [1, 0.8, *NEARLY_HERE]])]
    truth = [np.array([[1, *HERE], [1, *THERE]])]
    assert mean_average_precision(found, truth, 0.5) == 0.5


def test_the_count_agrees_with_faster_coco_eval():
    rng = np.random.default_rng(4)
    truths, found = [], []
    for _ in range(60):
        corner = rng.uniform(0, 0.7, (rng.integers(0, 5), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.3, corner.shape)], 1)
        kinds = rng.integers(0, 3, len(boxes))
        truths.append(np.column_stack([kinds, boxes]))
        moved = boxes + rng.normal(0, 0.02, boxes.shape)
        said = np.where(rng.random(len(boxes)) < 0.2, rng.integers(0, 3, len(boxes)), kinds)
        rows = np.column_stack([said, rng.random(len(boxes)), moved])
        found.append(rows[np.argsort(-rows[:, 1])])
    ours = mean_average_precision(found, truths, 0.5)
    assert ours == pytest.approx(coco(found, truths), abs=0.01)  # COCO samples 101 recalls


def coco(found, truths) -> float:
    from faster_coco_eval import COCO, COCOeval_faster

    def rectangle(row):
        return [float(v * 1000) for v in (row[0], row[1], row[2] - row[0], row[3] - row[1])]

    data: dict[str, list] = {
        "images": [{"id": i} for i in range(len(truths))],
        "categories": [{"id": k} for k in range(3)],
    }
    data["annotations"] = [
        {"id": 1 + 100 * i + j, "image_id": i, "category_id": int(row[0]), "bbox": rectangle(row[1:]),
         "area": 10_000, "iscrowd": 0}
        for i, rows in enumerate(truths) for j, row in enumerate(rows)
    ]  # fmt: skip
    results = [
        {"image_id": i, "category_id": int(row[0]), "score": float(row[1]), "bbox": rectangle(row[2:])}
        for i, rows in enumerate(found)
        for row in rows
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(data)
        evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=lambda *_: None)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[1])
