"""The demo's exit code depends on each of its checks."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.demo.checks import failed
from include.demo.samples import SAMPLES
from include.demo.table import table


def batch(date: str, before: tuple[float, float], after: tuple[float, float], verdict: str) -> dict[str, Any]:
    score = {
        light: {"before": before[index], "after": after[index]}
        for index, light in enumerate(("day", "night"))
    }
    return {
        "batch_date": date,
        "reviewed": 40,
        "score": score,
        "verdict": verdict,
        "promoted": verdict.startswith("promoted"),
        "audits": 3,
        "asked_again": 0,
        "planned_seconds": 600.0,
        "reviewer_seconds": 170.8,
    }


PROMISES, LIGHTS = SAMPLES["digits"].promises, SAMPLES["digits"].domains
PASSED: dict[str, Any] = {
    "seed": 7,
    "batch_date": "2026-11-01",
    "images": 600,
    "reviewed": 120,
    "answers": 120,
    "labels": 119,
    "quarantined": 1,
    "human_loops": {"started": 120, "completed": 120, "failed": 0, "duplicates": 0},
    "score": {"day": {"before": 0.81, "after": 0.78}, "night": {"before": 0.01, "after": 0.61}},
    "promoted": True,
    "metric": "mAP@0.5",
    "champion": "digits-train-3",
    "endpoint": {"name": "digits", "status": "InService", "training_job": "digits-train-3"},
    "planned_seconds": 1800.0,
    "reviewer_seconds": 512.4,
    "batches": [
        batch("2026-11-01", (0.81, 0.01), (0.79, 0.55), "promoted: night gained 0.540"),
        batch("2026-11-02", (0.79, 0.55), (0.79, 0.55), "not promoted: day fell from 0.790 to 0.740"),
        batch("2026-11-03", (0.79, 0.55), (0.78, 0.61), "promoted: night gained 0.060"),
    ],
    "seconds": {"start": 20.0, "total": 400.0},
    "jobs": [],
}


def changed(*path: str | int, to: object, **more: object) -> dict[str, Any]:
    summary = copy.deepcopy(PASSED) | more
    place: Any = summary
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return summary


def test_a_good_run_passes_all_of_them_also_when_a_batch_was_rightly_turned_down():
    assert failed(PASSED, PROMISES, LIGHTS) == []


@pytest.mark.parametrize(
    ("summary", "word"),
    [
        (changed("score", "night", "before", to=0.2), "below 0.20"),
        (changed("score", "night", "after", to=0.49), "at least 0.50"),
        (changed("score", "night", "after", to=float("nan")), "at least 0.50"),
        (changed("batches", 1, "score", "night", "after", to=0.54), "never falls"),
        (changed("batches", 0, "score", "night", "after", to=0.009), "never falls"),
        (changed("batches", 1, "score", "night", "after", to=float("nan")), "never falls"),
        (changed("batches", 1, "score", "day", "after", to=0.76), "at most 0.04"),
        (changed("batches", 2, "score", "day", "after", to=float("nan")), "at most 0.04"),
        (changed("reviewed", to=121, answers=121), "120 images"),
        (changed("reviewed", to=0, answers=0), "120 images"),
        (changed("answers", to=121), "one answer"),
        (changed("human_loops", "completed", to=119), "completed"),
        (changed("human_loops", "started", to=0), "completed"),
        (changed("human_loops", "duplicates", to=1), "twice"),
        (changed("batches", 1, "verdict", to=""), "verdict"),
        (changed("batches", to=PASSED["batches"][:2]), "3 batches"),
        (changed("promoted", to=False), "a better model became the champion"),
        (changed("endpoint", to=None), "endpoint"),
        (changed("endpoint", "status", to="Failed"), "endpoint"),
        (changed("endpoint", "training_job", to="digits-train-2"), "endpoint"),
    ],
)
def test_each_failed_check_is_told(summary, word):
    told = failed(summary, PROMISES, LIGHTS)
    assert len(told) == 1
    assert word in told[0]


def test_the_table_has_a_row_per_batch_and_the_gates_words():
    shown = table(PASSED, LIGHTS).splitlines()
    assert "  the first model                      0.810     0.010" in shown
    assert "  after the batch of 2026-11-01        0.790     0.550      40   new" in shown
    assert "  after the batch of 2026-11-02        0.790     0.550      40   stays" in shown
    assert "  change                              -0.030    +0.600     120" in shown
    assert "  2026-11-02  not promoted: day fell from 0.790 to 0.740" in shown
    assert "  human loops completed           120 of 120" in shown
    assert "  2026-11-02                             600       171   37 in doubt, 3 audits" in shown


def test_a_long_verdict_is_wrapped_below_its_date():
    shown = table(changed("batches", 0, "verdict", to="promoted: " + "word " * 40), LIGHTS).splitlines()
    start = next(index for index, line in enumerate(shown) if line.startswith("  2026-11-01"))
    assert len(shown[start]) <= 110
    assert shown[start + 1].startswith(" " * 14 + "word")


def test_another_sample_has_the_same_checks_with_its_own_promises_domains_and_words():
    promises, sites = SAMPLES["trees"].promises, SAMPLES["trees"].domains

    def on_sites(after: float) -> dict[str, Any]:
        """A run with the first model just below what is promised, and a gain on site B."""
        before = (0.4, promises.before - 0.01)
        told = [batch(f"2026-11-0{day}", before, (0.4, after), "promoted: gained") for day in (1, 2, 3)]
        for each in told:
            each["score"] = dict(zip(("site-a", "site-b"), each["score"].values(), strict=True))
        score = {"site-a": {"before": 0.4, "after": 0.4}, "site-b": {"before": before[1], "after": after}}
        return PASSED | {"batches": told, "score": score}

    assert failed(on_sites(promises.after), promises, sites) == []
    (told,) = failed(on_sites(promises.after - 0.005), promises, sites)
    assert told == f"after: mAP@0.5 on site B at least {promises.after:.2f}"
    heading = table(on_sites(promises.after), sites).splitlines()[0]
    assert heading.split("images")[1].strip() == "on site A on site B   asked   champion"
