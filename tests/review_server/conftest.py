"""A running review server per module, on the session's local cloud; where it matters, once on SQLite and once
on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.review_server.db.database import Database
from tests.review_server.rig import Rig
from tests.support.browser import browser
from tests.support.cloud import LocalCloud

__all__ = ["browser"]
from tests.support.postgresql import PostgreSQL

# What these modules promise depends on the database: locks, unique indexes, the order of transactions.
_ON_BOTH = (
    "test_accounts",
    "test_callers",
    "test_database",
    "test_delivery",
    "test_human_loops",
    "test_order",
    "test_remarks",
    "test_owner_queues",
    "test_taking_back",
    "test_tasks",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] not in _ON_BOTH:
        return
    if "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database: SQLite unless the module is one of ``_ON_BOTH``."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="module")
def rig(
    cloud: LocalCloud,
    database_kind: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rig]:
    url = request.getfixturevalue("postgresql").database() if database_kind == "postgresql" else None
    with Rig(cloud, tmp_path_factory.mktemp("review"), database_url=url) as running:
        yield running


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database."""
    if database_kind == "postgresql":
        return str(request.getfixturevalue("postgresql").database())
    return f"sqlite:///{tmp_path / 'new' / 'review.db'}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A new database with its tables."""
    database = Database(database_url)
    database.upgrade()
    yield database
    database.close()
