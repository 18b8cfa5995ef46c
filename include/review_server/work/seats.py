"""How a place at an item is taken: for the first time, or anew by the worker who has answered already.

Works in the caller's transaction, on an item that the caller has locked and a queue that is the worker's.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from include.review_server.db.models import Answer, Draft, Task, WorkItem, WorkQueue
from include.review_server.db.statuses import TaskStatus
from include.review_server.work.lifecycle import settle, tell_turn


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


def reopen(session: Session, queue: WorkQueue, item: WorkItem, task: Task, now: datetime) -> None:
    """Take an answer back: the task is in hand again, for as long as a new one, and the answer its draft."""
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
