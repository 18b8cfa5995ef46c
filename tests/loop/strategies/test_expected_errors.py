"""Ask where the model expects the most errors; a class may weigh more than others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.strategies import ImageScores, class_balanced, expected_errors
from include.loop.tasks.classification.values import ClassScore

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def image(*scores: float, **more) -> ImageScores:
    said = sorted((ClassScore(index, score) for index, score in enumerate(scores)), key=lambda s: -s.score)
    return ImageScores(said, 0.5, **more)


def test_each_box_is_wrong_or_missing_with_the_smaller_of_its_two_chances():
    told = expected_errors.doubt(image(0.9, 0.6, 0.3), 0.5)
    assert (told.ask, told.reason) == (True, "expected errors 0.80 above 0.5")
    assert told.urgency == pytest.approx(0.8 / 1.8)
    sure = expected_errors.doubt(image(0.99, 0.98), 0.5)
    assert (sure.ask, sure.reason) == (False, "expected errors 0.03")


def test_one_doubtful_box_is_not_hidden_by_a_sure_one_and_many_come_before_one():
    """Where the best score alone would leave both images alone."""
    one, many = image(0.99, 0.5), image(0.99, 0.5, 0.5, 0.5)
    assert expected_errors.doubt(one, 0.4).ask
    assert expected_errors.doubt(many, 0.4).urgency > expected_errors.doubt(one, 0.4).urgency


def test_hundreds_of_faint_boxes_are_no_errors_and_an_image_without_any_comes_first():
    assert expected_errors.doubt(image(0.99, *[0.04] * 300), 0.5).reason == "expected errors 0.01"
    nothing = expected_errors.doubt(image(), 1.0)
    assert (nothing.ask, nothing.reason) == (True, "nothing found")
    assert nothing.urgency > expected_errors.doubt(image(*[0.5] * 100), 1.0).urgency


def test_where_a_detector_has_faint_boxes_alone_it_has_found_nothing():
    faint = image(*[0.04] * 60)
    assert expected_errors.doubt(faint, 0.5) == expected_errors.doubt(image(), 0.5)
    assert class_balanced.doubt(faint, 0.5).urgency == 1.0
    # Of no class at all, or of one among many, is something said.
    assert expected_errors.doubt(image(*[0.04] * 60, multi_label=True), 0.5).reason == "expected errors 0.00"
    assert expected_errors.doubt(image(*[0.04] * 25, exclusive=True), 0.5).reason.startswith(
        "expected errors 0.96"
    )


def test_of_exclusive_classes_the_image_is_wrong_with_what_the_best_one_lacks():
    told = expected_errors.doubt(image(0.1, 0.7, 0.2, exclusive=True), 0.2)
    assert (told.ask, told.reason) == (True, "expected errors 0.30 above 0.2")
    best_only = expected_errors.doubt(image(0.7, exclusive=True), 0.2)
    assert best_only.reason == told.reason


def test_an_error_of_a_class_counts_as_much_as_the_class_weighs():
    weights = (0.5, 1.5)
    strong, weak = image(0.6, 1.0, weights=weights), image(1.0, 0.6, weights=weights)
    assert class_balanced.doubt(strong, 0.5).reason == "weighed errors 0.20"
    assert class_balanced.doubt(weak, 0.5).reason == "weighed errors 0.60 above 0.5"
    # What the image may be in place of the best class counts, not the best class.
    exclusive = image(0.8, 0.2, weights=weights, exclusive=True)
    assert class_balanced.doubt(exclusive, 0.5).reason == "weighed errors 0.30"


@given(SCORES, st.booleans(), st.floats(0, 1), st.randoms())
def test_without_weights_both_say_the_same_and_the_order_of_the_scores_means_nothing(
    scores, exclusive, threshold, random
):
    given = image(*scores, exclusive=exclusive)
    plain, weighed = expected_errors.doubt(given, threshold), class_balanced.doubt(given, threshold)
    assert (plain.ask, plain.urgency) == (weighed.ask, weighed.urgency)
    shuffled = replace(given, scores=random.sample(list(given.scores), len(given.scores)))
    assert expected_errors.doubt(shuffled, threshold).urgency == pytest.approx(plain.urgency)
