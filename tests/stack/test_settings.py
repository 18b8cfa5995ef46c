"""Homes and ports of a stack, its secrets, and the environment made of them."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from include.stack import environment, secrets
from include.stack.processes import Supervisor
from include.stack.settings import PROJECT, StackError, StackSettings


def settings_in(home: Path, **ports: str) -> StackSettings:
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(home), **ports})
    settings.make_directories()
    return settings


def test_without_variables_the_home_is_in_the_project_and_the_ports_are_the_documented_ones():
    settings = StackSettings.from_environment({})
    assert settings.home == PROJECT / ".nightloop"
    assert [port.number for port in settings.ports] == [4566, 4567, 8080]


def test_every_port_can_be_moved(tmp_path):
    moved = {
        "NIGHTLOOP_CLOUD_PORT": "5566",
        "NIGHTLOOP_REVIEW_PORT": "5567",
        "NIGHTLOOP_AIRFLOW_PORT": "9090",
    }
    settings = settings_in(tmp_path, **moved)
    assert [port.number for port in settings.ports] == [5566, 5567, 9090]
    variables = environment.airflow(settings)
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9090/execution/"
    assert {name: variables[name] for name in moved} == moved


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "http"])
def test_a_port_that_is_none_is_refused_with_the_variable_that_names_it(text):
    with pytest.raises(StackError, match=f"NIGHTLOOP_REVIEW_PORT='{text}'"):
        StackSettings.from_environment({"NIGHTLOOP_REVIEW_PORT": text})


def test_a_socket_path_fits_however_long_the_home_is(tmp_path):
    long = settings_in(tmp_path / ("x" * 90))
    other = settings_in(tmp_path / ("y" * 90))
    assert len(str(long.socket)) < 100
    assert long.socket != other.socket


def test_a_socket_that_somebody_else_put_there_is_not_spoken_to(tmp_path, monkeypatch):
    """It may be in the temporary directory of all; whoever listens there could tell and be told anything."""
    settings = settings_in(tmp_path)
    # Under the directory of the test, whatever its path's length: a path in /tmp has the user's number in it.
    monkeypatch.setattr("include.stack.settings._LONGEST_SOCKET_PATH", 1000)
    monkeypatch.chdir(settings.socket.parent)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(settings.socket.name)
        theirs.listen()
        owner = os.getuid()
        monkeypatch.setattr("os.getuid", lambda: owner + 1)
        with pytest.raises(StackError, match="is somebody else's"):
            Supervisor(settings).running()
        theirs.settimeout(0)
        with pytest.raises(BlockingIOError):
            theirs.accept()


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path):
    settings = settings_in(tmp_path)
    first = secrets.load_or_create(settings)
    assert secrets.load_or_create(settings) == first
    for path in (settings.run / "secrets.json", secrets.passwords_file(settings)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.run.stat().st_mode) == 0o700


def test_two_stacks_have_different_secrets(tmp_path):
    made = [secrets.load_or_create(settings_in(tmp_path / name)) for name in "ab"]
    assert len({value for each in made for value in vars(each).values()}) == 8


def test_the_connections_carry_the_keys_that_the_cloud_generated(tmp_path):
    settings = settings_in(tmp_path)
    settings.aws_credentials.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = S\n")
    variables = environment.airflow(settings)
    default, review = (
        json.loads(variables[f"AIRFLOW_CONN_{name}"]) for name in ("AWS_DEFAULT", "AWS_REVIEW")
    )
    assert (default["login"], default["password"]) == ("A", "S")
    assert default["extra"]["endpoint_url"] == settings.cloud.url
    assert review["extra"]["endpoint_url"] == settings.review.url
    assert default["extra"]["service_config"]["sts"]["endpoint_url"] == settings.cloud.url


def test_the_shell_lines_survive_quotes_and_spaces():
    lines = environment.as_exports({"B": "it's a test", "A": "1"})
    assert lines == "export A=1\nexport B='it'\"'\"'s a test'"


def test_only_supervised_processes_carry_the_mark_that_down_ends_them_by(tmp_path):
    settings = settings_in(tmp_path)
    assert environment.MARKER not in environment.airflow(settings) | environment.aws(settings)
