"""A share of the images, by their content alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.identity import share
from include.loop.strategies import ImageScores
from include.loop.strategies.random import doubt
from tests.loop.scenes import found

SURE = [found(1, 0.99, 0, 0, 8, 8)]


def test_about_the_threshold_of_all_images_is_asked_about_whatever_the_model_says():
    images = [ImageScores(SURE if index % 2 else [], share(index)) for index in range(2000)]
    asked = [image for image in images if doubt(image, 0.3).ask]
    assert 0.26 < len(asked) / 2000 < 0.34
    sure = sum(bool(image.scores) for image in asked)
    assert 0.4 < sure / len(asked) < 0.6


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(0, 1))
def test_a_cap_takes_the_same_images_first_whatever_the_threshold_is(throw, threshold, other):
    image = ImageScores(SURE, throw)
    assert doubt(image, threshold).urgency == doubt(image, other).urgency
    assert doubt(image, threshold) == doubt(ImageScores([], throw), threshold)
