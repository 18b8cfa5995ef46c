"""The database: sessions that read, sessions that write, and the migration at start.

Takes a SQLAlchemy URL; SQLite (WAL) and PostgreSQL are meant. It knows the tables' migrations and little of
what is stored. A write session on SQLite begins as a writer at once: one that began by reading and then wrote
could fail with "database is locked" however long it waited.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session

from include.review_server.models import HumanLoop

# Any fixed number: servers that start together take turns at migrating.
_MIGRATION_LOCK = 4567_2019_11_07


class Database:
    """One database and its connections, shared by the threads of a process."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(self.url, pool_size=16, max_overflow=32, pool_timeout=60)
        # Writers of one process queue here in order. SQLite's own wait is a sleep and retry, which starves
        # some of many threads; it remains for the other processes (the members' command).
        self._writer: AbstractContextManager[object] = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._write_engine = self._engine.execution_options(nightloop_write=True)
        # Who wants to know in the same transaction that a loop ended (``events``); usually nobody.
        self.on_loop_end: Callable[[Session, HumanLoop], None] | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for questions. What it changes is thrown away."""
        with Session(self._engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on disk when the block ends, or gone when it raises."""
        info = {"on_loop_end": self.on_loop_end}
        with self._writer, Session(self._write_engine, info=info) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the tables to the newest revision. Safe while other servers start."""
        self.migrate("head")

    def migrate(self, revision: str) -> None:
        """Bring the tables to a revision, forwards or back."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._writer, self._write_engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            config.attributes["connection"] = connection
            if revision == "head":
                command.upgrade(config, revision)
            else:
                command.downgrade(config, revision)

    @property
    def engine(self) -> Engine:
        """The engine, for tests and tools that look at the tables themselves."""
        return self._engine

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


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
    write = connection.get_execution_options().get("nightloop_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
