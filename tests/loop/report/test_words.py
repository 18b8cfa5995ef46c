"""The headline of a round, for somebody who was not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from include.loop.report.facts import Decision, Facts, Outcome, Package, Rule, Verdict
from include.loop.report.nights import Night
from include.loop.report.words import headline
from tests.loop.report.rounds import as_slice

NIGHT = Night("2026-11-01", images=200, asked=40, labels=40)
DAY, DARK = as_slice("day", 0.81, 0.82), as_slice("night", 0.63, 0.31)


def facts(outcome: Outcome, **changes: Any) -> Facts:
    made = Facts("pets", "job-2", outcome, parent="job-1", nights=(NIGHT,), slices=(DAY, DARK))
    return replace(made, **({"improve_on": ("night",)} | changes))


def failed(rule: str, slice: str | None = None, class_name: str | None = None) -> Rule:
    return Rule(rule, slice, class_name, passed=False, text=f"text of {rule}")


def test_a_gain_is_told_where_it_was_wanted_first() -> None:
    assert headline(facts(Outcome.PROMOTED)) == (
        "Promoted: 40 labels from 1 November 2026 gained 32.0 points of mAP@0.5 on night "
        "(night 0.310 to 0.630, day 0.820 to 0.810)."
    )


def test_several_nights_are_counted() -> None:
    told = headline(facts(Outcome.UNDONE, nights=(NIGHT, replace(NIGHT, batch="2026-11-02"))))
    assert told.startswith("Promoted and rolled back later: 80 labels from 2 nights gained 32.0 points")


def test_a_first_model_has_nothing_to_gain_over() -> None:
    first = facts(Outcome.PROMOTED, parent=None, nights=(), slices=(as_slice("day", 0.81, None),))
    assert (
        headline(replace(first, improve_on=("day",))) == "Promoted as the first model: mAP@0.5 0.810 on day."
    )


def test_a_model_that_waits_is_not_at_work() -> None:
    assert headline(facts(Outcome.WAITING)).startswith(
        "Not at work yet: it passed the gate and waits. 40 labels from 1 November 2026 gained"
    )


def test_a_person_who_declined_is_named_with_the_reason() -> None:
    package = Package("arn", decision=Decision("Rejected", by="ada", comment="the camera was moved"))
    assert headline(facts(Outcome.DECLINED, package=package)) == (
        "Not promoted: it passed the gate and was declined by ada: the camera was moved."
    )


def test_the_rules_that_failed_are_told_in_words_and_too_many_are_counted() -> None:
    rules = (
        failed("loss", slice="day"),
        failed("learned", slice="2026-11-01"),
        failed("class_loss", slice="day", class_name="cat"),
        failed("gain"),
        Rule("images", slice="audit", passed=False, judged=False),
    )
    told = headline(facts(Outcome.REJECTED, verdict=Verdict(False, rules)))
    assert told.startswith(
        "Not promoted: worse on day, could not learn the labels of 1 November 2026, and 2 more rules failed; "
    )


def test_a_gain_that_is_too_small_is_told_from_one_that_may_be_chance() -> None:
    for value, words in ((0.007, "a gain below the 1.0 points wanted"), (0.02, "a gain that may be chance")):
        rule = Rule("gain", value=value, limit=0.01, passed=False)
        told = headline(facts(Outcome.REJECTED, verdict=Verdict(False, (rule,))))
        assert f"Not promoted: {words};" in told


def test_a_rule_that_is_new_here_speaks_for_itself() -> None:
    told = headline(facts(Outcome.REJECTED, verdict=Verdict(False, (failed("tomorrow's {rule}"),))))
    assert "text of tomorrow's {rule}" in told


def test_without_rules_the_gates_own_reasons_are_told() -> None:
    verdict = Verdict(False, reasons=("there are no metrics.",))
    told = headline(facts(Outcome.REJECTED, verdict=verdict, slices=()))
    assert told == "Not promoted: there are no metrics."
