"""What owners do to the work of a queue: pause it, put it before others, take a task from who holds it, and
give it to somebody else.

Every method is one transaction, says in the log who did it, and raises ``UnknownTask``, ``TaskNotInHand`` or
``BadAnswer`` where it cannot be done. A worker whose task is taken meets it as a withdrawn one; what was on
the page comes back when the same worker gets the item again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Membership, Task, Worker, WorkItem, WorkQueue
from include.review_server.db.statuses import BARRING_TASKS, ItemStatus, TaskStatus
from include.review_server.errors import BadAnswer, TaskNotInHand, UnknownTask
from include.review_server.work.lifecycle import end_task, locked, settle

MOST_PRIORITY = 100
_MOST_MEMBERS = 200

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TeamMember:
    """Somebody to whom a task of the queue may be given."""

    worker_id: str
    name: str


class Owning:
    """An owner's hand in the work. ``by`` is the owner's name, for the log."""

    def __init__(self, database: Database, clock: Clock, wake: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake

    def members(self, queue_id: int) -> list[TeamMember]:
        """The queue's team: those who can sign in, by name."""
        query = (
            select(Worker.id, Worker.name)
            .join(Membership, Membership.worker_id == Worker.id)
            .join(WorkQueue, WorkQueue.workteam_name == Membership.workteam_name)
            .where(WorkQueue.id == queue_id, Worker.password_hash.is_not(None))
            .order_by(Worker.name)
            .limit(_MOST_MEMBERS)
        )
        with self._database.read() as session:
            return [TeamMember(worker_id, name) for worker_id, name in session.execute(query)]

    def pause(self, queue_id: int, is_paused: bool, by: str) -> None:
        """Offer nothing of the queue from now on, or offer it again. Tasks in hand may be answered."""
        with self._database.write() as session:
            queue = _queue(session, queue_id)
            queue.is_paused = is_paused
            log.info("owner %s %s %s", by, "paused" if is_paused else "resumed", queue.key)

    def set_priority(self, queue_id: int, priority: int, by: str) -> None:
        """Workers of several queues are offered what is of the highest priority first."""
        if not -MOST_PRIORITY <= priority <= MOST_PRIORITY:
            raise BadAnswer(
                f"a priority is a whole number from {-MOST_PRIORITY} to {MOST_PRIORITY}, not {priority}"
            )
        with self._database.write() as session:
            queue = _queue(session, queue_id)
            queue.priority = priority
            log.info("owner %s gave %s the priority %d", by, queue.key, priority)

    def release(self, queue_id: int, task_id: str, by: str) -> None:
        """Take a task from who holds it: it is offered to everybody again."""
        with self._database.write() as session:
            item, task = self._held(session, queue_id, task_id)
            self._withdraw(session, item, task)
            log.info(
                "owner %s released task %s of item %d from worker %s", by, task_id, item.id, task.worker_id
            )
        self._wake()

    def reassign(self, queue_id: int, task_id: str, worker_id: str, by: str) -> None:
        """Take a task from who holds it and keep it for one member of the team."""
        with self._database.write() as session:
            item, task = self._held(session, queue_id, task_id)
            self._check_eligible(session, item, worker_id)
            item.reserved_for = worker_id
            self._withdraw(session, item, task)
            log.info(
                "owner %s gave task %s of item %d from worker %s to %s",
                by, task_id, item.id, task.worker_id, worker_id,
            )  # fmt: skip
        self._wake()

    def offer_to_all(self, queue_id: int, item_id: int, by: str) -> None:
        """End what ``reassign`` began: the item is offered to everybody."""
        with self._database.write() as session:
            item = locked(session, item_id)
            if item is None or item.queue_id != queue_id:
                raise UnknownTask(f"no item {item_id}")
            log.info("owner %s offered item %d, kept for %s, to all", by, item_id, item.reserved_for)
            item.reserved_for = None
        self._wake()

    def _held(self, session: Session, queue_id: int, task_id: str) -> tuple[WorkItem, Task]:
        task = session.get(Task, task_id)
        item = locked(session, task.item_id) if task is not None and task.queue_id == queue_id else None
        if task is None or item is None:
            raise UnknownTask(f"no task {task_id}")
        session.refresh(task)
        if task.status is not TaskStatus.IN_HAND:
            raise TaskNotInHand(f"nobody holds this task any more: it is {task.status.value}")
        return item, task

    def _withdraw(self, session: Session, item: WorkItem, task: Task) -> None:
        now = self._clock()
        # An answer that was taken back is a draft now: it is there when its worker gets the item again.
        end_task(session, task, TaskStatus.WITHDRAWN, now, keep_draft=True)
        settle(session, item, now)

    def _check_eligible(self, session: Session, item: WorkItem, worker_id: str) -> None:
        """``BadAnswer`` when the item cannot be kept for that worker."""
        queue = _queue(session, item.queue_id)
        worker = session.get(Worker, worker_id)
        is_member = session.get(Membership, (worker_id, queue.workteam_name)) is not None
        if worker is None or not is_member or worker.password_hash is None:
            raise BadAnswer(f"that is no member of the team {queue.workteam_name} who can sign in")
        if item.status is not ItemStatus.IN_PROGRESS:
            raise BadAnswer("this item is not offered any more: release the task instead")
        # Kept for somebody who may not take it, the item would be kept from everybody.
        had = select(Task.status).where(
            Task.item_id == item.id, Task.worker_id == worker_id, Task.status.in_(BARRING_TASKS)
        )
        if statuses := set(session.scalars(had)):
            did = "holds" if TaskStatus.IN_HAND in statuses else "has answered or declined"
            raise BadAnswer(f"{worker.name} {did} this item already: choose somebody else")


def _queue(session: Session, queue_id: int) -> WorkQueue:
    queue = session.get(WorkQueue, queue_id, with_for_update=True)
    if queue is None:
        raise UnknownTask(f"no queue {queue_id}")
    return queue
