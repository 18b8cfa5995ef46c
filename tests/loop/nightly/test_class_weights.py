"""What an error of a class counts: more of those that the champion is bad at, and of rare ones."""

from __future__ import annotations

from typing import Any

import pytest

from include.loop.core.records.metrics import SliceMetrics
from include.loop.core.records.triage import Decision
from include.loop.core.storage import dump
from include.loop.nightly import triage
from include.loop.nightly.class_weights import read_weights, weights
from tests.loop.nightly.triaged import read_rows, say
from tests.loop.place import NIGHT, Place

CLASSES = ("cat", "dog")


def measured(**classes: tuple[float | None, int]) -> dict[str, Any]:
    scores = {
        "score": 0.5,
        "recall": 0.5,
        "calibration_error": 0.1,
        "classes": {name: {"score": score, "objects": count} for name, (score, count) in classes.items()},
    }
    return {"images": 40, "challenger": scores, "champion": None, "delta": None, "best": None}


def slices(**named: dict[str, Any]) -> dict[str, SliceMetrics]:
    return {name: SliceMetrics.model_validate(value) for name, value in named.items()}


def test_a_class_weighs_what_its_score_lacks_and_one_in_the_mean():
    found = weights(slices(night=measured(cat=(0.9, 1000), dog=(0.6, 1000))), CLASSES)
    assert found == pytest.approx((0.4, 1.6), abs=0.02)
    assert sum(found) == pytest.approx(2)


def test_what_counts_is_where_the_model_has_to_get_better_as_far_as_it_was_measured():
    told = slices(
        day=measured(cat=(0.5, 1000), dog=(0.9, 1000)), night=measured(cat=(0.9, 1000), dog=(0.5, 1000))
    )
    assert weights(told, CLASSES, ["night"])[1] > 1.5
    assert weights(told, CLASSES, ["dusk"]) == pytest.approx((1, 1))


def test_of_two_classes_as_well_known_the_one_with_few_labels_weighs_more():
    rare, usual = weights(slices(night=measured(cat=(0.7, 100), dog=(0.7, 700))), CLASSES)
    assert rare / usual == pytest.approx(2)  # an equal share were 400, four times as many


def test_a_score_of_two_objects_says_little_and_a_flawless_class_still_counts():
    few, many = weights(slices(night=measured(cat=(0.0, 2), dog=(0.8, 2))), CLASSES)
    assert few / many < 2.2  # and not five
    assert min(weights(slices(night=measured(cat=(1.0, 10**6), dog=(0.0, 10**6))), CLASSES)) > 0.1


def test_a_class_that_was_never_measured_changes_nothing_for_the_others():
    """The threshold means for them what it means without it."""
    told = slices(night=measured(cat=(0.8, 1000), dog=(0.8, 1000)))
    cat, dog, bird = weights(told, (*CLASSES, "bird"))
    assert (cat, dog) == pytest.approx((1, 1))
    assert bird > 2


def test_without_an_evaluation_or_with_one_that_says_nothing_all_weigh_the_same():
    assert weights({}, CLASSES) == (1.0, 1.0)
    assert weights(slices(night=measured(bird=(0.5, 9))), CLASSES) == (1.0, 1.0)


def test_the_strategy_sees_the_weights_of_the_batchs_champion(make_place, caplog):
    """Two images as doubtful as each other: the one of the class that the champion is bad at is asked."""
    asking = {"strategy": "class_balanced", "threshold": 0.1, "audit_share": 0, "cap": 1}
    place: Place = make_place(classes=list(CLASSES), triage=asking)
    metrics = {
        "schema_version": 2,
        "training_job": "a-model",
        "champion": None,
        "metric": "mAP@0.5",
        "slices": {"validation": measured(cat=(0.9, 1000), dog=(0.6, 1000)), "recent": {"images": "?"}},
    }
    place.put("evaluations/a-model/metrics.json", dump(metrics))
    images = place.add_images({"0.jpg": 100, "1.jpg": 50})
    say(place, {uri: [[class_id, 0.6, 0.1, 0.1, 0.5, 0.5]] for class_id, uri in enumerate(images)})
    triage.triage(place.workspace, NIGHT)
    (asked,) = (row for row in read_rows(place.storage, NIGHT) if row.decision is Decision.ASK)
    assert (asked.image, asked.reason) == (images[1], "weighed errors 0.64 above 0.1")
    assert "slice recent" in caplog.text
    assert read_weights(place.workspace, "never-evaluated") == (1.0, 1.0)
