"""What time ends: leases that have run out, items whose availability is over, and the time in which answers
can be taken back.

Three jobs of the background; the ends are also looked at where a worker asks, so nobody waits for the jobs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Task, WorkItem, inline
from include.review_server.db.statuses import ItemStatus, TaskStatus
from include.review_server.work.lifecycle import end_task, locked_all, settle, settles_now

# How far the clocks of servers on one database may be apart.
_OTHER_CLOCKS = timedelta(seconds=60)


class Deadlines:
    """Each method does a bounded piece of work and says whether more is waiting."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def end_leases(self, steps: int = 200) -> bool:
        """Job: end the leases that have run out and offer their places. Whether more are waiting."""
        now = self._clock()
        self._begin_anew(now)
        query = run_out(now).order_by(Task.expires_at).limit(steps)
        with self._database.read() as session:
            due = [task.id for task in session.scalars(query)]
        if due:
            with self._database.write() as session:
                end_run_out(session, run_out(now).where(Task.id.in_(due)), now)
        return len(due) == steps

    def _begin_anew(self, now: datetime) -> None:
        """A lease given in the future is one of before the clock was put back: it begins now.

        Else it would hold its place for as long as the clock was wrong.
        """
        ahead = select(Task).where(
            Task.status == inline(TaskStatus.IN_HAND),
            # First, for the index: no lease of the future ends before.
            Task.expires_at > now + _OTHER_CLOCKS,
            Task.accepted_at > now + _OTHER_CLOCKS,
        )
        with self._database.read() as session:
            items = [task.item_id for task in session.scalars(ahead)]
        if not items:
            return
        with self._database.write() as session:
            locked_all(session, items)
            for task in session.scalars(ahead.where(Task.item_id.in_(items))):
                task.expires_at = now + (task.expires_at - task.accepted_at)
                task.accepted_at = now

    def end_availability(self, steps: int = 200) -> bool:
        """Job: end the items whose availability has ended. Whether more are waiting."""
        now = self._clock()
        query = (
            select(WorkItem.id)
            .where(WorkItem.status == inline(ItemStatus.IN_PROGRESS), WorkItem.available_until <= now)
            .order_by(WorkItem.available_until)
            .limit(steps)
        )
        return self._settle(query, now, steps)

    def make_final(self, steps: int = 200) -> bool:
        """Job: hand on the answers that can no longer be taken back. Whether more are waiting."""
        now = self._clock()
        query = select(WorkItem.id).where(WorkItem.settles_at.is_not(None), settles_now(now))
        return self._settle(query.order_by(WorkItem.settles_at).limit(steps), now, steps)

    def _settle(self, query: Select[int], now: datetime, steps: int) -> bool:
        with self._database.read() as session:
            due = list(session.scalars(query))
        if due:
            with self._database.write() as session:
                for item in locked_all(session, due):
                    settle(session, item, now)
        return len(due) == steps


def run_out(now: datetime) -> Select[Task]:
    """The tasks in hand whose lease has run out."""
    return select(Task).where(Task.status == inline(TaskStatus.IN_HAND), Task.expires_at <= now)


def end_run_out(session: Session, leases: Select[Task], now: datetime) -> None:
    """End these leases and offer their places."""
    of_leases = [task.item_id for task in session.scalars(leases)]
    if not of_leases:
        return
    items = locked_all(session, of_leases)
    # Asked again under the locks: an answer may have come first.
    for task in session.scalars(leases.execution_options(populate_existing=True)):
        end_task(session, task, TaskStatus.EXPIRED, now)
    for item in items:
        settle(session, item, now)
