"""Intervals are those of the very number they belong to, and the same every time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.evaluation.bootstrap import bounds, draw
from include.loop.tasks.detection import metrics
from include.loop.tasks.detection.matching import match
from include.loop.tasks.detection.metrics import recall_and_precision
from include.loop.tasks.detection.resampling import average_precision, resample
from include.loop.tasks.shares import mean_over_classes
from tests.loop.scenes import CLASSES, Scene, as_often, many, scenes


def by_coco(scene: Scene) -> list[float]:
    values = metrics.average_precision(*scene, CLASSES).classes.values()
    return [np.nan if value is None else value for value in values]


@given(scenes())
def test_with_every_image_once_it_is_what_coco_says(scene: Scene):
    matches = match(*scene, len(CLASSES))
    drawn = average_precision(matches, np.ones((1, len(scene[0])), dtype=np.int64))
    assert drawn[0] == pytest.approx(by_coco(scene), abs=1e-5, nan_ok=True)


# With equal scores in one image the order of its copies' detections would matter to COCO.
@given(scenes(ties=False), st.data())
def test_a_draw_is_what_coco_says_of_a_set_in_which_images_are_repeated(scene: Scene, data: st.DataObject):
    weights = data.draw(st.lists(st.integers(0, 2), min_size=len(scene[0]), max_size=len(scene[0])))
    drawn = average_precision(match(*scene, len(CLASSES)), np.array([weights]))
    expected = by_coco(as_often(scene, weights)) if any(weights) else [np.nan] * len(CLASSES)
    assert drawn[0] == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_the_same_with_many_detections_and_more_than_coco_counts():
    scene = many(40, seed=2, noise=400)
    matches = match(*scene, len(CLASSES))
    weights = draw(40, "beef", draws=3)
    drawn = average_precision(matches, weights)
    for row, values in zip(weights, drawn, strict=True):
        assert values == pytest.approx(by_coco(as_often(scene, row.tolist())), abs=1e-5)


def test_draws_depend_on_what_is_drawn_from_and_on_nothing_else():
    assert (draw(20, "ab12") == draw(20, "ab12")).all()
    assert (draw(20, "ab12") != draw(20, "ab13")).any()
    assert (draw(20, "ab12").sum(axis=1) == 20).all()


def test_bounds_lie_around_the_number_and_close_in_with_more_images():
    widths = []
    for count in (25, 400):
        images, detections = many(count, seed=3)
        matches = match(images, detections, len(CLASSES))
        drawn = resample(matches, draw(count, "c0de"), 0.5)
        low, high = bounds(drawn.score, 0.95)
        recall = recall_and_precision(matches, 0.5)[0]
        assert low is not None
        assert high is not None
        assert recall is not None
        score = metrics.average_precision(images, detections, CLASSES).score
        assert score is not None
        assert low < score < high
        least, most = bounds(drawn.recall, 0.95)
        assert least is not None
        assert most is not None
        assert least < recall < most
        widths.append(high - low)
    assert widths[1] < widths[0] / 2.5


def test_two_models_on_the_same_draws_differ_by_less_than_each_varies():
    images, detections = many(100, seed=4)
    better = {name: items[:-1] for name, items in detections.items()}  # one false alarm fewer everywhere
    weights = draw(100, "cafe")
    one, two = (
        average_precision(match(images, found, len(CLASSES)), weights) for found in (detections, better)
    )
    difference = np.std(mean_over_classes(two - one))
    assert difference < np.std(mean_over_classes(one)) / 2


def test_what_was_never_drawn_has_no_bounds():
    assert bounds(np.array([np.nan, np.nan]), 0.95) == (None, None)


def test_two_models_of_ten_classes_on_two_hundred_images_take_seconds():
    before = time.process_time()
    for seed in (5, 6):
        images, detections = many(200, seed=seed, noise=90, classes=10)
        resample(match(images, detections, 10), draw(200, "f00d"), 0.5)
    assert time.process_time() - before < 5
