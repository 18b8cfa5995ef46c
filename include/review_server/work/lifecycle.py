"""The life of a human loop, in one place: what it becomes after a task of it ended or time has passed.

Every function works in the caller's transaction on a loop that the caller has locked, and takes the server's
time. It knows the tables and nothing of HTTP, S3 or AWS.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from include.review_server.db.models import Delivery, FlowDefinition, HumanLoop, Task
from include.review_server.db.statuses import SEATED_TASKS, FailureCode, LoopStatus, TaskStatus


def locked(session: Session, loop_id: int) -> HumanLoop | None:
    """The loop, fresh and locked until the transaction ends. Always lock a loop before its tasks."""
    return session.get(HumanLoop, loop_id, with_for_update=True, populate_existing=True)


def locked_all(session: Session, loop_ids: Iterable[int]) -> list[HumanLoop]:
    """The loops that are still there, locked by one statement in one order.

    Lock all loops of a batch before the first is moved on: ending a loop locks its flow definition's row, and
    whoever waited for another loop while holding that row could wait for ever.
    """
    query = select(HumanLoop).where(HumanLoop.id.in_(set(loop_ids))).order_by(HumanLoop.id).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def settle(session: Session, loop: HumanLoop, now: datetime) -> None:
    """Move the loop on as far as its tasks and the clock say, and offer the places that are free."""
    if loop.status.is_terminal or loop.status is LoopStatus.WRITING:
        return
    session.flush()
    statuses = list(session.scalars(select(Task.status).where(Task.loop_id == loop.id)))
    answered = statuses.count(TaskStatus.ANSWERED)
    in_hand = statuses.count(TaskStatus.IN_HAND)
    if loop.status is LoopStatus.STOPPING:
        loop.vacancies = 0
        if not in_hand and not answered:
            finish(session, loop, LoopStatus.STOPPED, now)
        elif not in_hand:
            # What was submitted before the stop is still written; the delivery then ends the loop.
            _write_output(session, loop, now)
        return
    wanted = session.get_one(FlowDefinition, loop.flow_id).task_count
    if answered >= wanted:
        loop.status, loop.vacancies = LoopStatus.WRITING, 0
        _write_output(session, loop, now)
    elif now >= loop.available_until:
        _withdraw(session, loop, now)
        finish(
            session,
            loop,
            LoopStatus.FAILED,
            now,
            FailureCode.EXPIRED,
            f"{answered} of {wanted} answers had come when the task's availability ended",
        )
    else:
        loop.vacancies = wanted - sum(status in SEATED_TASKS for status in statuses)


def stop(session: Session, loop: HumanLoop, now: datetime) -> None:
    """Withdraw the loop. A task in hand may still be answered; one that is being written stays as it is."""
    if loop.status is LoopStatus.IN_PROGRESS:
        loop.status = LoopStatus.STOPPING
        settle(session, loop, now)


def finish(
    session: Session,
    loop: HumanLoop,
    status: LoopStatus,
    now: datetime,
    failure_code: FailureCode | None = None,
    failure_reason: str | None = None,
) -> None:
    """Bring the loop to a terminal status. The one place where a loop leaves flight."""
    loop.status, loop.vacancies, loop.finished_at = status, 0, now
    loop.failure_code, loop.failure_reason = failure_code, failure_reason
    session.execute(
        update(FlowDefinition)
        .where(FlowDefinition.id == loop.flow_id)
        .values(in_flight=FlowDefinition.in_flight - 1)
        .execution_options(synchronize_session=False)
    )
    if on_loop_end := session.info.get("on_loop_end"):
        on_loop_end(session, loop)


def end_task(session: Session, task: Task, status: TaskStatus, now: datetime) -> None:
    """End a worker's turn; ``settle`` the loop afterwards."""
    task.status, task.ended_at = status, now


def _withdraw(session: Session, loop: HumanLoop, now: datetime) -> None:
    held = select(Task).where(Task.loop_id == loop.id, Task.status == TaskStatus.IN_HAND)
    for task in session.scalars(held):
        end_task(session, task, TaskStatus.WITHDRAWN, now)


def _write_output(session: Session, loop: HumanLoop, now: datetime) -> None:
    if session.get(Delivery, loop.id) is None:
        session.add(Delivery(loop_id=loop.id, due_at=now, attempts=0))
