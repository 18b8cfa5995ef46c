"""The PostgreSQL of a cluster: made once, with compose's databases and password, and back after kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from include.cluster.images import postgresql_programs
from include.stack.settings import PROJECT
from tests.stack.test_stack import free_ports
from tests.support.cloud import eventually


@contextmanager
def server(data: Path, scripts: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    variables = {
        "PATH": f"{os.environ['PATH']}:{postgresql_programs()}", "PYTHONPATH": str(PROJECT),
        "PGDATA": str(data), "PGPORT": str(port), "NIGHTLOOP_INITDB": str(scripts),
        "POSTGRES_USER": "nightloop", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "airflow",
    }  # fmt: skip
    command = [sys.executable, "-m", "include.cluster.postgresql"]
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(port: int, database: str, password: str = "secret") -> Callable[[str], list[tuple[object, ...]]]:
    def execute(statement: str) -> list[tuple[object, ...]]:
        engine = create_engine(f"postgresql+psycopg://nightloop:{password}@127.0.0.1:{port}/{database}")
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows

    return execute


def answers(port: int) -> bool:
    try:
        return bool(ask(port, "review")("SELECT 1"))
    except OperationalError:
        return False


def test_it_has_the_databases_and_wants_the_password_and_comes_back_with_its_rows(tmp_path: Path) -> None:
    data, scripts = tmp_path / "data", tmp_path / "scripts"
    data.mkdir()
    (data / "half").mkdir()  # of a first start that was cut off
    scripts.mkdir()
    (scripts / "review.sql").write_text("CREATE DATABASE review;\n")
    tmp_path.chmod(0o700)  # nobody but its owner may enter
    [port] = free_ports(1)
    with server(data, scripts, port):
        eventually(lambda: answers(port), within=300, pause=0.5)
        with pytest.raises(OperationalError, match="password authentication failed"):
            ask(port, "airflow", "wrong")("SELECT 1")
        ask(port, "airflow")("CREATE TABLE kept AS SELECT 7 AS number")
    with server(data, scripts, port):  # the first one was killed with -9
        eventually(lambda: answers(port), within=300, pause=0.5)
        assert ask(port, "airflow")("SELECT number FROM kept") == [(7,)]
