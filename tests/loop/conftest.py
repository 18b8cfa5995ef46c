"""Pipelines in buckets of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.loop.place import Place
from tests.support.cloud import LocalCloud


@pytest.fixture
def make_place(cloud: LocalCloud, bucket: str, request: pytest.FixtureRequest) -> Callable[..., Place]:
    def make(**pipeline: Any) -> Place:
        return Place(cloud, lambda: request.getfixturevalue("rig"), bucket, **pipeline)

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()
