"""Processes are found and ended by the mark in their environment, however they resist."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.stack import stray_processes
from include.stack.environment import MARKER

MEEK = "import time; print('up', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {MEEK}"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Python program with the mark of a home, and returns when it runs."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, code: str = MEEK, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, MARKER: str(home), **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_marked_process_is_ended_and_an_unmarked_one_is_not(tmp_path, start):
    marked, foreign = start(tmp_path / "home"), start(tmp_path / "other")
    assert stray_processes.end(tmp_path / "home") == 1
    assert marked.wait(60) is not None
    assert foreign.poll() is None


def test_a_process_that_ignores_sigterm_is_killed(tmp_path, start):
    deaf = start(tmp_path, DEAF)
    assert stray_processes.end(tmp_path, grace=0.2) == 1
    assert deaf.wait(60) is not None


def test_one_program_can_be_ended_without_the_others(tmp_path, start):
    scheduler = start(tmp_path, SUPERVISOR_PROCESS_NAME="scheduler")
    cloud = start(tmp_path, SUPERVISOR_PROCESS_NAME="cloud")
    assert stray_processes.end(tmp_path, "scheduler") == 1
    assert scheduler.wait(60) is not None
    assert cloud.poll() is None


def test_stacks_inside_a_home_are_ended_with_it_when_asked(tmp_path, start):
    start(tmp_path / "demo" / "home")
    assert stray_processes.find(tmp_path) == []
    assert stray_processes.end(tmp_path, below=True) == 1


def test_the_process_that_asks_is_never_among_them(tmp_path, start):
    code = (
        "from pathlib import Path; from include.stack import stray_processes; print('up', flush=True);"
        f"print(stray_processes.end(Path({str(tmp_path)!r})), flush=True)"
    )
    asking = start(tmp_path, code)
    output, _ = asking.communicate(timeout=120)
    assert output == "0\n"
