"""Ask when the best score is below the threshold; nothing found counts as no score at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.loop.strategies import ImageScores
from include.loop.strategies.least_confident import doubt
from tests.loop.scenes import found

SCORES = st.lists(st.floats(0, 1), max_size=20)
THRESHOLDS = st.floats(0, 1)


def image(*scores: float) -> ImageScores:
    return ImageScores([found(0, score, 0, 0, 8, 8) for score in scores], share=0.5)


def test_an_image_without_detection_is_asked_about_before_all_others():
    nothing = doubt(image(), 0.5)
    assert nothing.ask
    assert nothing.reason == "no detection"
    assert nothing.urgency >= doubt(image(0.01), 0.5).urgency


@given(SCORES, THRESHOLDS)
def test_the_best_score_alone_decides(scores, threshold):
    decided = doubt(image(*scores), threshold)
    assert decided.ask == (not scores or max(scores) < threshold)
    assert decided == doubt(image(*scores, *[0.0] * bool(scores)), threshold)
