"""The life of a work item, in one place: what it becomes after a task of it ended or time has passed.

Every function works in the caller's transaction on an item that the caller has locked, and takes the server's
time. It knows the tables and nothing of HTTP, S3 or AWS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, delete, or_, select, update
from sqlalchemy.orm import Session

from include.review_server.db.models import (
    DataObject,
    Delivery,
    Draft,
    FlowDefinition,
    HumanLoop,
    LabelingJob,
    ObjectItem,
    Task,
    WorkItem,
    WorkQueue,
)
from include.review_server.db.statuses import (
    SEATED_TASKS,
    DeclineReason,
    FailureCode,
    ItemStatus,
    ObjectStatus,
    TaskStatus,
)
from include.review_server.settings import MOST_SECONDS

# No answers can be taken back for longer than that. A time farther away was written by a clock that has been
# put back since.
LONGEST_UNDO = timedelta(seconds=MOST_SECONDS["undo_seconds"])
_LONGEST_REASON = 1024
_LONGEST_REMARK = 120


def locked(session: Session, item_id: int) -> WorkItem | None:
    """The item, fresh and locked until the transaction ends. Always lock an item before its tasks."""
    return session.get(WorkItem, item_id, with_for_update=True, populate_existing=True)


def locked_all(session: Session, item_ids: Iterable[int]) -> list[WorkItem]:
    """The items that are still there, locked by one statement in one order.

    Lock all items of a batch before the first is moved on: ending a loop locks its flow definition's row, and
    whoever waited for another loop while holding that row could wait for ever.
    """
    query = select(WorkItem).where(WorkItem.id.in_(set(item_ids))).order_by(WorkItem.id).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def settle(session: Session, item: WorkItem, now: datetime, undo: timedelta = timedelta()) -> None:
    """Move the item on as far as its tasks and the clock say, and offer the places that are free.

    ``undo``: so long the answers can be taken back, from the moment that the last of them is in.
    """
    if item.status.is_terminal or item.status is ItemStatus.WRITING:
        return
    session.flush()
    tasks = session.execute(
        select(Task.status, Task.reason, Task.comment).where(Task.item_id == item.id).order_by(Task.ended_at)
    ).all()
    statuses = [task.status for task in tasks]
    answered = statuses.count(TaskStatus.ANSWERED)
    in_hand = statuses.count(TaskStatus.IN_HAND)
    if item.status is ItemStatus.STOPPING:
        item.vacancies, item.settles_at = 0, None
        if not in_hand and not answered:
            finish(session, item, ItemStatus.STOPPED, now)
        elif not in_hand:
            # What was submitted before the stop is still written; the delivery then ends the item.
            _write_result(session, item, now)
        return
    wanted = session.get_one(WorkQueue, item.queue_id).workers_per_item
    # A loop's place that was declined is offered to somebody else for as long as it is available. An object
    # that as many workers as were asked have declined has come to its end.
    declined = 0 if isinstance(item, HumanLoop) else statuses.count(TaskStatus.DECLINED)
    if answered < wanted:
        item.settles_at = None
    if answered >= wanted:
        item.vacancies = 0
        if item.settles_at is None:
            item.settles_at = min(now + undo, item.available_until)
        if not now < item.settles_at <= now + LONGEST_UNDO:
            _write(session, item, now)
    elif now >= item.available_until or (declined >= wanted and not in_hand):
        withdraw(session, item, now)
        if answered and not isinstance(item, HumanLoop):
            _write(session, item, now)
            return
        why = "the task's availability ended" if now >= item.available_until else f"{declined} had declined"
        reason = f"{answered} of {wanted} answers had come when {why}{_declined(tasks)}"
        finish(session, item, ItemStatus.FAILED, now, FailureCode.EXPIRED, reason)
    else:
        item.vacancies = wanted - sum(status in SEATED_TASKS for status in statuses)


def settles_now(now: datetime) -> ColumnElement[bool]:
    """Whether an item's answers, all in, become final (``settle``)."""
    return or_(WorkItem.settles_at <= now, WorkItem.settles_at > now + LONGEST_UNDO)


def stop(session: Session, item: WorkItem, now: datetime) -> None:
    """Withdraw the item. A task in hand may still be answered; one that is being written stays as it is."""
    if item.status is ItemStatus.IN_PROGRESS:
        item.status = ItemStatus.STOPPING
        settle(session, item, now)


def finish(
    session: Session,
    item: WorkItem,
    status: ItemStatus,
    now: datetime,
    failure_code: FailureCode | None = None,
    failure_reason: str | None = None,
) -> None:
    """Bring the item to a terminal status. The one place where it leaves flight."""
    item.status, item.vacancies, item.finished_at = status, 0, now
    item.failure_code, item.failure_reason = failure_code, failure_reason
    item.settles_at = None
    of_item = select(Task.id).where(Task.item_id == item.id)
    session.execute(
        delete(Draft).where(Draft.task_id.in_(of_item)).execution_options(synchronize_session=False)
    )
    if isinstance(item, ObjectItem):
        _end_object(session, item, status, failure_reason)
        return
    session.execute(
        update(FlowDefinition)
        .where(FlowDefinition.id == item.queue_id)
        .values(in_flight=FlowDefinition.in_flight - 1)
        .execution_options(synchronize_session=False)
    )
    if on_loop_end := session.info.get("on_loop_end"):
        on_loop_end(session, item)


def end_task(
    session: Session, task: Task, status: TaskStatus, now: datetime, keep_draft: bool = False
) -> None:
    """End a worker's turn; ``settle`` the item afterwards.

    What the worker had on the page is kept for the next turn of the same worker where time ended this one, or
    with ``keep_draft``, for as long as the item is open.
    """
    task.status, task.ended_at = status, now
    if status is not TaskStatus.EXPIRED and not keep_draft:
        session.execute(delete(Draft).where(Draft.task_id == task.id))
    tell_turn(session, task)


def tell_turn(session: Session, task: Task) -> None:
    """A worker's turn has begun or ended: for whoever wants to know in the same transaction."""
    if on_turn := session.info.get("on_turn"):
        on_turn(session, task)


def withdraw(session: Session, item: WorkItem, now: datetime) -> None:
    """Take the tasks in hand away from their workers; ``settle`` or ``stop`` the item afterwards."""
    held = select(Task).where(Task.item_id == item.id, Task.status == TaskStatus.IN_HAND)
    for task in session.scalars(held):
        end_task(session, task, TaskStatus.WITHDRAWN, now)


def _end_object(session: Session, item: ObjectItem, status: ItemStatus, failure_reason: str | None) -> None:
    """What the end of an item is to its object. One whose answers are in S3 is their writer's to move on."""
    data_object = session.get_one(DataObject, (item.job_id, item.number))
    if status is ItemStatus.STOPPED:
        data_object.status = ObjectStatus.UNLABELED
    elif status is ItemStatus.FAILED:
        data_object.status, data_object.failure_reason = ObjectStatus.FAILED, failure_reason
        session.execute(
            update(LabelingJob)
            .where(LabelingJob.id == item.job_id)
            .values(
                failed=LabelingJob.failed + 1, changes=LabelingJob.changes + 1, modified_at=item.finished_at
            )
            .execution_options(synchronize_session=False)
        )


def _write(session: Session, item: WorkItem, now: datetime) -> None:
    item.status, item.vacancies, item.settles_at = ItemStatus.WRITING, 0, None
    _write_result(session, item, now)


def _write_result(session: Session, item: WorkItem, now: datetime) -> None:
    if session.get(Delivery, item.id) is None:
        session.add(Delivery(item_id=item.id, due_at=now, attempts=0))


def _declined(tasks: Sequence[Row[TaskStatus, DeclineReason | None, str | None]]) -> str:
    """Who would rather not answer, and why, for whoever reads the failure; nothing when nobody declined."""
    declined = [task for task in tasks if task.status is TaskStatus.DECLINED]
    reasons = Counter(task.reason.said for task in declined if task.reason)
    if not reasons:
        return ""
    said = ", ".join(reason if count == 1 else f"{reason} ({count})" for reason, count in reasons.items())
    remarks = [f'"{task.comment[:_LONGEST_REMARK]}"' for task in declined if task.comment]
    remark = f"; {', '.join(remarks)}" if remarks else ""
    # The rest of the reason and the names of reasons are short: what is cut are remarks.
    return f"; declined by {len(declined)}: {said}{remark}"[: _LONGEST_REASON - 200]
