"""Taking, answering and giving back: leases on tasks, for workers who are known already.

A task is one worker's turn at one item of a queue. The lease ends by the server's clock; what comes later is
refused and the place is offered again. Two workers never get the same place: on PostgreSQL by row locks, on
SQLite because writers queue, and on both the unique indexes of ``models.Task`` have the last word.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Answer,
    Draft,
    ItemInput,
    Task,
    Worker,
    WorkItem,
    WorkQueue,
    inline,
)
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import TaskNotInHand, UnknownTask
from include.review_server.work.deadlines import end_run_out, run_out
from include.review_server.work.lifecycle import end_task, locked, settle, tell_turn
from include.review_server.work.offers import offered, queues_of


@dataclass(frozen=True)
class TaskView:
    """A task as its worker sees it. ``input`` is what the template is given, as JSON text; ``queue`` its
    queue's key and ``item`` what the item is called.
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


@dataclass(frozen=True)
class QueueView:
    """What waits for a worker in one queue. ``available_until``: when the first of it is gone."""

    queue: str
    title: str
    description: str
    waiting: int
    available_until: datetime | None


class Tasks:
    """What workers do with the items of their teams' queues. ``wake`` tells the background that a result is
    to be written; ``answered`` is told of each answer, with the seconds that its worker spent on it.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
        answered: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._answered = answered

    def queue(self, worker_id: str) -> list[QueueView]:
        """What the worker could take, by queue."""
        now = self._clock()
        with self._database.read() as session:
            views = []
            for queue in queues_of(session, worker_id):
                items = offered(queue.id, worker_id, now).with_only_columns(
                    func.count(), func.min(WorkItem.available_until)
                )
                waiting, until = session.execute(items).one()
                views.append(QueueView(queue.key, queue.title, queue.description, waiting, until))
            return views

    def in_hand(self, worker_id: str) -> list[TaskView]:
        """The tasks that the worker holds now."""
        with self._database.read() as session:
            held = _held(worker_id, self._clock()).order_by(Task.accepted_at)
            return [_view(session, task) for task in session.scalars(held)]

    def take(self, worker_id: str, key: str | None = None) -> tuple[TaskView, bool] | None:
        """The next task and True; the one in hand already and False; None when nothing waits.

        Asking again gives the same task until it has ended, so that a lost reply or a second tab never holds
        a second place. ``key`` names one queue. Raises ``UnknownTask`` when the worker's
        teams do not have it.
        """
        for _ in range(3):
            try:
                return self._take(worker_id, key)
            except IntegrityError:
                # The same worker asked twice at once, and the other request won: look again.
                continue
        return None

    def get(self, worker_id: str, task_id: str) -> TaskView:
        """A task of this worker, whatever became of it."""
        with self._database.read() as session:
            return _view(session, _own_task(session, worker_id, task_id))

    def take_again(self, worker_id: str, task_id: str) -> TaskView | None:
        """A task of this worker whose lease has run out or that was given back, anew, if nobody else has it.

        So that someone whose time ran out can still send what is on the page. None when the place is taken,
        the item has ended, or the worker holds another task of that queue.
        """
        try:
            with self._database.write() as session:
                item, task = self._locked(session, worker_id, task_id)
                now = self._clock()
                if task.status is TaskStatus.IN_HAND and now < task.expires_at:
                    return _view(session, task)
                if task.status is TaskStatus.IN_HAND:
                    end_task(session, task, TaskStatus.EXPIRED, now)
                    settle(session, item, now)
                queues = [queue for queue in queues_of(session, worker_id) if queue.id == item.queue_id]
                place = offered(item.queue_id, worker_id, now).where(WorkItem.id == item.id)
                if not queues or session.scalars(place).first() is None:
                    return None
                return _view(session, _seat(session, queues[0], item, worker_id, now))
        except IntegrityError:
            return None

    def answer(self, worker_id: str, task_id: str, content: str, active_seconds: float | None = None) -> None:
        """Accept an answer (``answerContent`` as JSON text). It is on disk when this returns.

        ``active_seconds`` is the time without pauses as the worker's page measured it; it is believed as far
        as the server's clock allows. The same answer again is accepted again and counts once. Raises
        ``TaskNotInHand`` otherwise.
        """
        with self._database.write() as session:
            item, task = self._locked(session, worker_id, task_id)
            if task.status is TaskStatus.ANSWERED and session.get_one(Answer, task_id).content == content:
                return
            now = self._check_in_hand(task)
            session.add(Answer(task_id=task_id, content=content))
            spent = max((now - task.accepted_at) / timedelta(milliseconds=1), 0)
            if active_seconds is not None:
                spent = task.active_milliseconds = int(min(max(active_seconds * 1000, 0), spent))
            end_task(session, task, TaskStatus.ANSWERED, now)
            settle(session, item, now)
        self._answered(spent / 1000)
        self._wake()

    def keep_draft(self, worker_id: str, task_id: str, content: str) -> None:
        """Keep what the worker has on the page (as an ``answerContent``, JSON text) until the task ends.

        The last one counts. Raises ``TaskNotInHand`` when the task is not in hand any more.
        """
        with self._database.write() as session:
            _, task = self._locked(session, worker_id, task_id)
            self._check_in_hand(task)
            session.merge(Draft(task_id=task_id, content=content))

    def draft(self, worker_id: str, task_id: str) -> str | None:
        """What was kept last; None when nothing was, or the task has ended."""
        with self._database.read() as session:
            _own_task(session, worker_id, task_id)
            draft = session.get(Draft, task_id)
            return draft.content if draft else None

    def decline(self, worker_id: str, task_id: str) -> None:
        """Give the task to someone else for good."""
        self._let_go(worker_id, task_id, TaskStatus.DECLINED)

    def give_back(self, worker_id: str, task_id: str) -> None:
        """Return the task to the queue; the worker may take it again."""
        self._let_go(worker_id, task_id, TaskStatus.RETURNED)

    def _take(self, worker_id: str, key: str | None) -> tuple[TaskView, bool] | None:
        with self._database.write() as session:
            # A worker's own tabs queue here; else each would hold an item and find the others' taken.
            session.execute(select(Worker.id).where(Worker.id == worker_id).with_for_update())
            now = self._clock()
            # The worker's own run-out leases only; the job ends everyone's.
            end_run_out(session, run_out(now).where(Task.worker_id == worker_id), now)
            queues = [queue for queue in queues_of(session, worker_id) if key in (None, queue.key)]
            if key is not None and not queues:
                raise UnknownTask(f"your teams have no open queue {key}")
            numbers = [queue.id for queue in queues]
            held = _held(worker_id, now).where(Task.queue_id.in_(numbers)).order_by(Task.accepted_at).limit(1)
            if task := session.scalars(held).one_or_none():
                return _view(session, task), False
            for queue in queues:
                # Oldest first; a row that another worker is taking at this moment is passed over.
                next_item = offered(queue.id, worker_id, now).order_by(WorkItem.id).limit(1)
                item = session.scalars(next_item.with_for_update(skip_locked=True, of=WorkItem)).one_or_none()
                if item is None:
                    continue
                return _view(session, _seat(session, queue, item, worker_id, now)), True
            return None

    def _let_go(self, worker_id: str, task_id: str, status: TaskStatus) -> None:
        with self._database.write() as session:
            item, task = self._locked(session, worker_id, task_id)
            if task.status is status:
                return
            now = self._check_in_hand(task)
            end_task(session, task, status, now)
            settle(session, item, now)
        self._wake()

    def _locked(self, session: Session, worker_id: str, task_id: str) -> tuple[WorkItem, Task]:
        task = _own_task(session, worker_id, task_id)
        item = locked(session, task.item_id)
        if item is None:
            raise UnknownTask(f"no task {task_id}")
        session.refresh(task)
        return item, task

    def _check_in_hand(self, task: Task) -> datetime:
        now = self._clock()
        if task.status is TaskStatus.IN_HAND and now < task.expires_at:
            return now
        status = TaskStatus.EXPIRED if task.status is TaskStatus.IN_HAND else task.status
        raise TaskNotInHand(f"the task is no longer yours: {status}")


def _seat(session: Session, queue: WorkQueue, item: WorkItem, worker_id: str, now: datetime) -> Task:
    """A lease on the item, which the caller has locked and found to be offered."""
    task = Task(
        id=secrets.token_hex(16),
        item_id=item.id,
        queue_id=queue.id,
        worker_id=worker_id,
        status=TaskStatus.IN_HAND,
        accepted_at=now,
        # Nothing is worth answering after the item has ended.
        expires_at=min(now + timedelta(seconds=queue.time_limit_seconds), item.available_until),
    )
    session.add(task)
    settle(session, item, now)
    tell_turn(session, task)
    return task


def _held(worker_id: str, now: datetime) -> Select[Task]:
    return select(Task).where(
        Task.worker_id == worker_id, Task.status == inline(TaskStatus.IN_HAND), Task.expires_at > now
    )


def _own_task(session: Session, worker_id: str, task_id: str) -> Task:
    task = session.get(Task, task_id)
    if task is None or task.worker_id != worker_id:
        raise UnknownTask(f"no task {task_id}")
    return task


def _view(session: Session, task: Task) -> TaskView:
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
    )
