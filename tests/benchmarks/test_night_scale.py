"""A fabricated night goes through the loop's own steps, and what a step costs is told as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.fabricated_night import ASKED, STEPS, begin, open_night
from benchmarks.growth import table
from benchmarks.night_scale import main

IMAGES = 200


def test_every_step_goes_on_with_what_the_step_before_has_left(tmp_path: Path) -> None:
    begin(open_night(tmp_path, IMAGES))
    told, made = {}, {}
    for name, step in STEPS.items():
        night = open_night(tmp_path, IMAGES)  # as another process would
        told[name], made[name] = step(night), night.calls.made
    asked = IMAGES // ASKED
    assert told["list_batch"] == told["predict"] == IMAGES
    assert {told[name] for name in ("triage", "prepare", "start", "assemble", "plan", "build")} == {asked}
    assert told["replay"]
    assert told["evaluate"]
    assert made["list_batch"]["ListObjectsV2"] == made["predict"]["CreateTransformJob"] == 1
    assert made["start"]["StartHumanLoop"] == made["assemble"]["DescribeHumanLoop"] == asked


def test_a_step_that_takes_too_long_is_stopped_and_those_behind_it_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = main(["--sizes", "20", "--most-seconds", "0.000001", "--json", str(tmp_path / "rows.json")])
    assert [(row["step"], row["stopped"]) for row in rows] == [("list_batch", True)]
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert "stopped after" in capsys.readouterr().out


def test_the_table_has_the_exponent_of_what_grew_since_the_size_before() -> None:
    row = {"step": "triage", "stopped": False, "kinds": {"GetObject": 3}, "wall_seconds": 1}
    small = row | {"size": 1_000, "cpu_seconds": 2.0, "peak_mb": 100, "requests": 30}
    large = row | {"size": 10_000, "cpu_seconds": 200.0, "peak_mb": 100, "requests": 300}
    lines = list(table([small, large], "images"))
    assert lines[2].startswith("| triage | 1,000 | 2.00 | 100 | 30 |")
    assert lines[3].startswith("| triage | 10,000 | 200.00 (2.00) | 100 (0.00) | 300 (1.00) |")
