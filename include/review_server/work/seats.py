"""How a place at an item is taken: for the first time, or anew by the worker who has answered already.

Works in the caller's transaction. ``seat`` on an item that the caller has locked and found to be offered.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from include.review_server.db.models import (
    Answer,
    Draft,
    Task,
    Worker,
    WorkItem,
    WorkQueue,
    inline,
)
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import TaskNotInHand, UnknownTask
from include.review_server.work.lifecycle import end_task, locked_all, settle, tell_turn
from include.review_server.work.offers import queues_of
from include.review_server.work.views import is_reopenable, own_task


def seat(session: Session, queue: WorkQueue, item: WorkItem, worker_id: str, now: datetime) -> Task:
    """A lease on an item that is offered. What the worker had on the page at an earlier turn comes along."""
    task = Task(
        id=secrets.token_hex(16),
        item_id=item.id,
        queue_id=queue.id,
        worker_id=worker_id,
        status=TaskStatus.IN_HAND,
        accepted_at=now,
        expires_at=_lease_end(queue, item, now),
    )
    session.add(task)
    # It was kept for this worker until now; the item's other places are everybody's.
    item.reserved_for = None
    settle(session, item, now)
    earlier = select(Task.id).where(
        Task.item_id == item.id, Task.worker_id == worker_id, Task.status != TaskStatus.IN_HAND
    )
    session.execute(
        update(Draft)
        .where(Draft.task_id.in_(earlier))
        .values(task_id=task.id)
        .execution_options(synchronize_session=False)
    )
    tell_turn(session, task)
    return task


def take_back(session: Session, worker_id: str, task_id: str, now: datetime) -> Task:
    """The worker's answered task in hand again. What is in hand of its queue is set aside.

    Locks what it needs. Raises ``TaskNotInHand`` when the answer is final.
    """
    task = own_task(session, worker_id, task_id)
    others = held(worker_id, now).where(Task.queue_id == task.queue_id, Task.id != task_id)
    in_the_way = session.scalars(others).one_or_none()
    of_both = [task.item_id, *([in_the_way.item_id] if in_the_way else [])]
    items = {item.id: item for item in locked_all(session, of_both)}
    item, queue = items.get(task.item_id), queue_of(session, worker_id, task)
    if item is None:
        raise UnknownTask(f"no task {task_id}")
    session.refresh(task)
    if task.status is not TaskStatus.ANSWERED:
        check_in_hand(task, now)
        return task
    if queue is None or not is_reopenable(item, now):
        raise TaskNotInHand("the answer is final: it cannot be taken back any more")
    if in_the_way is not None:
        session.refresh(in_the_way)
        if in_the_way.status is TaskStatus.IN_HAND:
            end_task(session, in_the_way, TaskStatus.RETURNED, now, keep_draft=True)
            settle(session, items[in_the_way.item_id], now)
    _reopen(session, queue, item, task, now)
    return task


def check_in_hand(task: Task, now: datetime) -> None:
    """Raises ``TaskNotInHand`` unless the worker still has it."""
    if task.status is not TaskStatus.IN_HAND or now >= task.expires_at:
        status = TaskStatus.EXPIRED if task.status is TaskStatus.IN_HAND else task.status
        raise TaskNotInHand(f"the task is no longer yours: {status}")


def queue_here(session: Session, worker_id: str) -> None:
    """A worker's own tabs queue here; else each would hold an item and find the others' taken."""
    session.execute(select(Worker.id).where(Worker.id == worker_id).with_for_update())


def queue_of(session: Session, worker_id: str, task: Task) -> WorkQueue | None:
    """The queue of the task, where it is open to the worker."""
    queues = queues_of(session, worker_id)
    return next((queue for queue in queues if queue.id == task.queue_id), None)


def held(worker_id: str, now: datetime) -> Select[Task]:
    return select(Task).where(
        Task.worker_id == worker_id, Task.status == inline(TaskStatus.IN_HAND), Task.expires_at > now
    )


def _reopen(session: Session, queue: WorkQueue, item: WorkItem, task: Task, now: datetime) -> None:
    # As long as a new one, and with the answer as its draft.
    answer = session.get_one(Answer, task.id)
    session.add(Draft(task_id=task.id, content=answer.content))
    session.delete(answer)
    # Whatever was in the way has ended in the table before this begins: one in hand per queue.
    session.flush()
    task.status, task.ended_at, task.expires_at = TaskStatus.IN_HAND, None, _lease_end(queue, item, now)
    settle(session, item, now)
    tell_turn(session, task)


def _lease_end(queue: WorkQueue, item: WorkItem, now: datetime) -> datetime:
    # Nothing is worth answering after the item has ended.
    return min(now + timedelta(seconds=queue.time_limit_seconds), item.available_until)
