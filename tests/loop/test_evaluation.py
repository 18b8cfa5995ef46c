"""Scores mean what COCO means by them, and both models meet the same images."""

from __future__ import annotations

import pytest

from include.loop.errors import ConfigurationError
from include.loop.evaluation import mean_average_precision, read_tests
from include.loop.manifest import LabelledImage, ManifestBox
from include.loop.transform import Detection
from tests.loop.place import Place, labelled

CLASSES = ("cat", "dog")


def image(name: str, *boxes: tuple[int, float, float, float, float]) -> LabelledImage:
    return LabelledImage(name, 100, 50, tuple(ManifestBox(*box) for box in boxes), "", {})


def found(class_id: int, score: float, left: float, top: float, width: float, height: float) -> Detection:
    """A detection given in pixels of a 100 x 50 image."""
    return Detection(class_id, score, left / 100, top / 50, (left + width) / 100, (top + height) / 50)


IMAGES = [image("a", (0, 10, 10, 20, 20)), image("b", (1, 40, 5, 30, 30)), image("c")]


def test_perfect_detections_score_one():
    detections = {"a": [found(0, 0.9, 10, 10, 20, 20)], "b": [found(1, 0.8, 40, 5, 30, 30)]}
    result = mean_average_precision(IMAGES, detections, CLASSES)
    assert (result["map50"], result["map"], result["classes"]) == (1.0, 1.0, {"cat": 1.0, "dog": 1.0})


def test_boxes_that_fit_by_half_count_at_half_overlap_only():
    detections = {"a": [found(0, 0.9, 10, 10, 20, 12)]}  # IoU 0.6
    result = mean_average_precision(IMAGES[:1], detections, CLASSES)
    assert result["map50"] == 1.0
    assert result["map"] == pytest.approx(0.3)  # 0.5, 0.55 and 0.6 of ten thresholds


def test_a_wrong_class_is_no_hit_and_a_false_alarm_before_the_hit_costs_precision():
    assert mean_average_precision(IMAGES[:1], {"a": [found(1, 0.9, 10, 10, 20, 20)]}, CLASSES)["map50"] == 0.0
    alarm = {"a": [found(0, 0.5, 10, 10, 20, 20)], "c": [found(0, 0.9, 1, 1, 9, 9)]}
    assert mean_average_precision(IMAGES, alarm, CLASSES)["classes"]["cat"] == pytest.approx(0.5)


def test_a_model_that_finds_nothing_scores_zero():
    assert mean_average_precision(IMAGES, {}, CLASSES)["map50"] == 0.0


def test_what_cannot_be_measured_is_none_and_not_a_number():
    result = mean_average_precision([image("c")], {"c": [found(0, 0.9, 1, 1, 9, 9)]}, CLASSES)
    assert (result["map50"], result["map"], result["classes"]) == (None, None, {"cat": None, "dog": None})
    assert mean_average_precision(IMAGES[:1], {}, CLASSES)["classes"] == {"cat": 0.0, "dog": None}


def test_a_damaged_test_set_is_refused_instead_of_shrinking(make_place):
    place: Place = make_place(test_sets={"day": "test/day.manifest"})
    with pytest.raises(ConfigurationError, match=r"pets\.yaml: test_sets\.day: no object at s3://"):
        read_tests(place.workspace, "any")
    place.storage.write_lines("test/day.manifest", [])
    with pytest.raises(ConfigurationError, match=r"test_sets\.day .*it is empty"):
        read_tests(place.workspace, "any")
    place.storage.write_lines(
        "test/day.manifest", [labelled("s3://b/1.jpg"), labelled("s3://b/2.jpg", class_id=7)]
    )
    with pytest.raises(ConfigurationError, match="1 unusable lines, the first: class_id 7 is not one of"):
        read_tests(place.workspace, "any")


def test_without_test_sets_the_validation_side_is_the_test(place: Place):
    place.storage.write_lines("datasets/d1/validation.manifest", [labelled("s3://b/1.jpg")])
    assert [line.source for line in read_tests(place.workspace, "d1")["validation"]] == ["s3://b/1.jpg"]
