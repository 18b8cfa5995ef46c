"""The outbox: writes what became of an item to S3 until S3 has it, and only then ends the item.

A delivery is recorded in the transaction that accepts the last answer, so a crash at any moment loses
nothing. What is written, and where, each kind of item says itself (``LoopOutputs`` for human loops). The
object's bytes depend on the database alone: writing it twice, after a crash between S3 and the database,
changes nothing. It knows the tables and ``ObjectStore``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Delivery, WorkItem
from include.review_server.db.statuses import ItemStatus, QueueKind
from include.review_server.errors import DatabaseAway
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.work.lifecycle import finish, locked_all
from include.review_server.work.outputs import Output
from include.review_server.work.retries import is_due, next_attempt

log = logging.getLogger(__name__)

_AT_ONCE = 8  # writes to S3 side by side


class Writer(Protocol):
    """Makes the results of one kind of item."""

    def output(self, session: Session, item: WorkItem) -> Output:
        """What to write for an item whose answers are in. It depends on the database alone."""

    def written(self, session: Session, item: WorkItem, now: datetime) -> None:
        """S3 has it, and the item has ended: what follows, in the same transaction."""


class Deliveries:
    """The background half of an answer. ``writers`` are by the kind of item; ``wake`` is told of results."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        store: ObjectStore,
        writers: Mapping[QueueKind, Writer],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self._writers = writers
        self._wake = wake
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="review-delivery")

    def deliver(self, steps: int = 64) -> bool:
        """Job: write the outputs that are due. Whether more are waiting."""
        query = select(Delivery.item_id).where(is_due(Delivery.due_at, self._clock()))
        with self._database.read() as session:
            due = list(session.scalars(query.order_by(Delivery.due_at).limit(steps)))
        errors = dict(zip(due, self._pool.map(self._write, due), strict=True))
        if due:
            self._settle(errors)
            # What follows from a result in S3 need not wait for its turn.
            self._wake()
        if failed := [error for error in errors.values() if error]:
            log.warning("%d outputs are not written yet, will try again: %s", len(failed), failed[0])
        return len(due) == steps and len(failed) < steps

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def _write(self, item_id: int) -> str | None:
        """Put one output to S3; what went wrong, or None."""
        try:
            with self._database.read() as session:
                output = self._output(session, item_id)
        except DatabaseAway:
            raise
        except Exception as fault:
            # Whatever is wrong with one item's result, those of all others are written.
            log.exception("the result of work item %d has a fault", item_id)
            return type(fault).__name__
        if output is None:
            return None
        try:
            self._store.put_json(output.location, output.text, output.kms_key_id)
        except S3_ERRORS as error:
            return (str(error) or type(error).__name__)[:1024]
        return None

    def _settle(self, errors: dict[int, str | None]) -> None:
        """One transaction for the batch: what is written ends, the others wait longer each time."""
        now = self._clock()
        with self._database.write() as session:
            for item in locked_all(session, errors):
                delivery = session.get(Delivery, item.id, populate_existing=True)
                if delivery is None:
                    continue
                if errors[item.id] is None:
                    session.delete(delivery)
                    stopped = item.status is ItemStatus.STOPPING
                    finish(session, item, ItemStatus.STOPPED if stopped else ItemStatus.COMPLETED, now)
                    self._writers[item.kind].written(session, item, now)
                else:
                    delivery.attempts += 1
                    delivery.last_error = errors[item.id]
                    delivery.due_at = next_attempt(now, delivery.attempts)

    def _output(self, session: Session, item_id: int) -> Output | None:
        if session.get(Delivery, item_id) is None:
            return None
        item = session.get_one(WorkItem, item_id)
        return self._writers[item.kind].output(session, item)
