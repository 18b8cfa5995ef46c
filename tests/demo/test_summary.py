"""The summary of three batches: sums at the top, a row for each, words for every verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from include.demo.batch import Plan
from include.demo.samples import SAMPLES
from include.demo.summary import BatchFacts, summarise, verdict_in_words


def champion(number: int, day: float, night: float) -> dict[str, Any]:
    return {
        "number": number,
        "training_job": f"digits-{number}",
        "metric": "mAP@0.5",
        "score": {"day": day, "night": night, "retention": 0.9},
    }


def facts(date: str, before: dict[str, Any], after: dict[str, Any], *reasons: str) -> BatchFacts:
    return BatchFacts(
        batch_date=date,
        images=200,
        labels={"asked": 40, "answers": 40, "labels": 39, "quarantined": 1},
        loops={"started": 40, "completed": 40, "failed": 0, "duplicates": 0},
        planned=Plan(seconds=612.5, audits=2, again=0),
        reviewer_seconds=600.25,
        before=before,
        after=after,
        training_job=f"digits-{date}",
        verdict={"promote": after is not before, "reasons": list(reasons)},
    )


LIGHTS = SAMPLES["digits"].domains
FIRST, SECOND, THIRD = champion(1, 0.95, 0.02), champion(2, 0.94, 0.6), champion(3, 0.945, 0.7)
BATCHES = [
    facts("2026-11-01", FIRST, SECOND, "night gained 0.580"),
    facts("2026-11-02", SECOND, SECOND, "day fell from 0.940 to 0.880", "memory fell"),
    facts("2026-11-03", SECOND, THIRD, "night gained 0.100"),
]


def test_the_top_level_runs_from_before_the_first_batch_to_after_the_last():
    summary = summarise(7, BATCHES, LIGHTS)
    assert summary["score"] == {
        "day": {"before": 0.95, "after": 0.945},
        "night": {"before": 0.02, "after": 0.7},
    }
    assert summary["metric"] == "mAP@0.5"
    assert summary["batch_date"] == "2026-11-01"
    assert summary["promoted"] is True
    assert summary["champion"] == "digits-3"


def test_counts_are_sums_over_the_batches():
    summary = summarise(7, BATCHES, LIGHTS)
    counts = ("images", "reviewed", "answers", "labels", "quarantined", "planned_seconds", "reviewer_seconds")
    assert [summary[name] for name in counts] == [600, 120, 120, 117, 3, 1837.5, 1800.8]
    assert [row["audits"] for row in summary["batches"]] == [2, 2, 2]
    assert summary["human_loops"] == {"started": 120, "completed": 120, "failed": 0, "duplicates": 0}


def test_a_batch_without_promotion_has_the_champion_that_stayed_and_the_reasons():
    row = summarise(7, BATCHES, LIGHTS)["batches"][1]
    assert row["score"]["night"] == {"before": 0.6, "after": 0.6}
    assert row["promoted"] is False
    assert row["verdict"] == "not promoted: day fell from 0.940 to 0.880; memory fell"


def test_when_no_batch_changed_the_champion_nothing_was_promoted():
    assert summarise(7, [BATCHES[1]], LIGHTS)["promoted"] is False


def test_a_verdict_says_what_became_of_the_challenger():
    assert verdict_in_words(BATCHES[0]) == "promoted: night gained 0.580"
    assert verdict_in_words(replace(BATCHES[0], verdict=None)) == ""
    waiting = replace(BATCHES[0], after=FIRST)
    assert verdict_in_words(waiting) == "passed the gate, not promoted: night gained 0.580"
