"""The headline of a round, for somebody who was not there."""

from __future__ import annotations

from typing import Any

from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import DecisionFacts, Facts, PackageFacts, RoundOutcome, RoundVerdict
from include.loop.core.records.verdict import JudgedRule
from include.loop.report import words
from include.loop.tasks.detection.task import ObjectDetection
from tests.loop.report.rounds import as_slice, but

BATCH = BatchFacts(batch="2026-11-01", images=200, asked=40, labels=40)
DAY, DARK = as_slice("day", 0.81, 0.82), as_slice("night", 0.63, 0.31)


def headline(facts: Facts) -> str:
    return words.headline(facts, ObjectDetection(("cat", "dog"), "review"))


def facts(outcome: RoundOutcome, **changes: Any) -> Facts:
    made = Facts(
        pipeline="pets",
        training_job="job-2",
        outcome=outcome,
        parent="job-1",
        batches=(BATCH,),
        slices=(DAY, DARK),
    )
    return but(made, **({"improve_on": ("night",)} | changes))


def failed(rule: str, slice: str | None = None, class_name: str | None = None) -> JudgedRule:
    return JudgedRule(rule=rule, slice=slice, class_name=class_name, passed=False, text=f"text of {rule}")


def test_a_gain_is_told_where_it_was_wanted_first() -> None:
    assert headline(facts(RoundOutcome.PROMOTED)) == (
        "Promoted: 40 labels from 1 November 2026 gained 32.0 points of mAP@0.5 on night "
        "(night 0.310 to 0.630, day 0.820 to 0.810)."
    )


def test_several_batches_are_counted() -> None:
    told = headline(facts(RoundOutcome.UNDONE, batches=(BATCH, but(BATCH, batch="2026-11-02"))))
    assert told.startswith("Promoted and rolled back later: 80 labels from 2 batches gained 32.0 points")


def test_a_first_model_has_nothing_to_gain_over() -> None:
    first = facts(RoundOutcome.PROMOTED, parent=None, batches=(), slices=(as_slice("day", 0.81, None),))
    assert headline(but(first, improve_on=("day",))) == "Promoted as the first model: mAP@0.5 0.810 on day."


def test_a_model_that_waits_is_not_at_work() -> None:
    assert headline(facts(RoundOutcome.WAITING)).startswith(
        "Not at work yet: it passed the gate and waits. 40 labels from 1 November 2026 gained"
    )


def test_a_person_who_declined_is_named_with_the_reason() -> None:
    package = PackageFacts(
        package_arn="arn", decision=DecisionFacts(status="Rejected", by="ada", comment="the camera was moved")
    )
    assert headline(facts(RoundOutcome.DECLINED, package=package)) == (
        "Not promoted: it passed the gate and was declined by ada: the camera was moved."
    )


def test_the_rules_that_failed_are_told_in_words_and_too_many_are_counted() -> None:
    rules = (
        failed("loss", slice="day"),
        failed("train_recall", slice="2026-11-01"),
        failed("class_loss", slice="day", class_name="cat"),
        failed("gain"),
        JudgedRule(rule="images", slice="audit", passed=False, judged=False),
    )
    told = headline(facts(RoundOutcome.REJECTED, verdict=RoundVerdict(promote=False, rules=rules)))
    assert told.startswith(
        "Not promoted: worse on day, could not learn the labels of 1 November 2026, and 2 more rules failed; "
    )


def test_a_gain_that_is_too_small_is_told_from_one_that_may_be_chance() -> None:
    for value, text in ((0.007, "a gain below the 1.0 points wanted"), (0.02, "a gain that may be chance")):
        rule = JudgedRule(rule="gain", value=value, limit=0.01, passed=False)
        told = headline(facts(RoundOutcome.REJECTED, verdict=RoundVerdict(promote=False, rules=(rule,))))
        assert f"Not promoted: {text};" in told


def test_a_rule_that_is_new_here_speaks_for_itself() -> None:
    told = headline(
        facts(
            RoundOutcome.REJECTED, verdict=RoundVerdict(promote=False, rules=(failed("tomorrow's {rule}"),))
        )
    )
    assert "text of tomorrow's {rule}" in told


def test_without_rules_the_gates_own_reasons_are_told() -> None:
    verdict = RoundVerdict(promote=False, reasons=("there are no metrics.",))
    told = headline(facts(RoundOutcome.REJECTED, verdict=verdict, slices=()))
    assert told == "Not promoted: there are no metrics."
