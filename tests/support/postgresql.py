"""A real PostgreSQL for tests and benchmarks: a cluster in a temporary directory, on a Unix socket only.

Made from the system's packages (``.ci/system-packages`` installs them). PostgreSQL refuses to run as root:
then it runs as the user ``postgres``. It listens on no network at all.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from tests.support.cloud import eventually


class PostgreSQL:
    """A running cluster. ``durable`` keeps fsync on, for measurements; tests do without."""

    def __init__(self, durable: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="nightloop-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._durable = durable
        self._numbers = itertools.count(1)

    def database(self) -> str:
        """A new, empty database: its SQLAlchemy URL."""
        name = f"review_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def __enter__(self) -> PostgreSQL:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def restart(self) -> None:
        """``pg_ctl restart -m immediate``: every connection is cut, and the log is replayed."""
        assert self._server is not None
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(60)
        self._serve()

    def execute(self, statement: str) -> None:
        """A statement of the superuser, outside of a transaction."""
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def __exit__(self, *_: object) -> None:
        if self._server is not None and self._server.poll() is None:
            # Fast shutdown: connections are ended.
            self._server.send_signal(signal.SIGINT)
            self._server.wait(120)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> None:
        data = self._directory / "data"
        if os.geteuid() == 0:
            shutil.chown(self._directory, "postgres")
        make = [_program("initdb"), "-D", str(data), "-U", "review", "-A", "trust", "-E", "UTF8", "-N"]
        made = subprocess.run(make, capture_output=True, text=True, **_as_server())
        assert made.returncode == 0, made.stderr
        self._serve()

    def _serve(self) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._directory),
            "max_connections": "400",
            "shared_buffers": "256MB",
            "fsync": "on" if self._durable else "off",
            "deadlock_timeout": "200ms",
        }
        serve = [_program("postgres"), "-D", str(self._directory / "data")]
        for name, value in options.items():
            serve += ["-c", f"{name}={value}"]
        with open(self._directory / "server.log", "ab") as log:
            self._server = subprocess.Popen(serve, stdout=log, stderr=log, **_as_server())
        eventually(lambda: (self._directory / ".s.PGSQL.5432").exists() and self._answers(), within=60)

    def _answers(self) -> bool:
        ready = [_program("pg_isready"), "-q", "-h", str(self._directory), "-U", "review"]
        return subprocess.run(ready, check=False).returncode == 0

    def _url(self, name: str) -> str:
        url = make_url(f"postgresql+psycopg://review@/{name}")
        return url.update_query_dict({"host": str(self._directory)}).render_as_string(hide_password=False)


def _as_server() -> dict[str, Any]:
    # A directory that the other user may enter, too.
    return {"user": "postgres", "group": "postgres", "cwd": "/"} if os.geteuid() == 0 else {"cwd": "/"}


def _program(name: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which(name)
    assert found, f"PostgreSQL's {name} is missing: run .ci/system-packages"
    return found
