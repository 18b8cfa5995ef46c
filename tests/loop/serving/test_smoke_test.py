"""Two answers are compared as sets: their order says nothing, every score and side does."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.tasks.detection.difference import MIN_SCORE, largest_difference
from include.loop.tasks.detection.predictions import Detection

SHARE = st.floats(0, 1)
DETECTION = st.builds(Detection, st.integers(0, 2), SHARE, SHARE, SHARE, SHARE, SHARE)
CAT = Detection(0, 0.9, 0.1, 0.1, 0.5, 0.5)
DOG = Detection(1, 0.6, 0.2, 0.2, 0.4, 0.4)


@given(
    st.lists(DETECTION, max_size=6).flatmap(lambda items: st.tuples(st.just(items), st.permutations(items)))
)
def test_the_same_detections_in_another_order_do_not_differ(both):
    assert largest_difference(*both) == 0


@given(st.lists(DETECTION, max_size=5), st.lists(DETECTION, max_size=5))
def test_it_does_not_matter_which_side_is_which(one, other):
    assert largest_difference(one, other) == pytest.approx(largest_difference(other, one))
    assert 0 <= largest_difference(one, other) <= 1


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        ([CAT, DOG], 0),
        ([CAT, dataclasses.replace(DOG, score=0.55)], 0.05),
        ([CAT, dataclasses.replace(DOG, xmax=0.7)], 0.3),
        ([CAT], 0.6),  # the dog is gone
        ([CAT, dataclasses.replace(DOG, class_id=0)], 0.6),  # the dog is a cat
        ([CAT, DOG, Detection(0, 0.3, 0.6, 0.6, 0.7, 0.7)], 0.3),  # one more
        ([CAT, DOG, Detection(0, MIN_SCORE / 2, 0.6, 0.6, 0.7, 0.7)], 0),  # too faint to tell
        ([], 0.9),
    ],
)
def test_the_largest_difference_is_found(answer, difference):
    assert largest_difference([DOG, CAT], answer) == pytest.approx(difference)


def test_a_score_that_crosses_the_limit_by_a_hair_differs_by_a_hair():
    just_below, just_above = (dataclasses.replace(CAT, score=MIN_SCORE + step) for step in (-0.001, 0.001))
    assert largest_difference([just_below], [just_above]) == pytest.approx(0.002)
