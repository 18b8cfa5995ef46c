"""The command: says what it is, and leaves a demo alone that is running."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from tests.support.cloud import ROOT


def demo(home: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "include.demo", *arguments],
        cwd=ROOT,
        env=os.environ | {"NIGHTLOOP_HOME": home, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_help_starts_nothing(tmp_path):
    said = demo(str(tmp_path / "home"), "--help")
    assert said.returncode == 0
    assert "DEMO_SEED" in said.stdout
    assert "{digits,digit-classes,trees}" in said.stdout
    assert not (tmp_path / "home").exists()


def test_a_sample_and_a_task_at_once_are_refused_and_nothing_is_started(tmp_path):
    said = demo(str(tmp_path / "home"), "--sample", "trees", "--task", "classification")
    assert said.returncode == 2
    assert "not allowed with" in said.stderr
    assert not (tmp_path / "home").exists()


def test_a_second_demo_does_not_touch_the_first(tmp_path):
    of_the_first = tmp_path / "demo" / "home" / "mark"
    of_the_first.parent.mkdir(parents=True)
    of_the_first.write_text("at work")
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = demo(str(tmp_path))
    assert said.returncode == 1
    assert "a demo is running already" in said.stderr
    assert of_the_first.read_text() == "at work"
