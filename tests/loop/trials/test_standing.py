"""One bad batch costs only itself: all others are learned without a hand, in few trainings, and it is set
aside.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop.core.records.trials import Finding, Kind, Trial
from include.loop.trials.next_trial import choices, trials_left
from include.loop.trials.standing import Past, State, stand
from tests.loop.batches import HOUR, Paper, harmful, names

A, B, C, D = names(4)
MANY = 10**6
NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)


def trial(
    *batches: str, outcome: Finding = Finding.HARM, champion: str = "c", hour: int = 0, **more
) -> Trial:
    at = NOON + hour * HOUR
    job = f"job-{hour}-{'-'.join(batches)}"
    return Trial(training_job=job, champion=champion, shards=batches, outcome=outcome, at=at, **more)


def next_(past: Past, most: int = MANY) -> list[tuple[str, ...]]:
    return [choice.batches for choice in choices(past, NOON + 5 * HOUR, most)]


def test_without_trials_all_batches_are_learned_together():
    for champion in ("c", None):
        (choice,) = choices(Past(champion, [B, A, C], discarded=frozenset({C})), NOON, 0)
        assert choice == type(choice)((A, B), Kind.ROUND)
    assert next_(Past("c", [])) == next_(Past(None, [])) == []


def test_a_bad_batch_that_comes_alone_is_set_aside_at_once_and_those_after_it_are_learned():
    paper = Paper(harmful(A))
    assert paper.day(A) == [("round", (A,), "harm")]
    assert paper.states == {A: State.SET_ASIDE}
    assert paper.reason(A).startswith("did harm by itself (job-0), and is tried once more")
    assert paper.day() == []
    assert paper.day(B) == [("round", (B,), "promote"), ("alone", (A,), "harm")]
    assert paper.day(C) == [("round", (C,), "promote")]
    assert paper.states == {A: State.SET_ASIDE}
    assert paper.reason(A) == "did harm by itself (job-2)"


def test_a_good_batch_that_did_harm_by_chance_is_learned_with_the_next_champion():
    for later in (Finding.PROMOTE, Finding.NO_GAIN):
        verdicts = iter([Finding.HARM, Finding.PROMOTE, later, Finding.PROMOTE])
        paper = Paper(lambda _, verdicts=verdicts: next(verdicts))  # type: ignore[misc]
        paper.day(A)
        assert paper.day(B)[-1] == ("alone", (A,), str(later))
        paper.day(C)
        assert paper.learned == {A, B, C}


def test_of_ten_batches_at_once_nine_are_learned_and_one_is_set_aside():
    batches = names(10)
    for bad in batches:
        paper = Paper(harmful(bad), most=MANY)
        paper.day(*batches)
        assert paper.learned == {*batches} - {bad}
        assert paper.states == {bad: State.SET_ASIDE}
        assert len(paper.trials) <= 2 + 2 * math.ceil(math.log2(10))


def test_a_group_is_split_the_half_without_harm_is_learned_and_the_other_split_on():
    paper = Paper(harmful(C), most=MANY)
    assert paper.day(A, B, C, D) == [
        ("round", (A, B, C, D), "harm"),
        ("split", (A, B), "promote"),
        ("split", (C,), "harm"),
        ("rest", (D,), "promote"),  # another one explains the harm
        ("alone", (C,), "harm"),  # once more, with a later champion
    ]


def test_the_batch_whose_labels_could_not_be_learned_is_left_out_first():
    blaming = trial(A, B, C, blamed=(B,))
    past = Past("c", [A, B, C], [blaming])
    assert {batch: item.state for batch, item in stand(past).items()} == {
        A: State.OPEN, B: State.SUSPENDED, C: State.OPEN,
    }  # fmt: skip
    assert next_(past) == [(A, C), (B,)]
    # It was not the cause: the others are, and are split.
    cleared = [blaming, trial(B, outcome=Finding.PROMOTE, hour=1)]
    assert next_(Past("d", [A, C], cleared)) == [(A,), (C,)]


def test_what_was_without_harm_before_is_suspected_last():
    tried = [trial(A, outcome=Finding.NO_GAIN, champion="b"), trial(A, B, hour=1)]
    past = Past("c", [A, B], tried)
    assert {batch: item.state for batch, item in stand(past).items()} == {A: State.OPEN, B: State.SUSPENDED}
    assert [choice.kind for choice in choices(past, NOON, MANY)] == [Kind.REST, Kind.ALONE]
    assert next_(Past("d", [A], [*tried, trial(B, outcome=Finding.PROMOTE, hour=2)])) == [(A,)]


def test_what_brought_no_gain_adds_up_with_new_labels_and_the_newer_half_is_tried_by_itself():
    paper = Paper(lambda batches: Finding.NO_GAIN)
    assert paper.day(A) == [("round", (A,), "no_gain")]
    assert paper.day() == []
    assert paper.day(B) == [("round", (A, B), "no_gain"), ("newer", (B,), "no_gain")]
    assert paper.day(C) == [("round", (A, B, C), "no_gain"), ("newer", (B, C), "no_gain")]
    assert {*paper.states.values()} == {State.OPEN}


def test_a_mediocre_batch_holds_back_nobody_and_costs_few_trainings():
    paper = Paper(lambda batches: Finding.NO_GAIN if A in batches else Finding.PROMOTE)
    batches = names(9)
    paper.days([[batch] for batch in batches])
    assert paper.learned == {*batches} - {A}
    assert paper.states == {A: State.SET_ASIDE}
    assert "others passed without it" in paper.reason(A)
    assert len(paper.trials) == 9 + 3 + 1  # three times the newer half, once alone


def test_batches_that_do_harm_only_together_are_not_put_together_again():
    def gate(batches):
        return (
            Finding.HARM
            if {A, B} <= {*batches}
            else Finding.NO_GAIN
            if len(batches) == 1
            else Finding.PROMOTE
        )

    paper = Paper(gate)
    assert paper.day(A, B)[-1] == ("alone", (B,), "no_gain")
    assert paper.states == {A: State.SUSPENDED, B: State.OPEN}
    assert f"did harm together with {B}" in paper.reason(A)
    assert paper.day(C) == [("round", (B, C), "promote")]
    assert paper.day(D) == [("round", (A, D), "promote")]


def test_of_batches_that_do_harm_only_in_pairs_as_many_as_can_go_on():
    alone = [trial(batch, outcome=Finding.NO_GAIN) for batch in (A, B, C)]
    found = stand(Past("c", [A, B, C], [*alone, trial(A, B, hour=1), trial(B, C, hour=2)]))
    assert [item.state for item in found.values()] == [State.OPEN, State.SUSPENDED, State.OPEN]
    assert f"together with {C}," in found[B].reason


def test_a_batch_that_does_harm_only_with_others_is_set_aside_in_the_end():
    bad = lambda batches: Finding.HARM if len(batches) > 1 else Finding.NO_GAIN  # noqa: E731
    paper = Paper(lambda batches: bad(batches) if A in batches else Finding.PROMOTE)
    paper.days([[batch] for batch in names(8)])
    assert paper.states == {A: State.SET_ASIDE}
    assert "again with batches that are good without it" in paper.reason(A)
    assert len(paper.trials) == 8 + 3


def test_a_person_releases_a_batch_and_what_was_before_counts_no_longer():
    paper = Paper(harmful(A))
    paper.day(A)
    paper.released[A] = paper.now
    assert (paper.states, paper.reason(A)) == ({A: State.OPEN}, "released by a person")
    assert paper.day() == [], "the same labels and the same champion give the same verdict"
    assert paper.day(B)[0] == ("round", (A, B), "harm")
    assert paper.learned == {B}
    assert paper.states == {A: State.SET_ASIDE}
    paper.gate = harmful()
    paper.released[A] = paper.now
    assert paper.day(C) == [("round", (A, C), "promote")]


def test_a_person_discards_the_cause_and_the_others_are_open_again():
    past = Past("c", [A, B, C], [trial(A, B, C)], discarded=frozenset({B}))
    assert [item.state for item in stand(past).values()] == [State.OPEN, State.DISCARDED, State.OPEN]
    assert next_(past) == [(A, C)]


def test_further_trials_are_counted_within_a_day_and_new_batches_are_not():
    tried = [trial(batch, hour=hour, kind=Kind.ALONE) for batch, hour in ((A, -30), (B, -10))]
    tried.append(trial(C, D, kind=Kind.ROUND))
    past = Past("c", [C, D, "2026-11-05"], tried)
    assert trials_left(past, NOON, 3) == 2
    assert trials_left(past, NOON, 1) == trials_left(past, NOON, 0) == 0
    assert next_(past, most=1) == [("2026-11-05",)]
    assert next_(past, most=2) == [("2026-11-05",), (C,), (D,)]
    tomorrow = [choice.batches for choice in choices(past, NOON + timedelta(days=1), 1)]
    assert (C,) in tomorrow


def test_a_challenger_that_came_too_late_has_judged_nothing():
    past = Past("d", [A], [trial(A, outcome=Finding.PROMOTE, champion="c")])
    assert [choice.kind for choice in choices(past, NOON, 0)] == [Kind.ROUND]
    refused = Past("c", [A], past.trials)
    assert next_(refused) == [], "a person said no to it"
    assert stand(refused)[A].reason == "passed the gate, and is not promoted yet, or was taken back"


@st.composite
def histories(draw):
    batches = names(draw(st.integers(1, 12)))
    bad = draw(st.sets(st.sampled_from(batches), min_size=1, max_size=2))
    order = draw(st.permutations(batches))
    arrivals = []
    while order:
        size = draw(st.integers(1, len(order)))
        arrivals.append(order[:size])
        order = order[size:]
    return batches, bad, arrivals, draw(st.integers(1, 3)), draw(st.sets(st.sampled_from(sorted(bad))))


@given(histories())
@settings(max_examples=150)
def test_whatever_comes_in_whatever_order_all_good_batches_are_learned(history):
    batches, bad, arrivals, most, nameable = history
    paper = Paper(harmful(*bad), most, frozenset(nameable))
    paper.days(arrivals, more=40)
    assert paper.learned == {*batches} - bad
    assert {*paper.states.values()} == {State.SET_ASIDE}
    # Per bad batch: its group is halved, and the innocent half is put back, at each step.
    assert len(paper.trials) <= len(batches) + len(bad) * (2 + 2 * math.ceil(math.log2(len(batches) + 1)))
    assert paper.day() == []


@given(st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=100)
def test_under_any_gate_there_is_an_end_and_nothing_is_tried_twice(random, count):
    """Verdicts by chance: no two batches add up, and the same batch may do harm today and none tomorrow."""
    paper = Paper(lambda batches: random.choice([*Finding]), most=2)
    batches = names(count)
    paper.days([[batch] for batch in batches], more=3 * count)
    assert paper.day() == []
    assert {*paper.states} == {*batches} - paper.learned
    assert State.DISCARDED not in paper.states.values()
    assert len(paper.trials) <= 8 * count
