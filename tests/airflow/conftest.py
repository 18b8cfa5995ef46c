"""Airflow for tests: an AIRFLOW_HOME of its own, a place to work in, tasks run for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.support.airflow_home  # noqa: F401 -- before anything that imports Airflow
from tests.airflow.listeners import Listener, Webhook, listening
from tests.airflow.place import Place
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables in a database of this session."""
    import airflow.settings
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    airflow.settings.initialize()
    with create_session() as session:
        initdb(session=session)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A Slack channel, behind the connection `slack_team`."""
    with listening(Webhook) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_TEAM", server.slack_connection())
        yield server


@pytest.fixture
def place(cloud: LocalCloud, rig: Rig, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An environment and a pipeline in a bucket of their own, and both connections."""
    place = Place(cloud, rig, bucket, tmp_path / "config")
    for name, value in place.variables().items():
        monkeypatch.setenv(name, value)
    return place
