"""The cluster's command line where nothing runs: what it says, and that it starts and makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.cluster.__main__ import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTLOOP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_status_and_down_of_what_was_never_started_say_so_and_leave_nothing(home, capsys):
    assert main(["status"]) == 3
    assert main(["down"]) == 0
    assert capsys.readouterr().out == "down\nnothing was running\n"
    assert not home.exists()


def test_a_command_in_a_service_that_is_not_there_is_told_which_are(capsys):
    assert main(["exec", "scheduler", "airflow", "info"]) == 1
    assert "scheduler is no part of the cluster; there are postgres, redis" in capsys.readouterr().err


def test_a_command_in_a_service_that_has_not_started_is_told_how_to_start_it(capsys):
    assert main(["exec", "airflow-scheduler", "airflow", "info"]) == 1
    assert "airflow-scheduler has not been started yet: `make cluster`" in capsys.readouterr().err


def test_a_port_that_is_none_is_refused_with_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("NIGHTLOOP_REDIS_PORT", "redis")
    assert main(["status"]) == 1
    assert "NIGHTLOOP_REDIS_PORT='redis' is not a port for Redis" in capsys.readouterr().err
