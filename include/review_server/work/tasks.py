"""Taking, answering and giving back: leases on tasks, for workers who are known already.

A task is one worker's turn at one loop. The lease ends by the server's clock; what comes later is refused and
the place is offered again. Two workers never get the same place: on PostgreSQL by row locks, on SQLite
because writers queue, and on both the unique indexes of ``models.Task`` have the last word.
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
    FlowDefinition,
    HumanLoop,
    LoopInput,
    Task,
    Worker,
    inline,
)
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import TaskNotInHand, UnknownTask
from include.review_server.work.deadlines import end_run_out, run_out
from include.review_server.work.lifecycle import end_task, locked, settle
from include.review_server.work.offers import flows_of, offered


@dataclass(frozen=True)
class TaskView:
    """A task as its worker sees it. ``input`` is the loop's InputContent as JSON text."""

    id: str
    status: TaskStatus
    human_loop_name: str
    flow_definition: str
    title: str
    description: str
    input: str
    accepted_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class QueueView:
    """What waits for a worker in one flow definition. ``available_until``: when the first of it is gone."""

    flow_definition: str
    title: str
    description: str
    waiting: int
    available_until: datetime | None


class Tasks:
    """What workers do with human loops. ``wake`` tells the background that an output is to be written;
    ``answered`` is told of each answer, with the seconds that its worker spent on it.
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
        """What the worker could take, by flow definition."""
        now = self._clock()
        with self._database.read() as session:
            views = []
            for flow in flows_of(session, worker_id, None):
                loops = offered(flow.id, worker_id, now).with_only_columns(
                    func.count(), func.min(HumanLoop.available_until)
                )
                waiting, until = session.execute(loops).one()
                views.append(QueueView(flow.name, flow.title, flow.description, waiting, until))
            return views

    def in_hand(self, worker_id: str) -> list[TaskView]:
        """The tasks that the worker holds now."""
        with self._database.read() as session:
            held = _held(worker_id, self._clock()).order_by(Task.accepted_at)
            return [_view(session, task) for task in session.scalars(held)]

    def take(self, worker_id: str, flow_name: str | None = None) -> tuple[TaskView, bool] | None:
        """The next task and True; the one in hand already and False; None when nothing waits.

        Asking again gives the same task until it has ended, so that a lost reply or a second tab never holds
        a second place. Raises ``UnknownTask`` when the worker's teams do not have that flow definition.
        """
        for _ in range(3):
            try:
                return self._take(worker_id, flow_name)
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
        the loop has ended, or the worker holds another task of that flow definition.
        """
        try:
            with self._database.write() as session:
                loop, task = self._locked(session, worker_id, task_id)
                now = self._clock()
                if task.status is TaskStatus.IN_HAND and now < task.expires_at:
                    return _view(session, task)
                if task.status is TaskStatus.IN_HAND:
                    end_task(session, task, TaskStatus.EXPIRED, now)
                    settle(session, loop, now)
                flow = session.get_one(FlowDefinition, loop.flow_id)
                place = offered(flow.id, worker_id, now).where(HumanLoop.id == loop.id)
                if not flows_of(session, worker_id, flow.name) or session.scalars(place).first() is None:
                    return None
                return _view(session, _seat(session, flow, loop, worker_id, now))
        except IntegrityError:
            return None

    def answer(self, worker_id: str, task_id: str, content: str, active_seconds: float | None = None) -> None:
        """Accept an answer (``answerContent`` as JSON text). It is on disk when this returns.

        ``active_seconds`` is the time without pauses as the worker's page measured it; it is believed as far
        as the server's clock allows. The same answer again is accepted again and counts once. Raises
        ``TaskNotInHand`` otherwise.
        """
        with self._database.write() as session:
            loop, task = self._locked(session, worker_id, task_id)
            if task.status is TaskStatus.ANSWERED and session.get_one(Answer, task_id).content == content:
                return
            now = self._check_in_hand(task)
            session.add(Answer(task_id=task_id, content=content))
            spent = max((now - task.accepted_at) / timedelta(milliseconds=1), 0)
            if active_seconds is not None:
                spent = task.active_milliseconds = int(min(max(active_seconds * 1000, 0), spent))
            end_task(session, task, TaskStatus.ANSWERED, now)
            settle(session, loop, now)
        self._answered(spent / 1000)
        self._wake()

    def decline(self, worker_id: str, task_id: str) -> None:
        """Give the task to someone else for good."""
        self._let_go(worker_id, task_id, TaskStatus.DECLINED)

    def give_back(self, worker_id: str, task_id: str) -> None:
        """Return the task to the queue; the worker may take it again."""
        self._let_go(worker_id, task_id, TaskStatus.RETURNED)

    def _take(self, worker_id: str, flow_name: str | None) -> tuple[TaskView, bool] | None:
        with self._database.write() as session:
            # A worker's own tabs queue here; else each would hold a loop and find the others' taken.
            session.execute(select(Worker.id).where(Worker.id == worker_id).with_for_update())
            now = self._clock()
            # The worker's own run-out leases only; the job ends everyone's.
            end_run_out(session, run_out(now).where(Task.worker_id == worker_id), now)
            flows = flows_of(session, worker_id, flow_name)
            if flow_name is not None and not flows:
                raise UnknownTask(f"your teams have no active flow definition {flow_name}")
            names = [flow.id for flow in flows]
            held = _held(worker_id, now).where(Task.flow_id.in_(names)).order_by(Task.accepted_at).limit(1)
            if task := session.scalars(held).one_or_none():
                return _view(session, task), False
            for flow in flows:
                # Oldest first; a row that another worker is taking at this moment is passed over.
                next_loop = offered(flow.id, worker_id, now).order_by(HumanLoop.id).limit(1)
                loop = session.scalars(
                    next_loop.with_for_update(skip_locked=True, of=HumanLoop)
                ).one_or_none()
                if loop is None:
                    continue
                return _view(session, _seat(session, flow, loop, worker_id, now)), True
            return None

    def _let_go(self, worker_id: str, task_id: str, status: TaskStatus) -> None:
        with self._database.write() as session:
            loop, task = self._locked(session, worker_id, task_id)
            if task.status is status:
                return
            now = self._check_in_hand(task)
            end_task(session, task, status, now)
            settle(session, loop, now)
        self._wake()

    def _locked(self, session: Session, worker_id: str, task_id: str) -> tuple[HumanLoop, Task]:
        task = _own_task(session, worker_id, task_id)
        loop = locked(session, task.loop_id)
        if loop is None:
            raise UnknownTask(f"no task {task_id}")
        session.refresh(task)
        return loop, task

    def _check_in_hand(self, task: Task) -> datetime:
        now = self._clock()
        if task.status is TaskStatus.IN_HAND and now < task.expires_at:
            return now
        status = TaskStatus.EXPIRED if task.status is TaskStatus.IN_HAND else task.status
        raise TaskNotInHand(f"the task is no longer yours: {status}")


def _seat(session: Session, flow: FlowDefinition, loop: HumanLoop, worker_id: str, now: datetime) -> Task:
    """A lease on the loop, which the caller has locked and found to be offered."""
    task = Task(
        id=secrets.token_hex(16),
        loop_id=loop.id,
        flow_id=flow.id,
        worker_id=worker_id,
        status=TaskStatus.IN_HAND,
        accepted_at=now,
        # Nothing is worth answering after the loop has failed.
        expires_at=min(now + timedelta(seconds=flow.time_limit_seconds), loop.available_until),
    )
    session.add(task)
    settle(session, loop, now)
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
    loop = session.get_one(HumanLoop, task.loop_id)
    flow = session.get_one(FlowDefinition, task.flow_id)
    return TaskView(
        id=task.id,
        status=task.status,
        human_loop_name=loop.name,
        flow_definition=flow.name,
        title=flow.title,
        description=flow.description,
        input=session.get_one(LoopInput, loop.id).content,
        accepted_at=task.accepted_at,
        expires_at=task.expires_at,
    )
