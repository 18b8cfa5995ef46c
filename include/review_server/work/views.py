"""What workers are shown of their queues, tasks and answers: frozen values, and the queries that make them.

Every function works in the caller's session and only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server.db.allowed_hosts import hosts_of
from include.review_server.db.models import HumanTaskUi, ItemInput, Task, WorkItem, WorkQueue, inline
from include.review_server.db.statuses import ItemStatus, TaskStatus
from include.review_server.errors import UnknownTask
from include.review_server.work.offers import offered, queues_of

# Of one's own answers: so many are listed.
LATEST = 20


@dataclass(frozen=True)
class TaskView:
    """A task as its worker sees it. ``input`` is what the template is given, as JSON text; ``queue`` its
    queue's key and ``item`` what the item is called. ``comment`` is what the worker wrote with an answer that
    was taken back, ``hint`` what ``Tasks.ahead`` calls the item. ``hosts`` are those that its template may
    load from besides.
    """

    id: str
    status: TaskStatus
    item: str
    queue: str
    title: str
    description: str
    input: str
    accepted_at: datetime
    expires_at: datetime
    comment: str | None = None
    hint: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class QueueView:
    """How one queue stands for a worker. ``waiting``: what the worker could take now; ``held_elsewhere``:
    tasks in others' hands; ``open``: items that are not final; ``done_today``: the worker's own answers.
    ``available_until``: when the first of what waits is gone.
    """

    queue: str
    title: str
    description: str
    is_paused: bool
    waiting: int
    held_elsewhere: int
    open: int
    done_today: int
    available_until: datetime | None


@dataclass(frozen=True)
class AnswerView:
    """An answer that the worker gave. ``undo_until``: when it becomes final, where that is known."""

    task_id: str
    item: str
    queue: str
    title: str
    answered_at: datetime
    reopenable: bool
    undo_until: datetime | None
    comment: str | None


def own_task(session: Session, worker_id: str, task_id: str) -> Task:
    """The worker's task. ``UnknownTask`` when there is none, or it is somebody else's."""
    task = session.get(Task, task_id)
    if task is None or task.worker_id != worker_id:
        raise UnknownTask(f"no task {task_id}")
    return task


def task_view(session: Session, task: Task) -> TaskView:
    item = session.get_one(WorkItem, task.item_id)
    queue = session.get_one(WorkQueue, task.queue_id)
    return TaskView(
        id=task.id,
        status=task.status,
        item=item.title,
        queue=queue.key,
        title=queue.title,
        description=queue.description,
        input=session.get_one(ItemInput, item.id).content,
        accepted_at=task.accepted_at,
        expires_at=task.expires_at,
        comment=task.comment,
        hint=str(item.id),
        hosts=tuple(hosts_of(session, session.get_one(HumanTaskUi, queue.human_task_ui_id).content_sha256)),
    )


def queue_view(
    session: Session, queue: WorkQueue, worker_id: str, now: datetime, since: datetime
) -> QueueView:
    """``since`` is when the worker's day began."""
    items = offered(queue.id, worker_id, now).with_only_columns(
        func.count(), func.min(WorkItem.available_until)
    )
    waiting, until = session.execute(items).one()
    elsewhere = select(func.count()).where(
        Task.queue_id == queue.id,
        Task.worker_id != worker_id,
        Task.status == inline(TaskStatus.IN_HAND),
        Task.expires_at > now,
    )
    not_final = select(func.count()).where(
        WorkItem.queue_id == queue.id, WorkItem.status == inline(ItemStatus.IN_PROGRESS)
    )
    done = select(func.count()).where(
        Task.worker_id == worker_id,
        Task.queue_id == queue.id,
        Task.status == inline(TaskStatus.ANSWERED),
        Task.ended_at >= since,
    )
    return QueueView(
        queue=queue.key,
        title=queue.title,
        description=queue.description,
        is_paused=queue.is_paused,
        waiting=waiting,
        held_elsewhere=session.scalars(elsewhere).one(),
        open=session.scalars(not_final).one(),
        done_today=session.scalars(done).one(),
        available_until=until,
    )


def answer_views(session: Session, worker_id: str, now: datetime, key: str | None) -> list[AnswerView]:
    """The worker's latest answers in the open queues of their teams, newest first."""
    queues = {queue.id: queue for queue in queues_of(session, worker_id) if key in (None, queue.key)}
    latest = (
        select(Task)
        .where(
            Task.worker_id == worker_id,
            Task.status == inline(TaskStatus.ANSWERED),
            Task.queue_id.in_(list(queues)),
        )
        .order_by(Task.ended_at.desc(), Task.id)
        .limit(LATEST)
    )
    views = []
    for task in session.scalars(latest):
        item, queue = session.get_one(WorkItem, task.item_id), queues[task.queue_id]
        views.append(
            AnswerView(
                task_id=task.id,
                item=item.title,
                queue=queue.key,
                title=queue.title,
                answered_at=task.ended_at or task.accepted_at,
                reopenable=is_reopenable(item, now),
                undo_until=item.settles_at,
                comment=task.comment,
            )
        )
    return views


def is_reopenable(item: WorkItem, now: datetime) -> bool:
    """Whether an answer to the item can still be taken back."""
    return (
        item.status is ItemStatus.IN_PROGRESS
        and now < item.available_until
        and (item.settles_at is None or now < item.settles_at)
    )
