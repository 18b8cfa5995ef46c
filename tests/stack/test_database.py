"""Two connections to one SQLite file, as two processes of Airflow have them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from include.stack import environment
from include.stack.database import CONNECT_ARGUMENTS
from include.stack.settings import PROJECT, StackSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "airflow.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (name TEXT)")
    return path


def look_then_write(file: Path, arguments: dict[str, Any], somebody_writes: bool = True) -> None:
    """What creating a backfill does: look within a savepoint whether the run is there, then write it."""
    engine = create_engine(f"sqlite:///{file}?timeout=60", connect_args=arguments)
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    with engine.begin() as connection, connection.begin_nested():
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
        if somebody_writes:
            other.execute("INSERT INTO runs VALUES ('of somebody else')")
        connection.execute(text("INSERT INTO runs VALUES ('ours')"))
    other.close()
    engine.dispose()


def test_a_savepoint_has_the_right_to_write_from_its_beginning(file: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):  # the other one, and it could wait
        look_then_write(file, CONNECT_ARGUMENTS)
    look_then_write(file, CONNECT_ARGUMENTS, somebody_writes=False)


def test_without_it_a_backfill_is_refused_at_once(file: Path) -> None:
    """The reason of the module: it may go when this fails."""
    with pytest.raises(OperationalError, match="locked"):
        look_then_write(file, {})


def test_airflow_opens_its_database_so(tmp_path: Path) -> None:
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})
    settings.airflow_home.mkdir(parents=True)
    program = """
from airflow.settings import engine
with engine.connect() as connection, connection.begin_nested():
    print(connection.connection.dbapi_connection.in_transaction)
    print(type(connection.connection.dbapi_connection).__name__)
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment.inherited() | environment.airflow(settings), cwd=PROJECT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.splitlines()[-2:] == ["True", "PatientConnection"]
