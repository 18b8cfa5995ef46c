"""What audits say of the model at work: intervals that hold, also where all is right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live import NUMBERS, WORLDS, simulate
from include.loop.core.records.live import AuditedBatch, Tally
from include.loop.live.estimate import LEAST, estimate, merged, tally, weeks
from include.loop.tasks.measuring import Outcomes

NIGHT = "2026-11-01"


def outcomes(true: list[int], found: list[int], said: list[int]) -> Outcomes:
    a, b, c = (np.array(values) for values in (true, found, said))
    return Outcomes(true=a, found=b, said=c, right=(a == b) & (b == c))


def audited(
    right: int, wrong: int, batch: str = NIGHT, share: float | None = 0.05, images: int = 1000, drawn: int = 0
) -> AuditedBatch:
    """A classifier's."""
    count = right + wrong
    true = [1] * count
    found = [1] * right + [0] * wrong
    return AuditedBatch(
        batch=batch,
        model="job-1",
        images=images,
        drawn=drawn or count,
        asked=count,
        share=share,
        tally=tally(outcomes(true, found, true)),
    )


@pytest.mark.parametrize("world", ["images differ much", "a good model, one label"])
def test_intervals_hold_nine_times_of_ten_or_more_and_all_answers_together_are_biased(world: str) -> None:
    """200 weeks. `python -m benchmarks.live` has ten worlds and more months."""
    found = simulate(WORLDS[world], months=50, seed=1)
    for number in NUMBERS:
        week = found["week", number]
        assert week.told > 120
        assert 0.90 <= week.coverage <= 0.98, (number, week)
        assert week.bias < -0.03, (number, week)


def test_every_image_counts_by_the_chance_that_it_was_drawn_with() -> None:
    """A night of 10,000 images says more of the week than one of 100, whatever the audits were cut to."""
    large = audited(50, 50, share=0.05, images=10_000, drawn=500)  # the cap left 100 of 500
    small = audited(100, 0, batch="2026-11-02", share=1.0, images=100)
    told = estimate([large, small]).accuracy
    assert told is not None
    assert told.value == pytest.approx((10_000 * 0.5 + 100) / 10_100)


@pytest.mark.parametrize("share", [None, 0.0])
def test_audits_of_which_the_share_is_not_known_count_by_how_many_were_drawn(share: float | None) -> None:
    """0: audits were given up while a night was between its triage and its questions."""
    large = audited(50, 50, share=share, images=10_000, drawn=500)
    told = estimate([large, audited(100, 0, batch="2026-11-02", share=share, images=100)]).accuracy
    assert told is not None
    assert told.value == pytest.approx((10_000 * 0.5 + 100) / 10_100)


def test_where_all_is_right_the_interval_is_not_a_point() -> None:
    told = estimate([audited(40, 0)]).accuracy
    assert told is not None
    assert (told.value, told.high) == (1.0, 1.0)
    assert told.low == pytest.approx(0.907, abs=0.002)  # Wilson's for 40 of 40, by Student's t
    wrong = estimate([audited(0, 40)]).accuracy
    assert wrong is not None
    assert (wrong.low, wrong.high) == pytest.approx((0.0, 1 - told.low))


def test_the_objects_of_one_image_are_no_independent_witnesses() -> None:
    """Ten objects on an image that are found or missed together say as much as one."""
    ones = estimate([audited(30, 10)]).recall
    ten = outcomes([10] * 40, [10] * 30 + [0] * 10, [10] * 40)
    batch = audited(30, 10).model_copy(update={"tally": tally(ten)})
    tens = estimate([batch]).recall
    assert ones is not None
    assert tens is not None
    assert (tens.value, tens.low, tens.high) == pytest.approx((ones.value, ones.low, ones.high), abs=0.003)
    right = batch.model_copy(update={"tally": tally(outcomes([10] * 40, [10] * 40, [10] * 40))})
    assert estimate([right]).recall == estimate([audited(40, 0)]).recall


def test_of_too_few_nothing_is_said_but_how_many_there_are() -> None:
    told = estimate([audited(LEAST - 1, 0)])
    assert (told.audited, told.recall, told.precision, told.accuracy) == (LEAST - 1, None, None, None)
    silent = audited(LEAST, 0).model_copy(
        update={"tally": tally(outcomes([2] * LEAST, [0] * LEAST, [0] * LEAST))}
    )
    told = estimate([silent])
    assert told.precision is None  # the model says nothing, so nothing of it is right or wrong
    assert told.recall is not None
    assert told.recall.value == 0
    assert estimate([]).batches == 0


def test_late_answers_belong_to_the_week_of_their_batch_and_a_week_crosses_new_year() -> None:
    late = AuditedBatch(batch="2026-12-31", model="job-1", tally=audited(10, 0).tally)
    batches = [audited(20, 5, "2026-12-31", drawn=40), audited(30, 0, "2027-01-04"), late]
    found = weeks([*batches, audited(3, 0, "2027-01-01.1")])
    assert list(found) == ["2026-W53", "2027-W01"]
    assert [(week.batches, week.audited) for week in found.values()] == [(2, 38), (1, 30)]
    assert merged([late, batches[0]]) == merged([batches[0], late])
    assert merged([late, batches[0]])[0].tally == Tally() + batches[0].tally + late.tally


def test_late_answers_to_a_batch_whose_own_labels_are_discarded_say_nothing() -> None:
    late = AuditedBatch(batch=NIGHT, model="job-1", tally=audited(50, 0).tally)
    assert estimate([late]).batches == 0
