"""What is wrong with the work of a queue, for its owner: said by pages at work and by checks of templates.

A complaint is a stranger's text: it is cut, counted instead of repeated, and the newest hundred of a queue
are kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import LONGEST_COMMENT, Complaint
from include.review_server.errors import TooManyComplaints
from include.review_server.work.views import own_task

MOST_OF_A_QUEUE = 100
_A_MINUTE = 30
_MINUTE = timedelta(minutes=1)
_MOST_WORKERS = 1000


def storable(text: str, longest: int = LONGEST_COMMENT) -> str:
    """A person's or page's text as every database holds it: of whole characters, without NUL, and cut."""
    return text.replace("\0", "").encode(errors="replace").decode().strip()[:longest]


def complain(
    session: Session, queue_id: int, message: str, now: datetime, item_id: int | None = None
) -> None:
    """Note a complaint in the caller's transaction; one that is there already counts."""
    message = storable(message)
    if not message:
        return
    sha256 = hashlib.sha256(message.encode()).hexdigest()
    same = select(Complaint).where(Complaint.queue_id == queue_id, Complaint.sha256 == sha256)
    known = session.scalars(same.with_for_update()).one_or_none()
    if known is not None:
        known.times, known.last_at, known.item_id = known.times + 1, now, item_id
        return
    kept = (
        select(Complaint.id)
        .where(Complaint.queue_id == queue_id)
        .order_by(Complaint.last_at.desc(), Complaint.id.desc())
        .offset(MOST_OF_A_QUEUE - 1)
    )
    if beyond := list(session.scalars(kept)):
        session.execute(delete(Complaint).where(Complaint.id.in_(beyond)))
    session.add(
        Complaint(
            queue_id=queue_id,
            sha256=sha256,
            message=message,
            item_id=item_id,
            times=1,
            first_at=now,
            last_at=now,
        )
    )


class Complaints:
    """What workers' pages complain of, so many a minute for each worker."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: dict[str, deque[datetime]] = {}

    def say(self, worker_id: str, task_id: str, message: str) -> None:
        """Note a complaint about the worker's task. Raises ``UnknownTask`` and ``TooManyComplaints``."""
        now = self._clock()
        self._count(worker_id, now)
        for last_try in (False, True):
            try:
                with self._database.write() as session:
                    task = own_task(session, worker_id, task_id)
                    complain(session, task.queue_id, message, now, task.item_id)
                return
            except IntegrityError:
                # Somebody else has said the same at this moment: now it is there, and counts.
                if last_try:
                    raise

    def _count(self, worker_id: str, now: datetime) -> None:
        with self._lock:
            latest = self._latest.pop(worker_id, deque(maxlen=_A_MINUTE))
            self._latest[worker_id] = latest
            while len(self._latest) > _MOST_WORKERS:
                del self._latest[next(iter(self._latest))]
            if len(latest) == _A_MINUTE and abs(now - latest[0]) < _MINUTE:
                raise TooManyComplaints(60)
            latest.append(now)
