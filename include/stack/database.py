"""How Airflow's SQLite is opened: a transaction that begins with a savepoint takes its turn at writing.

Airflow reads `CONNECT_ARGUMENTS` through [database] sql_alchemy_connect_args.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Self


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        # sqlite3 begins no transaction before a savepoint, so that SQLite begins one for reading. When that
        # wants to write later and another process is writing, or has written since, SQLite does not wait: it
        # answers "database is locked" at once, whatever the timeout is. `airflow backfill create` and asset
        # events do so, and fail now and then while the scheduler is busy. No asynchronous session of Airflow
        # uses savepoints.
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        return super().execute(sql, parameters)


class PatientConnection(sqlite3.Connection):
    """A connection whose writers wait for each other, savepoints included, for its ``timeout`` (seconds)."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


CONNECT_ARGUMENTS = {"factory": PatientConnection}
