"""Fixtures for every room's tests: a real local cloud per session, and a bucket per test."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck, settings

from include.review_server.people import passwords
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, and that is not what property tests look for. The same examples at every run: what a
# change broke fails at once, and nobody is refused for what was there before. `--hypothesis-profile=search`
# looks for new ones. Here: what a room's conftest.py sets comes too late for modules collected before it.
_BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", _BUSY)
settings.register_profile("busy", _BUSY, derandomize=True)
settings.load_profile("busy")

# Where a test says nothing, httpx gives up after five seconds, which a busy machine may take.
for _phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _phase, 60.0)


# A test that starts a process has one of these fixtures, itself or through another one, or its module names
# one of these things.
_PROCESS_FIXTURES = {"cloud", "postgresql", "sagemaker2", "stack", "database_url"}
_PROCESS_NAMES = {"subprocess", "LocalCloud", "PostgreSQL", "run_steps", "psutil"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes or a browser, and give it, and what is slow, one more try: a machine that is
    busy for a moment is no defect of ours. What was tried again is listed at the end, to be mended.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if fixtures & _PROCESS_FIXTURES or vars(getattr(item, "module", item)).keys() & _PROCESS_NAMES:
            item.add_marker(pytest.mark.process)
        begins_once = item.get_closest_marker("cluster")  # what a first try has left is not to be met again
        if not begins_once and any(item.get_closest_marker(name) for name in ("process", "browser", "slow")):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A second try has a review server of its own: the names that the first one used are taken for good."""
    if getattr(item, "execution_count", 1) > 1 and isinstance(item, pytest.Function):
        for definition in item._fixtureinfo.name2fixturedefs.get("rig", ())[-1:]:
            definition.finish(item._request)  # type: ignore[arg-type]


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any], dict[str, Any]]:
    """What a test logged may hold half a character, which a worker cannot send: the whole run would end."""
    return _sendable((yield))


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run, whatever its workers, keeps compiled networks: the small jobs share their shapes, and
    compiling costs each of them more than all that it learns.
    """
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "compiled"
    place.mkdir(exist_ok=True)
    for algorithm in ("object-detection", "image-classification"):  # each looks into a directory of its name
        with contextlib.suppress(FileExistsError):
            (place / algorithm).symlink_to(".")
    LocalCloud.compiled = place
    return place


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local cloud for all tests of this worker: tests share it, so each uses names of its own."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), "--stop-grace", "1", "--jobs", "3") as running:
        yield running


@pytest.fixture
def bucket(cloud: LocalCloud, request: pytest.FixtureRequest) -> str:
    """A bucket that no other test has, nor an earlier try of this one."""
    return cloud.make_bucket(f"{request.node.nodeid} {getattr(request.node, 'execution_count', 1)}")


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hashing is slow on purpose, and tests sign in hundreds of people. A server that runs as a process of
    its own still pays the real price.
    """
    with pytest.MonkeyPatch.context() as patch:
        quick = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(passwords, "PasswordHasher", quick)
        yield


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A review server for the tests of a module, on SQLite: every place has a team of its own, and an account
    has 25.
    """
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running
