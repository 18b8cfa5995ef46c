"""The cloud's memory: one JSON document per resource, in SQLite, shared by the cloud and its instances.

Takes and gives plain dicts in the members of AWS's Describe replies. Each change is one transaction, so
that a stop request from the cloud and a status from an instance never overwrite each other. Any process may
open the file; a kill -9 loses nothing that was committed.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_creation ON resources (kind, created, name);
CREATE INDEX IF NOT EXISTS by_status ON resources (kind, status, created);
"""


class AlreadyExists(ValueError):
    """A resource of this kind and name is there already."""


class Missing(LookupError):
    """There is no resource of this kind and name."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource: its name in ARNs, and the stem of its members (``TrainingJob`` →
    ``TrainingJobName``).
    """

    arn: str
    stem: str

    @property
    def name(self) -> str:
        return f"{self.stem}Name"

    @property
    def status(self) -> str:
        return f"{self.stem}Status"


TRAINING_JOB = Kind("training-job", "TrainingJob")
TRANSFORM_JOB = Kind("transform-job", "TransformJob")
MODEL = Kind("model", "Model")
MODEL_PACKAGE_GROUP = Kind("model-package-group", "ModelPackageGroup")
MODEL_PACKAGE = Kind("model-package", "ModelPackage")
ENDPOINT_CONFIG = Kind("endpoint-config", "EndpointConfig")
ENDPOINT = Kind("endpoint", "Endpoint")
DEPLOYMENT = Kind("deployment", "Deployment")  # one version of an endpoint: ours, never seen on the wire
INSTANCE = Kind("instance", "Instance")  # a running instance process: ours too
TAGS = Kind("tags", "Tags")

# The kinds that have an instance while they are in one of these statuses.
AT_WORK = {
    TRAINING_JOB: ("InProgress", "Stopping"),
    TRANSFORM_JOB: ("InProgress", "Stopping"),
    DEPLOYMENT: ("Creating", "InService"),
}


@dataclass(frozen=True)
class Row:
    """A document with what it is found and sorted by; times are epoch seconds."""

    name: str
    status: str
    created: float
    modified: float
    document: Document


class Store:
    """Documents by kind and name. ``change`` is the only way to alter one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def create(self, kind: Kind, name: str, document: Document) -> None:
        """Raises ``AlreadyExists``."""
        row = _row(kind, name, document)
        try:
            with self._connection() as connection:
                connection.execute("INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise AlreadyExists(f"{kind.arn} {name}") from None

    def get(self, kind: Kind, name: str) -> Document:
        """Raises ``Missing``."""
        query = "SELECT document FROM resources WHERE kind = ? AND name = ?"
        with self._connection() as connection:
            row = connection.execute(query, (kind.arn, name)).fetchone()
        if row is None:
            raise Missing(f"{kind.arn} {name}")
        return _load(row[0])

    def find(self, kind: Kind, name: str) -> Document | None:
        try:
            return self.get(kind, name)
        except Missing:
            return None

    @contextmanager
    def change(self, kind: Kind, name: str) -> Iterator[Document]:
        """The document, to be altered in place; saved when the block ends well. Raises ``Missing``."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            query = "SELECT document FROM resources WHERE kind = ? AND name = ?"
            row = connection.execute(query, (kind.arn, name)).fetchone()
            if row is None:
                raise Missing(f"{kind.arn} {name}")
            document = _load(row[0])
            yield document
            connection.execute(
                "UPDATE resources SET document = ?, status = ?, modified = ? WHERE kind = ? AND name = ?",
                (
                    _dump(document),
                    document.get(kind.status, ""),
                    datetime.now(UTC).timestamp(),
                    kind.arn,
                    name,
                ),
            )

    def put(self, kind: Kind, name: str, document: Document) -> None:
        """Create or replace a document of our own."""
        row = _row(kind, name, document)
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)", row)

    def delete(self, kind: Kind, name: str) -> None:
        """Raises ``Missing``."""
        with self._connection() as connection:
            found = connection.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind.arn, name))
            if found.rowcount == 0:
                raise Missing(f"{kind.arn} {name}")

    def with_status(self, kind: Kind, statuses: Sequence[str]) -> list[Document]:
        """All documents in one of these statuses, oldest first."""
        marks = ", ".join("?" * len(statuses))
        query = (  # only question marks go into it
            f"SELECT document FROM resources WHERE kind = ? AND status IN ({marks}) ORDER BY created, name"  # noqa: S608
        )
        with self._connection() as connection:
            return [_load(row[0]) for row in connection.execute(query, (kind.arn, *statuses))]

    def rows(self, kind: Kind, where: Sequence[tuple[str, Any]], order: str, limit: int) -> list[Row]:
        """The first ``limit`` rows that meet all conditions: (SQL with one ``?`` per value, value or
        tuple).
        """
        conditions = "".join(f" AND {condition}" for condition, _ in where)
        values = [v for _, value in where for v in (value if isinstance(value, tuple) else (value,))]
        query = (  # conditions and order are written in our modules; what callers sent are values
            "SELECT name, status, created, modified, document FROM resources "  # noqa: S608
            f"WHERE kind = ?{conditions} ORDER BY {order} LIMIT ?"
        )
        with self._connection() as connection:
            found = connection.execute(query, (kind.arn, *values, limit))
            return [Row(row[0], row[1], row[2], row[3], _load(row[4])) for row in found]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, in a transaction that is committed at the end or rolled back."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
        if connection.in_transaction:
            connection.commit()


def _row(kind: Kind, name: str, document: Document) -> tuple[Any, ...]:
    now = datetime.now(UTC)
    created = document.get("CreationTime", now).timestamp()
    return kind.arn, name, document.get(kind.status, ""), created, now.timestamp(), _dump(document)


def _dump(document: Document) -> str:
    return json.dumps(document, default=_encode, separators=(",", ":"))


def _load(text: str) -> Document:
    document: Document = json.loads(text, object_hook=_decode)
    return document


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$time": value.timestamp()}
    raise TypeError(f"{type(value).__name__} has no place in a document")


def _decode(value: Document) -> Any:
    return datetime.fromtimestamp(value["$time"], UTC) if value.keys() == {"$time"} else value
