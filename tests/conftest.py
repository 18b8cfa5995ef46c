"""Fixtures for every room's tests: a real local cloud per session, and a bucket per test."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local cloud for all tests of this worker: tests share it, so each uses names of its own."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), "--stop-grace", "1", "--jobs", "3") as running:
        yield running


@pytest.fixture
def bucket(cloud: LocalCloud, request: pytest.FixtureRequest) -> str:
    """A bucket that no other test has."""
    return cloud.make_bucket(request.node.nodeid)


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A review server for the tests of a module, on SQLite: every place has a team of its own, and an account
    has 25.
    """
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running
