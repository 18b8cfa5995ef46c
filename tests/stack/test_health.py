"""Ports in use are named with their holder before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from include.stack import health
from include.stack.settings import Port, StackError, StackSettings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def test_a_taken_port_is_named_with_its_holder_and_the_variable_that_moves_it(listener):
    port = Port(listener.getsockname()[1], "the local cloud", "NIGHTLOOP_CLOUD_PORT")
    with pytest.raises(
        StackError, match=rf"Port {port.number}, for the local cloud, is in use by process \d+"
    ) as caught:
        health.require_free([port])
    assert f"NIGHTLOOP_CLOUD_PORT={port.number + 1000}" in str(caught.value)


def test_a_free_port_is_accepted(listener):
    number = listener.getsockname()[1]
    listener.close()
    health.require_free([Port(number, "Airflow", "NIGHTLOOP_AIRFLOW_PORT")])


def test_the_end_of_a_log_is_shown_under_its_name(tmp_path):
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})
    settings.make_directories()
    (settings.logs / "cloud.log").write_text("".join(f"line {number}\n" for number in range(30)))
    shown = health.log_tails(settings, ["cloud", "scheduler"], lines=3)
    assert shown.splitlines() == [
        f"--- {settings.logs}/cloud.log", "line 27", "line 28", "line 29",
        f"--- {settings.logs}/scheduler.log", "(nothing was written)",
    ]  # fmt: skip


def test_a_log_does_not_reach_the_terminal_as_control_characters(tmp_path):
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})
    settings.make_directories()
    (settings.logs / "cloud.log").write_bytes(b"took 3 s\t\x1b]0;pwned\x07\xc2\x9b2J\n")
    assert health.log_tails(settings, ["cloud"]).splitlines()[1:] == ["took 3 s\t?]0;pwned??2J"]
