"""The test sets judge a calibration and are never fitted on; what was fitted leads from package to night."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop.config import Pipeline
from include.loop.core.records.calibration import Calibration
from include.loop.evaluation import calibration
from include.loop.evaluation.slices import Slices
from include.loop.tasks import task_of
from tests.loop.scenes import CLASSES, Scene, many


def pipeline(**evaluation: float) -> Pipeline:
    return Pipeline(name="pets", path=Path("pets.yaml"), classes=CLASSES, evaluation=evaluation)


def fitted(images: dict[str, list], detections: dict, **evaluation: float) -> Calibration | None:
    pets = pipeline(**evaluation)
    slices = Slices(images, {}, dict.fromkeys(images, 0))
    return calibration.fit(task_of(pets), pets, slices, detections)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return many(60, seed=1)


def test_it_is_fitted_on_what_is_held_out_and_measured_on_the_test_sets(scene: Scene):
    images, detections = scene
    # An image that is held out and in a test set: it judges.
    parts = {"day": images[40:], "retention": images[:30], "audit": images[25:45], "recent": images[58:]}
    found = fitted(parts, detections)
    assert found is not None
    assert found.slices == ("retention", "audit")
    assert found.images == 40
    assert found.measured.keys() == {"day"}
    without = fitted({"retention": images[:40]}, detections)
    assert without is not None
    assert (found.pooled, found.classes) == (without.pooled, without.classes)


def test_without_test_sets_it_is_fitted_on_the_validation_images(scene: Scene):
    images, detections = scene
    found = fitted({"validation": images[:30], "retention": images[30:]}, detections)
    assert found is not None
    assert (found.images, found.slices, found.measured) == (60, ("retention", "validation"), {})


def test_where_nothing_is_held_out_there_is_none(scene: Scene):
    assert fitted({"day": scene[0]}, scene[1]) is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "best F1"),
        ({"least_precision": 0.8}, "precision of 0.8 or more"),
        ({"least_recall": 0.5}, "recall of 0.5 or more"),
    ],
)
def test_the_working_point_is_what_the_pipeline_asks_for(scene: Scene, asked: dict[str, float], told: str):
    found = fitted({"retention": scene[0]}, scene[1], **asked)
    assert found is not None
    assert found.asked == told
    assert found.working_point is not None
    assert (found.working_point.precision or 0) >= asked.get("least_precision", 0)
    assert (found.working_point.recall or 0) >= asked.get("least_recall", 0)


def test_one_score_cannot_promise_both():
    with pytest.raises(ValueError, match="least_precision and least_recall: one score cannot promise both"):
        pipeline(least_precision=0.8, least_recall=0.5)


def test_it_is_read_again_as_it_was_written(scene: Scene):
    found = fitted({"retention": scene[0]}, scene[1])
    assert found is not None
    assert found.why_not == ""
    assert Calibration.model_validate_json(found.model_dump_json()) == found
