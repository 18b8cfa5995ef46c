"""The demo's exit code depends on each of its promises."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.demo.promises import broken
from include.demo.table import table

KEPT: dict[str, Any] = {
    "seed": 7,
    "batch_date": "2026-11-01",
    "images": 300,
    "reviewed": 100,
    "answers": 100,
    "labels": 99,
    "quarantined": 1,
    "human_loops": {"started": 100, "completed": 100, "failed": 0, "duplicates": 0},
    "map50": {"day": {"before": 0.81, "after": 0.78}, "night": {"before": 0.01, "after": 0.61}},
    "promoted": True,
    "reviewer_seconds": 512.4,
    "seconds": {"start": 20.0, "total": 400.0},
    "jobs": [],
}


def changed(*path: str, to: object, **more: object) -> dict[str, Any]:
    summary = copy.deepcopy(KEPT) | more
    place = summary
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return summary


def test_a_good_run_keeps_all_of_them():
    assert broken(KEPT) == []


@pytest.mark.parametrize(
    ("summary", "word"),
    [
        (changed("map50", "night", "before", to=0.2), "below 0.20"),
        (changed("map50", "night", "after", to=0.49), "at least 0.50"),
        (changed("map50", "night", "after", to=float("nan")), "at least 0.50"),
        (changed("map50", "day", "after", to=0.76), "at most 0.04"),
        (changed("reviewed", to=121, answers=121), "120 images"),
        (changed("reviewed", to=0, answers=0), "120 images"),
        (changed("answers", to=101), "one answer"),
        (changed("human_loops", "completed", to=99), "completed"),
        (changed("human_loops", "started", to=0), "completed"),
        (changed("human_loops", "duplicates", to=1), "twice"),
        (changed("promoted", to=False), "champion"),
    ],
)
def test_each_broken_promise_is_told(summary, word):
    told = broken(summary)
    assert len(told) == 1
    assert word in told[0]


def test_the_table_shows_before_after_and_change():
    shown = table(KEPT)
    assert "by night                             0.010     0.610    +0.600" in shown
    assert "by day                               0.810     0.780    -0.030" in shown
    assert "100 of 100" in shown
