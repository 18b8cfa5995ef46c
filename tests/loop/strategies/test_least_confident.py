"""Seed rule: ask when the best score is below the threshold; nothing found counts as no score at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.loop.strategies import STRATEGIES, least_confident

SCORES = st.lists(st.floats(0, 1), max_size=20)
THRESHOLDS = st.floats(0, 1)


def test_an_image_without_detection_is_asked_about_before_all_others():
    nothing = least_confident([], 0.5)
    assert nothing.ask
    assert nothing.reason == "no detection"
    assert nothing.urgency >= least_confident([0.01], 0.5).urgency


@given(SCORES, THRESHOLDS)
def test_the_best_score_alone_decides(scores, threshold):
    doubt = least_confident(scores, threshold)
    assert doubt.ask == (not scores or max(scores) < threshold)
    assert doubt == least_confident([*scores, *[0.0] * bool(scores)], threshold)


@given(SCORES, THRESHOLDS)
def test_every_strategy_gives_a_reason_and_a_finite_urgency(scores, threshold):
    for strategy in STRATEGIES.values():
        doubt = strategy(scores, threshold)
        assert doubt.reason
        assert 0 <= doubt.urgency <= 1
