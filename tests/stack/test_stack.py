"""A real stack on free ports: up, again up, killed parts, down, nothing left, and up again with its state."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import httpx
import psutil
import pytest

from include.stack import environment, lifecycle, stray_processes
from include.stack.processes import PROGRAMS, Supervisor
from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import BUCKET, PROJECT, StackSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now; held together, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def variables(home: Path) -> dict[str, str]:
    names = ("NIGHTLOOP_CLOUD_PORT", "NIGHTLOOP_REVIEW_PORT", "NIGHTLOOP_AIRFLOW_PORT")
    return {"NIGHTLOOP_HOME": str(home), **dict(zip(names, map(str, free_ports(3)), strict=True))}


def stack(command: str, own: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m include.stack COMMAND`, as make calls it."""
    return subprocess.run(
        [sys.executable, "-m", "include.stack", command],
        cwd=PROJECT, env={**os.environ, **own}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip


def until(condition: Callable[[], object], patience: float = 300) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a stack that is up."""
    own = variables(tmp_path_factory.mktemp("stack") / "demo" / "home")  # where `make demo` has its own
    try:
        result = stack("up", own)
        assert result.returncode == 0, result.stdout + result.stderr
        own["printed"] = result.stdout
        yield own
    finally:
        lifecycle.down(StackSettings.from_environment(own))


@pytest.fixture
def settings(own: dict[str, str]) -> StackSettings:
    return StackSettings.from_environment(own)


def pids(settings: StackSettings) -> dict[str, int]:
    return {program.name: program.pid for program in Supervisor(settings).programs()}


def listening(settings: StackSettings) -> list[int]:
    wanted = {port.number for port in settings.ports}
    return [
        connection.laddr.port
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in wanted
    ]


def test_up_tells_where_everything_is_and_how_to_sign_in(own, settings):
    for port in settings.ports:
        assert port.url in own["printed"]
    password = re.search(rf"sign in as {ADMINISTRATOR}, password (\S+)", own["printed"])
    assert password is not None
    token = httpx.post(
        f"{settings.airflow.url}/auth/token",
        json={"username": ADMINISTRATOR, "password": password[1]},
        timeout=120,
    )
    assert token.status_code == 201


def test_airflow_refuses_a_wrong_password(settings):
    for password in ("admin", "airflow", ""):
        reply = httpx.post(
            f"{settings.airflow.url}/auth/token",
            json={"username": ADMINISTRATOR, "password": password},
            timeout=120,
        )
        assert reply.status_code in (400, 401, 422)


def test_the_two_printed_lines_point_any_aws_tool_at_the_local_cloud(own, monkeypatch):
    exports = dict(re.findall(r"^export (AWS_\w+)=(\S+)$", own["printed"], re.MULTILINE))
    assert exports.keys() == {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"}
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in exports.items():
        monkeypatch.setenv(name, value)
    names = [bucket["Name"] for bucket in boto3.Session().client("s3").list_buckets()["Buckets"]]
    assert names == [BUCKET]


def test_everything_listens_on_this_machine_only(settings):
    members = {process.pid for process in stray_processes.find(settings.home)}
    addresses = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.pid in members and connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_nothing_that_it_writes_is_open_to_others(settings):
    paths = [
        settings.home,
        *(Path(at, name) for at, *names in os.walk(settings.home) for name in itertools.chain(*names)),
    ]
    assert len(paths) > 50
    assert not [path for path in paths if is_open(path)]


def is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:  # the stack is at work, and has removed it since
        return False
    return not stat.S_ISLNK(mode) and bool(mode & 0o077)


def test_a_second_up_changes_nothing(own, settings):
    before = pids(settings)
    until(lambda: lifecycle.is_up(settings))  # a heartbeat comes late where the machine is busy
    result = stack("up", own)
    assert result.returncode == 0
    assert "already up" in result.stdout
    assert settings.airflow.url in result.stdout
    assert pids(settings) == before


def test_a_second_stack_on_the_same_ports_is_refused_with_the_name_of_the_first(own, tmp_path):
    result = stack("up", {**own, "NIGHTLOOP_HOME": str(tmp_path)})
    assert result.returncode == 1
    assert f"the Nightloop of NIGHTLOOP_HOME={own['NIGHTLOOP_HOME']}" in result.stderr
    assert stray_processes.find(tmp_path) == []


def test_status_says_what_is_running(own, settings):
    until(lambda: lifecycle.is_up(settings))
    result = stack("status", own)
    assert result.returncode == 0
    assert all(re.search(rf"{program} +RUNNING", result.stdout) for program in PROGRAMS)


def test_with_only_the_demos_stack_up_commands_speak_of_that_one(own, settings):
    outer = {**own, "NIGHTLOOP_HOME": str(settings.home.parents[1])}
    until(lambda: lifecycle.is_up(settings))
    assert stack("status", outer).returncode == 0
    assert f"export NIGHTLOOP_HOME={settings.home}" in stack("env", outer).stdout


def test_a_rollback_of_an_unknown_pipeline_is_refused_by_name(own):
    result = subprocess.run(
        [sys.executable, "-m", "include.stack", "rollback", "--pipeline", "nobodys"],
        cwd=PROJECT, env={**os.environ, **own}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert result.returncode == 1
    assert "no DAG deployment of a pipeline 'nobodys'" in result.stderr


def test_a_killed_scheduler_comes_back_without_the_workers_of_the_old_one(settings):
    old = psutil.Process(pids(settings)["scheduler"])
    workers = old.children(recursive=True)
    assert workers
    old.kill()
    until(lambda: pids(settings).get("scheduler", 0) not in (0, old.pid))
    until(lambda: not any(worker.is_running() for worker in workers))
    until(lambda: lifecycle.is_up(settings))


def test_after_kill_9_of_the_supervisor_down_leaves_nothing_and_up_finds_its_state(own, settings):
    assert stack("up", own).returncode == 0, "it is down where an earlier try has ended in between"
    password = load_or_create(settings).password
    boto3.client(
        "s3", endpoint_url=settings.cloud.url, region_name=environment.REGION, **environment.keys(settings)
    ).put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    os.kill(int((settings.run / "supervisord.pid").read_text()), signal.SIGKILL)
    until(lambda: not Supervisor(settings).running())
    assert stray_processes.find(settings.home) != []

    assert stack("status", own).returncode == 3
    assert stack("down", own).returncode == 0
    assert stray_processes.find(settings.home) == []
    assert listening(settings) == []

    assert stack("up", own).returncode == 0
    assert load_or_create(settings).password == password
    s3 = boto3.client(
        "s3", endpoint_url=settings.cloud.url, region_name=environment.REGION, **environment.keys(settings)
    )
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"kept"

    # An orderly end: supervisord waits for each of its programs, and down for supervisord.
    assert stack("down", own).returncode == 0
    log = (settings.logs / "supervisord.log").read_text().rpartition("supervisord started")[2]
    assert {line.split()[0] for line in log.split("stopped: ")[1:]} == set(PROGRAMS)
    assert not (settings.run / "supervisord.pid").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted_while_it_starts_nothing_is_left(tmp_path, number):
    own = variables(tmp_path)
    settings = StackSettings.from_environment(own)
    starting = subprocess.Popen(
        [sys.executable, "-m", "include.stack", "up"],
        cwd=PROJECT, env={**os.environ, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert starting.stdout is not None
        for line in starting.stdout:
            if "starting Airflow" in line:
                break
        starting.send_signal(number)
        starting.communicate(timeout=600)
        assert starting.returncode == 130
        assert stray_processes.find(settings.home) == []
        assert listening(settings) == []
    finally:
        starting.kill()
        lifecycle.down(settings)
