"""A local cloud that knows the tests' own training image, a review server, and pipelines in buckets of their
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.loop.place import Place
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud

# The machines that run this are shared and noisy: how long an example takes says nothing.
settings.register_profile("noisy", deadline=None)
settings.load_profile("noisy")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    options = ("--algorithm", "detector=tests.loop.detector", "--stop-grace", "1", "--jobs", "3")
    with LocalCloud(tmp_path_factory.mktemp("cloud"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A review server for the tests of a module: every place has a team of its own, and an account has 25."""
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running


@pytest.fixture
def make_place(cloud: LocalCloud, rig: Rig, bucket: str) -> Callable[..., Place]:
    def make(**pipeline: Any) -> Place:
        return Place(cloud, rig, bucket, **pipeline)

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()
