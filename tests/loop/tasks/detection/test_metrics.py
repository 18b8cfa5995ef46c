"""The numbers mean what COCO means by them, whoever counts; the others mean what they say."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from include.loop.tasks.detection.matching import match
from include.loop.tasks.detection.metrics import (
    as_coco,
    as_results,
    average_precision,
    calibration,
    confusion,
    f1_by_image,
    outcomes,
    recall_and_precision,
)
from tests.loop.scenes import CLASSES, Scene, found, image, many, scenes

IMAGES = [image("a", (0, 10, 10, 20, 20)), image("b", (1, 40, 5, 30, 30)), image("c")]


def by_pycocotools(scene: Scene) -> dict[str, float]:
    """mAP as the reference implementation has it; -1 where there is no box."""
    images, detections = scene
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = as_coco(images, CLASSES)
        truth.createIndex()
        results = as_results(images, detections)
        given = truth.loadRes(results) if results else COCO()
        if not results:
            given.dataset = truth.dataset | {"annotations": []}
            given.createIndex()
        run = COCOeval(truth, given, "bbox")
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]

    def mean(values: np.ndarray) -> float:
        measured = values[values > -1]
        return float(measured.mean()) if measured.size else -1.0

    by_class = {name: mean(precision[0, :, index]) for index, name in enumerate(CLASSES)}
    return {"score": mean(precision[0]), "strict": mean(precision), **by_class}


def ours(scene: Scene) -> dict[str, float]:
    result = average_precision(*scene, CLASSES)
    flat = {"score": result.score, "strict": result.strict, **result.classes}
    return {name: -1.0 if value is None else value for name, value in flat.items()}


@given(scenes())
def test_the_numbers_are_those_of_pycocotools(scene: Scene):
    assert ours(scene) == pytest.approx(by_pycocotools(scene), abs=1e-5)


def test_the_numbers_are_those_of_pycocotools_beyond_a_hundred_detections():
    scene = many(30, seed=1, noise=400)
    assert max(len(items) for items in scene[1].values()) > 300
    assert ours(scene) == pytest.approx(by_pycocotools(scene), abs=1e-5)


def test_perfect_detections_score_one():
    detections = {"a": [found(0, 0.9, 10, 10, 20, 20)], "b": [found(1, 0.8, 40, 5, 30, 30)]}
    result = average_precision(IMAGES, detections, CLASSES)
    assert (result.score, result.strict) == (1.0, 1.0)
    assert result.classes == {"cat": 1.0, "dog": 1.0, "bird": None}


def test_boxes_that_fit_by_half_count_at_half_overlap_only():
    result = average_precision(IMAGES[:1], {"a": [found(0, 0.9, 10, 10, 20, 12)]}, CLASSES)  # IoU 0.6
    assert result.score == 1.0
    assert result.strict == pytest.approx(0.3)  # 0.5, 0.55 and 0.6 of ten thresholds


def test_a_wrong_class_is_no_hit_and_a_false_alarm_before_the_hit_costs_precision():
    assert average_precision(IMAGES[:1], {"a": [found(1, 0.9, 10, 10, 20, 20)]}, CLASSES).score == 0.0
    alarm = {"a": [found(0, 0.5, 10, 10, 20, 20)], "c": [found(0, 0.9, 1, 1, 9, 9)]}
    assert average_precision(IMAGES, alarm, CLASSES).classes["cat"] == pytest.approx(0.5)


def test_what_cannot_be_measured_is_none_and_not_a_number():
    images = [image("c")]
    result = average_precision(images, {"c": [found(0, 0.9, 1, 1, 9, 9)]}, CLASSES)
    assert (result.score, result.strict, set(result.classes.values())) == (None, None, {None})
    nothing = match(images, {}, len(CLASSES))
    assert recall_and_precision(nothing, 0.5) == (None, None)
    assert calibration(nothing)[0] is None
    assert average_precision(IMAGES[:1], {}, CLASSES).classes["cat"] == 0.0


FOUND = {
    # The cat, and at the same place a dog; a weak bird where nothing is.
    "a": [found(0, 0.9, 10, 10, 20, 20), found(1, 0.7, 10, 10, 20, 20), found(2, 0.2, 90, 40, 8, 8)],
    # The dog taken for a cat.
    "b": [found(0, 0.8, 40, 5, 30, 30)],
}


def test_recall_and_precision_count_from_the_working_score_on():
    matches = match(IMAGES, FOUND, len(CLASSES))
    assert recall_and_precision(matches, 0.5) == (0.5, 0.33333)
    assert recall_and_precision(matches, 0.1)[1] == 0.25
    assert recall_and_precision(matches, 0.95) == (0.0, None)


def test_confusion_says_what_became_of_every_box():
    matches = match(IMAGES, FOUND, len(CLASSES))
    assert confusion(matches, CLASSES, 0.5) == {
        "cat": {"cat": 1},
        "dog": {"cat": 1},
        "background": {"dog": 1},  # the cat was found already: a second box there is a false alarm
    }
    assert confusion(matches, CLASSES, 0.85) == {"cat": {"cat": 1}, "dog": {"missed": 1}}


@given(scenes())
def test_confusion_loses_no_box_and_no_detection_and_its_diagonal_is_recall(scene: Scene):
    images, detections = scene
    matches = match(images, detections, len(CLASSES))
    table = confusion(matches, CLASSES, 0.5)
    rows = {true: sum(row.values()) for true, row in table.items()}
    assert sum(rows.values()) - rows.get("background", 0) == len(matches.true_class)
    missed = sum(row.get("missed", 0) for row in table.values())
    assert sum(rows.values()) - missed == int((matches.score >= 0.5).sum())
    hits = sum(table.get(name, {}).get(name, 0) for name in CLASSES)
    assert hits == int(((matches.score >= 0.5) & (matches.hit >= 0)).sum())


def test_scores_that_keep_their_word_are_calibrated():
    # Ten detections of 0.9, nine of them right; ten of 0.3, three right.
    images, detections = [], {}
    for index in range(20):
        name, score = f"{index}", 0.9 if index < 10 else 0.3
        right = index < 9 or index >= 17
        images.append(image(name, (0, 0, 0, 16, 16)))
        detections[name] = [found(0, score, 0 if right else 64, 0, 16, 16)]
    matches = match(images, detections, len(CLASSES))
    error, reliability = calibration(matches)
    assert error == pytest.approx(0, abs=1e-9)
    filled = [item for item in reliability if item.count]
    assert [(item.low, item.high, item.mean_score, item.precision) for item in filled] == [
        (0.3, 0.4, 0.3, 0.3),
        (0.9, 1.0, 0.9, 0.9),
    ]
    bold = {name: [found(0, 0.9, 64, 0, 16, 16)] for name in detections}
    assert calibration(match(images, bold, len(CLASSES)))[0] == pytest.approx(0.9)


def test_every_image_has_its_own_outcome_and_f1():
    matches = match(IMAGES, FOUND, len(CLASSES))
    counts = outcomes(matches, 0.5)
    assert (counts.true.tolist(), counts.found.tolist()) == ([1, 1, 0], [1, 0, 0])
    assert (counts.said.tolist(), counts.right.tolist()) == ([2, 1, 0], [False, False, True])
    # One hit of two detections and one box; none of one and one; nothing to find and nothing found.
    assert f1_by_image(matches, 0.5).tolist() == pytest.approx([2 / 3, 0, 1])
