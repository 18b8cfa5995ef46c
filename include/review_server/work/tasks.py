"""Taking, answering and giving back: leases on tasks, for workers who are known already.

A task is one worker's turn at one item of a queue. The lease ends by the server's clock; what comes later is
refused and the place is offered again. Two workers never get the same place: on PostgreSQL by row locks, on
SQLite because writers queue, and on both the unique indexes of ``models.Task`` have the last word. An answer
can be taken back until it is final.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Draft, Task, WorkItem
from include.review_server.db.statuses import DeclineReason, TaskStatus
from include.review_server.errors import AnotherInHand, TaskNotInHand, UnknownTask
from include.review_server.work.ahead import Ahead, AheadInput, Hints
from include.review_server.work.deadlines import end_run_out, run_out
from include.review_server.work.lifecycle import end_task, locked, settle
from include.review_server.work.offers import offered, queues_of
from include.review_server.work.seats import check_in_hand, held, queue_here, queue_of, seat, take_back
from include.review_server.work.taking import input_ahead, next_ahead, next_task
from include.review_server.work.views import (
    AnswerView,
    QueueView,
    TaskView,
    answer_views,
    is_reopenable,
    own_task,
    queue_view,
    task_view,
)


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
        undo_seconds: float = 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._answered = answered
        self._undo = timedelta(seconds=undo_seconds)
        self._hints = Hints()

    def queue(self, worker_id: str, since: datetime | None = None) -> list[QueueView]:
        """What the worker could take, by queue. ``since``: when the worker's day began (UTC's else)."""
        now = self._clock()
        since = since or now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._database.read() as session:
            return [
                queue_view(session, queue, worker_id, now, since) for queue in queues_of(session, worker_id)
            ]

    def answers(self, worker_id: str, key: str | None = None) -> list[AnswerView]:
        """The worker's latest answers, newest first; ``key`` names one queue."""
        with self._database.read() as session:
            return answer_views(session, worker_id, self._clock(), key)

    def in_hand(self, worker_id: str) -> list[TaskView]:
        """The tasks that the worker holds now."""
        with self._database.read() as session:
            mine = held(worker_id, self._clock()).order_by(Task.accepted_at)
            return [task_view(session, task) for task in session.scalars(mine)]

    def take(
        self, worker_id: str, key: str | None = None, prefer: str | None = None
    ) -> tuple[TaskView, bool] | None:
        """The next task and True; the one in hand already and False; None when nothing waits.

        Asking again gives the same task until it has ended, so that a lost reply or a second tab never holds
        a second place. ``key`` names one queue, ``prefer`` is the hint of what was shown ahead. Raises
        ``UnknownTask`` when the worker's teams do not have the queue.
        """
        for _ in range(3):
            try:
                taken = self._take(worker_id, key, prefer)
            except IntegrityError:
                # The same worker asked twice at once, and the other request won: look again.
                continue
            self._hints.drop(worker_id)
            return taken
        return None

    def ahead(self, worker_id: str, key: str | None = None) -> Ahead | None:
        """What the worker would most likely be given next. It is not held: whoever comes first gets it."""
        now = self._clock()
        with self._database.read() as session:
            ahead = next_ahead(session, worker_id, key, self._hints.of_others(worker_id, now), now)
        if ahead is not None:
            self._hints.give(worker_id, ahead.item_id, now)
        return ahead

    def ahead_input(self, worker_id: str, item_id: int) -> AheadInput:
        """What the item is shown from, while it is offered to the worker or in the worker's hand.

        Raises ``Forbidden`` otherwise.
        """
        with self._database.read() as session:
            return input_ahead(session, worker_id, item_id, self._clock())

    def get(self, worker_id: str, task_id: str) -> TaskView:
        """A task of this worker, whatever became of it."""
        with self._database.read() as session:
            return task_view(session, own_task(session, worker_id, task_id))

    def take_again(self, worker_id: str, task_id: str) -> TaskView | None:
        """A task of this worker whose lease has run out or that was given back, anew, if nobody else has it.

        So that someone whose time ran out can still send what is on the page. None when the place is taken or
        the item has ended. Raises ``AnotherInHand`` when the worker holds another task of that queue.
        """
        try:
            with self._database.write() as session:
                item, task = self._locked(session, worker_id, task_id)
                now = self._clock()
                if task.status is TaskStatus.IN_HAND and now < task.expires_at:
                    return task_view(session, task)
                if task.status is TaskStatus.IN_HAND:
                    end_task(session, task, TaskStatus.EXPIRED, now)
                    settle(session, item, now)
                queue = queue_of(session, worker_id, task)
                place = offered(item.queue_id, worker_id, now).where(WorkItem.id == item.id)
                if queue is None or session.scalars(place).first() is None:
                    return None
                if session.scalars(held(worker_id, now).where(Task.queue_id == queue.id)).first():
                    raise AnotherInHand("end the other one first, then take this one again")
                return task_view(session, seat(session, queue, item, worker_id, now))
        except IntegrityError:
            return None

    def answer(
        self,
        worker_id: str,
        task_id: str,
        content: str,
        active_seconds: float | None = None,
        comment: str | None = None,
    ) -> datetime | None:
        """Accept an answer (``answerContent`` as JSON text). It is on disk when this returns.

        ``active_seconds`` is the time without pauses as the worker's page measured it; it is believed as far
        as the server's clock allows. The same answer again is accepted again and counts once. Raises
        ``TaskNotInHand`` otherwise. Gives the time until which it can be taken back at least, if at all.
        """
        until = self._answer(worker_id, task_id, content, active_seconds, comment)
        self._wake_for(until)
        return until

    def answer_and_take(
        self,
        worker_id: str,
        task_id: str,
        content: str,
        active_seconds: float | None = None,
        comment: str | None = None,
        *,
        key: str | None = None,
        prefer: str | None = None,
    ) -> tuple[datetime | None, TaskView | None]:
        """``answer``, then ``take``: somebody waits for the next task, the background does not.

        The answer is on disk whatever comes next: no next task when the queue was closed meanwhile.
        """
        until = self._answer(worker_id, task_id, content, active_seconds, comment)
        try:
            taken = self.take(worker_id, key, prefer)
        except UnknownTask:
            taken = None
        finally:
            self._wake_for(until)
        return until, taken[0] if taken else None

    def _wake_for(self, until: datetime | None) -> None:
        """What can be taken back is nobody's to write yet, and somebody waits for this reply: do not rouse
        the background against it.
        """
        if until is None:
            self._wake()

    def _answer(
        self, worker_id: str, task_id: str, content: str, active_seconds: float | None, comment: str | None
    ) -> datetime | None:
        with self._database.write() as session:
            item, task = self._locked(session, worker_id, task_id)
            if task.status is TaskStatus.ANSWERED and session.get_one(Answer, task_id).content == content:
                return self._undo_until(item, task)
            now = self._check_in_hand(task)
            session.add(Answer(task_id=task_id, content=content))
            spent = max((now - task.accepted_at) / timedelta(milliseconds=1), 0)
            if active_seconds is not None:
                # What was taken back had its time too.
                active = (task.active_milliseconds or 0) + max(active_seconds * 1000, 0)
                spent = task.active_milliseconds = int(min(active, spent))
            task.comment = comment
            end_task(session, task, TaskStatus.ANSWERED, now)
            settle(session, item, now, self._undo)
            until = self._undo_until(item, task)
        self._answered(spent / 1000)
        return until

    def undo(self, worker_id: str, task_id: str) -> TaskView:
        """An answered task in hand again, its answer as its draft, while the answer is not final.

        Another task of the queue in hand is set aside, and what was on the page with it. Raises
        ``TaskNotInHand`` when it is too late.
        """
        for _ in range(3):
            try:
                return self._take_back(worker_id, task_id)
            except IntegrityError:
                # The same worker took a task at this moment: it is in the way now, and seen.
                continue
        raise TaskNotInHand("another task came into your hand meanwhile: try again")

    def may_undo(self, worker_id: str, task_id: str) -> bool:
        """Whether the worker answered the task and can take the answer back."""
        with self._database.read() as session:
            task = own_task(session, worker_id, task_id)
            item = session.get_one(WorkItem, task.item_id)
            return task.status is TaskStatus.ANSWERED and is_reopenable(item, self._clock())

    def keep_draft(self, worker_id: str, task_id: str, content: str) -> None:
        """Keep what the worker has on the page (as an ``answerContent``, JSON text) until the task ends.

        The last one counts. Raises ``TaskNotInHand`` when the task is not in hand any more.
        """
        with self._database.write() as session:
            _, task = self._locked(session, worker_id, task_id)
            self._check_in_hand(task)
            session.merge(Draft(task_id=task_id, content=content))

    def draft(self, worker_id: str, task_id: str) -> str | None:
        """What was kept last; None when nothing was, or nothing is worth keeping any more."""
        with self._database.read() as session:
            own_task(session, worker_id, task_id)
            draft = session.get(Draft, task_id)
            return draft.content if draft else None

    def decline(
        self, worker_id: str, task_id: str, reason: DeclineReason | None = None, comment: str | None = None
    ) -> None:
        """Give the task to someone else for good, and say why."""
        self._let_go(worker_id, task_id, TaskStatus.DECLINED, reason, comment)

    def give_back(self, worker_id: str, task_id: str) -> None:
        """Return the task to the queue; the worker may take it again."""
        self._let_go(worker_id, task_id, TaskStatus.RETURNED)

    def _take(self, worker_id: str, key: str | None, prefer: str | None) -> tuple[TaskView, bool] | None:
        with self._database.write() as session:
            queue_here(session, worker_id)
            now = self._clock()
            # The worker's own run-out leases only; the job ends everyone's.
            end_run_out(session, run_out(now).where(Task.worker_id == worker_id), now)
            return next_task(session, worker_id, key, prefer, self._hints.of_others(worker_id, now), now)

    def _take_back(self, worker_id: str, task_id: str) -> TaskView:
        with self._database.write() as session:
            # A transaction of its own: what it locks shall not be locked together with what follows.
            now = self._clock()
            end_run_out(session, run_out(now).where(Task.worker_id == worker_id), now)
        with self._database.write() as session:
            queue_here(session, worker_id)
            return task_view(session, take_back(session, worker_id, task_id, self._clock()))

    def _let_go(
        self,
        worker_id: str,
        task_id: str,
        status: TaskStatus,
        reason: DeclineReason | None = None,
        comment: str | None = None,
    ) -> None:
        with self._database.write() as session:
            item, task = self._locked(session, worker_id, task_id)
            if task.status is status:
                return
            now = self._check_in_hand(task)
            task.reason, task.comment = reason, comment
            end_task(session, task, status, now)
            settle(session, item, now)
        self._wake()

    def _locked(self, session: Session, worker_id: str, task_id: str) -> tuple[WorkItem, Task]:
        task = own_task(session, worker_id, task_id)
        item = locked(session, task.item_id)
        if item is None:
            raise UnknownTask(f"no task {task_id}")
        session.refresh(task)
        return item, task

    def _undo_until(self, item: WorkItem, task: Task) -> datetime | None:
        if not self._undo or task.ended_at is None or not is_reopenable(item, task.ended_at):
            return None
        return item.settles_at or min(task.ended_at + self._undo, item.available_until)

    def _check_in_hand(self, task: Task) -> datetime:
        now = self._clock()
        check_in_hand(task, now)
        return now
