"""How long people take is learned from what they took, says how sure it is, and is never nonsense."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.config import ReviewSettings
from include.loop.core.records.nightly import AnswerTimes
from include.loop.nightly.effort import LEAST_ANSWERS, Estimate, learn, times_of

FIXED, EACH = 8.0, 5.0


def night(random: Random, images: int, noise: float = 3.0, drift: float = 0.0) -> AnswerTimes:
    """Answers of people who take 8 seconds an image and 5 an object, quicker or slower that night."""
    pace = random.gauss(1, drift)
    objects = [random.randrange(8) for _ in range(images)]
    return times_of((x, max(0.5, (FIXED + EACH * x) * pace + random.gauss(0, noise))) for x in objects)


def test_the_seconds_of_an_image_are_learned_by_what_is_shown_on_it():
    random = Random(1)
    found = learn([night(random, 40) for _ in range(5)])
    assert found is not None
    assert found.fixed == pytest.approx(FIXED, abs=1)
    assert found.each == pytest.approx(EACH, abs=0.3)
    assert found.seconds(6) == pytest.approx(38, abs=2)
    assert found.seconds(None) == found.usual == pytest.approx(FIXED + EACH * 3.5, abs=3)
    assert found.answers == 200
    assert found.noise == pytest.approx(3, abs=0.5)


def test_with_few_answers_the_settings_stand():
    assert learn([times_of([(1, 5.0)] * (LEAST_ANSWERS - 1))]) is None
    assert learn([times_of([(1, 5.0)] * LEAST_ANSWERS)]) is not None
    usual = Estimate.of(ReviewSettings(seconds_per_image=12))
    assert (usual.seconds(None), usual.seconds(9), usual.spread(100, 9)) == (12, 12, None)


def test_an_answer_that_came_sooner_than_a_person_can_look_is_no_measure():
    assert times_of([(3, 0.04), (3, 0.99), (2, 1.5)]) == times_of([(2, 1.5)])


def test_where_more_objects_took_less_time_the_mean_stands():
    found = learn([times_of([(0, 20.0), (4, 10.0)] * 20)])
    assert found is not None
    assert (found.each, found.seconds(0), found.seconds(9)) == (0, 15, 15)


def test_no_image_takes_less_than_any_answer_that_counts():
    found = learn([times_of([(4, 1.0), (5, 11.0)] * 20)])
    assert found is not None
    assert (found.fixed, found.seconds(0)) == (1, 1), "for nothing it would be asked about without a budget"
    assert found.seconds(5) == pytest.approx(1 + 5 * (4 * 0 + 5 * 10) / (16 + 25))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 100), st.floats(0.1, 86_400)), max_size=40), min_size=1, max_size=6
    )
)
def test_whatever_was_answered_an_estimate_is_a_time(nights):
    found = learn([times_of(one) for one in nights])
    if found is not None:
        assert all(1 <= found.seconds(shown) < 10_000_000 for shown in (None, 0, 1, 100))
        assert found.noise >= 0 <= found.drift


def test_nine_nights_of_ten_take_what_the_range_says():
    """Of people whose pace differs by a tenth from night to night; ten nights are known."""
    covered = 0
    for seed in range(200):
        random = Random(seed)
        found = learn([night(random, 40, drift=0.1) for _ in range(10)])
        assert found is not None
        tonight = night(random, 40, drift=0.1)
        expected = found.fixed * tonight.answers + found.each * tonight.x
        spread = found.spread(expected, tonight.answers)
        assert spread is not None
        covered += abs(tonight.y - expected) <= spread * expected
    assert 170 <= covered <= 196
    young = learn([night(Random(1), 40)] * 2)
    assert young is not None
    assert young.spread(100, 10) is None, "of two nights nobody can tell"
