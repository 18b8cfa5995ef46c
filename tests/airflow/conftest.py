"""Airflow for tests: an AIRFLOW_HOME of its own, a place to work in, tasks run for real.

Airflow reads its settings when it is imported, so they are written here, before any test module is. What the
other rooms' tests see of the environment is put back at once.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import ROOT, LocalCloud

HOME = Path(tempfile.mkdtemp(prefix="nightloop-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
(HOME / "airflow.cfg").write_text(
    f"""
[core]
dags_folder = {ROOT / "dags"}
plugins_folder = {ROOT / "plugins"}
load_examples = False
unit_test_mode = False

[database]
sql_alchemy_conn = sqlite:///{HOME / "airflow.db"}
load_default_connections = False

[logging]
base_log_folder = {HOME / "logs"}
"""
)
assert "airflow" not in sys.modules, "Airflow was imported before its settings were written"
_before = os.environ.get("AIRFLOW_HOME")
os.environ["AIRFLOW_HOME"] = str(HOME)
import airflow.settings  # noqa: E402

if _before is None:
    del os.environ["AIRFLOW_HOME"]
else:
    os.environ["AIRFLOW_HOME"] = _before

from tests.airflow.place import Place  # noqa: E402
from tests.review_server.rig import Rig  # noqa: E402


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's tables in a database of this session."""
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    airflow.settings.initialize()
    with create_session() as session:
        initdb(session=session)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud that also knows the image of tests/airflow/boxes.py."""
    options = ("--stop-grace", "1", "--jobs", "3", "--algorithm", "boxes=tests.airflow.boxes")
    with LocalCloud(tmp_path_factory.mktemp("cloud"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A review server of its own, beside the cloud's: the connection `aws_review` leads to it."""
    with Rig(cloud, tmp_path_factory.mktemp("review")) as running:
        yield running


@pytest.fixture
def place(cloud: LocalCloud, rig: Rig, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An environment and a pipeline in a bucket of their own, and both connections."""
    place = Place(cloud, rig, bucket, tmp_path / "config")
    for name, value in place.variables().items():
        monkeypatch.setenv(name, value)
    return place
