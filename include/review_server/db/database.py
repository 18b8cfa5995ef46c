"""The database: sessions that read, sessions that write, and the migration at start.

Takes a SQLAlchemy URL; SQLite (WAL) and PostgreSQL are meant. It knows the tables' migrations and little of
what is stored. A write session on SQLite begins as a writer at once: one that began by reading and then wrote
could fail with "database is locked" however long it waited. A database that is away, full or read-only raises
``DatabaseAway``, whoever asked; faults of ours (a wrong statement, a broken constraint) stay what they are.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from include.review_server import private_files
from include.review_server.db.models import HumanLoop, LabelingJob, Task
from include.review_server.errors import DatabaseAway

# Any fixed number: servers that start together take turns at migrating.
_MIGRATION_LOCK = 4567_2019_11_07

_READ_ONLY, _FULL = "is read-only", "has no room left on its disk"
_SQLITE = {
    sqlite3.SQLITE_BUSY: "does not answer",
    sqlite3.SQLITE_LOCKED: "does not answer",
    sqlite3.SQLITE_PROTOCOL: "does not answer",
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened (may its directory be written?)",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is damaged",
}
_POSTGRESQL = {"25006": _READ_ONLY, "53100": _FULL}

log = logging.getLogger(__name__)


class Database:
    """One database and its connections, shared by the threads of a process."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            # Its log and its index of the log get the same mode from SQLite.
            private_files.make(Path(self.url.database))
        # A server whose machine has vanished is noticed in seconds, not when TCP gives up.
        patience = {"connect_timeout": 5, "tcp_user_timeout": 20_000}
        arguments = {name: value for name, value in patience.items() if name not in self.url.query}
        self._engine = create_engine(
            self.url,
            pool_size=16,
            max_overflow=32,
            pool_timeout=30,
            connect_args={} if self.is_sqlite else arguments,
        )
        # Writers of one process queue here in order. SQLite's own wait is a sleep and retry, which starves
        # some of many threads; it remains for the other processes (the members' command).
        self._writer: AbstractContextManager[object] = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._write_engine = self._engine.execution_options(nightloop_write=True)
        self._migrate_engine = self._engine.execution_options(nightloop_write=True, nightloop_migrate=True)
        # Who wants to know in the same transaction that a loop or job ended (``events``); usually nobody.
        self.on_loop_end: Callable[[Session, HumanLoop], None] | None = None
        self.on_job_end: Callable[[Session, LabelingJob], None] | None = None
        # The same for the begin and the end of a worker's turn (``labeling.logs``).
        self.on_turn: Callable[[Session, Task], None] | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for questions. What it changes is thrown away."""
        with _said_plainly(), Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on disk when the block ends, or gone when it raises."""
        info = {
            "on_loop_end": self.on_loop_end,
            "on_job_end": self.on_job_end,
            "on_turn": self.on_turn,
        }
        with (
            _said_plainly(),
            self._writer,
            Session(self._write_engine, info=info) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        """Whether no other server on this database is at ``what``; then none will be until the block ends.

        For what must not happen twice at once outside of the database: a file in S3 that each would write as
        it found the tables, a function that is paid for. It is no transaction of the block's, and holds up
        nobody who does not ask. PostgreSQL lets go when the process or its connection is gone. A database of
        SQLite has one server.
        """
        if self.is_sqlite:
            yield True
            return
        key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], signed=True)
        with _said_plainly(), self._engine.connect() as connection:
            yield bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}))

    def problem(self) -> str | None:
        """Why the database can store nothing now, or None. May take as long as the database does."""
        try:
            # On SQLite, beginning as a writer is the question; nothing is written.
            with _said_plainly(), self._writer, self._write_engine.begin() as connection:
                if not self.is_sqlite and connection.scalar(text("SHOW transaction_read_only")) == "on":
                    return _READ_ONLY
        except DatabaseAway as away:
            return away.why
        return None

    def upgrade(self) -> None:
        """Bring the tables to the newest revision. Safe while other servers start."""
        self.migrate("head")

    def migrate(self, revision: str) -> None:
        """Bring the tables to a revision, forwards or back."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with _said_plainly(), self._writer, self._migrate_engine.connect() as connection:
            try:
                with connection.begin():
                    if not self.is_sqlite:
                        lock = text("SELECT pg_advisory_xact_lock(:key)")
                        connection.execute(lock, {"key": _MIGRATION_LOCK})
                    config.attributes["connection"] = connection
                    if revision == "head":
                        command.upgrade(config, revision)
                    else:
                        command.downgrade(config, revision)
            finally:
                if self.is_sqlite:
                    # Its foreign keys are off: it must not so go back to those who rely on them.
                    connection.connection.cursor().execute("PRAGMA foreign_keys = ON")

    @property
    def engine(self) -> Engine:
        """The engine, for tests and tools that look at the tables themselves."""
        return self._engine

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


@contextmanager
def _said_plainly() -> Iterator[None]:
    """A database that is away, as ``DatabaseAway``."""
    try:
        yield
    except PoolTimeoutError as error:
        log.error("no connection to the database is free: %s", error)
        raise DatabaseAway("has no free connection") from error
    except DBAPIError as error:
        why = _why(error)
        if why is None:
            raise
        log.error("the database %s: %s", why, error.orig)
        raise DatabaseAway(why) from error


def _why(error: DBAPIError) -> str | None:
    """What is the matter with the database; None when the fault is ours."""
    if (code := getattr(error.orig, "sqlite_errorcode", None)) is not None:
        # The lower byte is the kind, the rest says more.
        return _SQLITE.get(code & 0xFF)
    if (state := getattr(error.orig, "sqlstate", None)) in _POSTGRESQL:
        return _POSTGRESQL[state]
    return "does not answer" if isinstance(error, OperationalError) or error.connection_invalidated else None


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite says how each begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 30000",
        "journal_mode = WAL",
        # FULL: an acknowledged answer survives a power cut, not only a crash of the process.
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("nightloop_migrate"):
        # A table that is rebuilt is dropped, which would take along what refers to it. Only before the
        # transaction can this be said.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    write = options.get("nightloop_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
