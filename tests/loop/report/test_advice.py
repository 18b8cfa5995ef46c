"""What to do next: by outcome, by failed rule, by what the batches were like."""

from __future__ import annotations

import pytest

from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import DatasetFacts, Facts, RoundOutcome, RoundVerdict
from include.loop.core.records.verdict import JudgedRule
from include.loop.report import advice
from include.loop.report.batches import make_scores
from tests.loop.report.rounds import as_slice, but

BATCH = BatchFacts(batch="2026-11-02", champion="job-1", asked=40, scores=make_scores([0.9] * 100))
BEFORE = BatchFacts(batch="2026-11-01", champion="job-1", images=9, scores=make_scores([0.2] * 100))
FACTS = Facts(
    pipeline="pets", training_job="job-2", outcome=RoundOutcome.PROMOTED, parent="job-1", batches=(BATCH,)
)


@pytest.mark.parametrize("outcome", RoundOutcome)
def test_every_outcome_has_a_next_step(outcome: RoundOutcome) -> None:
    steps = advice.next_steps(but(FACTS, outcome=outcome))
    assert steps
    assert all(step.endswith(".") for step in steps)


def test_a_backfilled_batch_is_named_to_who_has_to_approve() -> None:
    waiting = but(
        FACTS, outcome=RoundOutcome.WAITING, dataset=DatasetFacts(dataset_id="d", backfilled=("2026-11-02",))
    )
    steps = advice.next_steps(waiting)
    assert steps[0].startswith("A backfill ran 2 November 2026")
    assert steps[1].startswith("Decide:")


@pytest.mark.parametrize("rule", advice.RULES)
def test_every_rule_of_the_gate_has_a_name_and_advice(rule: str) -> None:
    verdict = RoundVerdict(
        promote=False,
        rules=(
            JudgedRule(rule=rule, slice="day", passed=False),
            JudgedRule(rule=rule, slice="night", passed=False),
        ),
    )
    steps = advice.next_steps(but(FACTS, outcome=RoundOutcome.REJECTED, verdict=verdict))
    assert sum(step.startswith(f"{advice.rule_name(rule)} (day; night): ") for step in steps) == 1


def test_every_rule_that_the_gate_knows_is_known_here() -> None:
    from pathlib import Path

    import include.loop.evaluation.rules as rules

    text = Path(rules.__file__).read_text()
    named = {part.split('"')[1] for part in text.split("_rule(")[1:] if part.strip().startswith('"')}
    assert named
    assert named <= advice.RULES.keys()


def test_a_batch_that_looks_different_to_the_same_model_is_worth_a_look() -> None:
    (drift,) = advice.drifts(but(FACTS, earlier=(BEFORE,)))
    assert drift.same
    assert drift.much
    assert any("look different" in step for step in advice.next_steps(but(FACTS, earlier=(BEFORE,))))


def test_a_new_model_moves_scores_by_itself() -> None:
    facts = but(FACTS, earlier=(but(BEFORE, champion="job-0"),))
    (drift,) = advice.drifts(facts)
    assert not drift.same
    assert not any("look different" in step for step in advice.next_steps(facts))
    assert advice.drifts(FACTS) == []


def test_what_could_not_be_used_or_is_open_or_too_small_is_told() -> None:
    batch = but(BATCH, quarantined=5, open=2, disagreed=3)
    small = but(as_slice("audit", 0.8, 0.8), judged=False)
    text = " ".join(advice.next_steps(but(FACTS, batches=(batch,), slices=(small,))))
    assert "5 records of 2 November 2026 could not be used" in text
    assert "Of 3 images of 2 November 2026 the reviewers disagree" in text
    assert "2 questions of 2 November 2026 were still open" in text
    assert "Audit has 40 images: it is told, but too small to be judged." in text


def test_rules_are_told_failed_first_and_what_says_little_in_one_line() -> None:
    rules = (
        JudgedRule(rule="measured", slice="day", passed=True),
        JudgedRule(rule="measured", slice="night", passed=True),
        JudgedRule(rule="images", slice="audit", passed=False, judged=False),
        JudgedRule(rule="new one", passed=True, value=1.0),
        JudgedRule(rule="gain", passed=True, value=0.1),
        JudgedRule(rule="loss", slice="day", passed=False, value=-0.1),
    )
    told = [(rule.rule, rule.slice) for rule in advice.ordered(rules)]
    assert told == [
        ("loss", "day"),
        ("gain", None),
        ("measured", "day, night"),
        ("new one", None),
        ("images", "audit"),
    ]
