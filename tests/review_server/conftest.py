"""A running review server per module, on the session's local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from argon2 import PasswordHasher

from include.review_server import accounts
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    # Hashing is slow on purpose, and these tests sign in a hundred people. A server that runs as a process
    # of its own still pays the real price.
    with pytest.MonkeyPatch.context() as patch:
        quick = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(accounts, "PasswordHasher", quick)
        yield


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running
