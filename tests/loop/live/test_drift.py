"""A batch that looks different is told of, how far and since when; nights that differ as ever are not."""

from __future__ import annotations

import pytest

from benchmarks.live import World, alarms
from include.loop.core.records.live import Appearance, Moved
from include.loop.live.drift import LEAST, MOST, judge, tell

SURE, UNSURE = (0, 0, 0, 0, 0, 0, 5, 10, 30, 155), (155, 30, 10, 5, 0, 0, 0, 0, 0, 0)


def night(number: int, scores: tuple[int, ...] = SURE, moved: tuple[Moved, ...] = ()) -> Appearance:
    signals = {"scores": scores, "classes": (150, 50, 0)}
    return Appearance(batch=f"2026-11-{number:02}", model="job-1", images=200, signals=signals, moved=moved)


QUIET = [night(number) for number in range(1, 1 + LEAST)]


def test_what_moved_is_told_with_how_far_since_when_and_what_to_do() -> None:
    (moved,) = judge(night(9, UNSURE), QUIET, 0.25)
    assert (moved.signal, moved.since, moved.batches, moved.usual) == ("scores", "2026-11-09", LEAST, 0.0)
    assert moved.index > 1
    text = tell(night(9, UNSURE, (moved,)))
    assert text.startswith(
        "The images of batch 2026-11-09 look different to model job-1 than those before: how sure"
    )
    assert "since batch 2026-11-09. Look at a few of them" in text
    assert tell(night(1)) == ""


def test_what_has_moved_is_told_of_every_batch_for_as_long_as_it_lasts() -> None:
    before = list(QUIET)
    for number in (9, 10, 11):
        here = night(number, UNSURE)
        (moved,) = judge(here, before, 0.25)
        assert (moved.signal, moved.since, moved.batches) == ("scores", "2026-11-09", LEAST)
        before.append(night(number, UNSURE, (moved,)))
    assert judge(night(12), before, 0.25) == ()
    assert judge(night(13, UNSURE), [*before, night(12)], 0.25) == ()  # by now nights are known to differ so
    months = [*before, *(night(number, UNSURE, (moved,)) for number in range(12, 12 + MOST - LEAST))]
    assert judge(night(99, UNSURE), months, 0.25) == ()  # and what lasts for a month is how images look


def test_nothing_has_moved_where_there_is_too_little_to_compare_with_or_nights_always_differ() -> None:
    assert judge(night(9, UNSURE), QUIET[1:], 0.25) == ()
    assert judge(night(9), QUIET, 0.25) == ()
    assert judge(night(9, UNSURE), QUIET, None) == ()
    assert judge(night(9, UNSURE), QUIET, 100) == ()
    assert judge(night(9, UNSURE), [*QUIET, night(8, UNSURE)], 0.25) == ()  # it was so before
    empty = night(9).model_copy(update={"signals": {"scores": (0,) * 10}})
    assert judge(empty, QUIET, 0.25) == ()
    other_classes = night(9).model_copy(update={"signals": {"classes": (0, 0, 0, 200)}})
    assert judge(other_classes, QUIET, 0.25) == ()  # the pipeline has one more since


@pytest.mark.parametrize("images", [50, 300])
def test_quiet_months_are_quiet_and_a_shift_is_told(images: int) -> None:
    told = alarms(World(images, 0.05, 2.0, 3, nights_differ=0.3), months=15, seed=1)
    assert told.first <= 1
    assert told.later <= 0.5
    assert told.large >= 0.9
