"""Which task a worker gets next, and which item would be next after it.

Works in the caller's transaction. ``others`` are the items that other workers' pages have fetched ahead
(``ahead.Hints``): they are passed over as long as there is anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from include.review_server.db.models import ItemInput, Task, WorkItem, WorkQueue
from include.review_server.errors import Forbidden, UnknownTask
from include.review_server.work.ahead import Ahead, AheadInput
from include.review_server.work.offers import offered, queues_of
from include.review_server.work.seats import held, seat
from include.review_server.work.views import TaskView, task_view


def next_task(
    session: Session,
    worker_id: str,
    key: str | None,
    prefer: str | None,
    others: Sequence[int],
    now: datetime,
) -> tuple[TaskView, bool] | None:
    """The task in hand and False, else a new one and True (``Tasks.take``)."""
    queues = _queues(session, worker_id, key)
    if key is not None and not queues:
        raise UnknownTask(f"your teams have no open queue {key}")
    numbers = [queue.id for queue in queues]
    mine = held(worker_id, now).where(Task.queue_id.in_(numbers)).order_by(Task.accepted_at).limit(1)
    if task := session.scalars(mine).one_or_none():
        return task_view(session, task), False
    for queue, wanted in _wishes(session, queues, prefer, others):
        # Oldest first; a row that another worker is taking at this moment is passed over.
        items = offered(queue.id, worker_id, now).where(wanted).order_by(WorkItem.id).limit(1)
        item = session.scalars(items.with_for_update(skip_locked=True, of=WorkItem)).one_or_none()
        if item is not None:
            return task_view(session, seat(session, queue, item, worker_id, now)), True
    return None


def next_ahead(
    session: Session, worker_id: str, key: str | None, others: Sequence[int], now: datetime
) -> Ahead | None:
    """The item that the worker would most likely be given next."""
    for queue in _queues(session, worker_id, key):
        items = offered(queue.id, worker_id, now).where(WorkItem.id.not_in(others))
        item = session.scalars(items.order_by(WorkItem.id).limit(1)).one_or_none()
        if item is not None:
            return Ahead(item.id, str(item.id), item.title, queue.key)
    return None


def input_ahead(session: Session, worker_id: str, item_id: int, now: datetime) -> AheadInput:
    """What an item is shown from, while it is the worker's or offered; ``Forbidden`` otherwise."""
    item = session.get(WorkItem, item_id)
    if item is not None:
        place = offered(item.queue_id, worker_id, now).where(WorkItem.id == item_id)
        of_worker = any(queue.id == item.queue_id for queue in queues_of(session, worker_id))
        in_hand = session.scalars(held(worker_id, now).where(Task.item_id == item_id)).first()
        if of_worker and (in_hand is not None or session.scalars(place).first() is not None):
            return AheadInput(item.queue_id, session.get_one(ItemInput, item_id).content)
    raise Forbidden("this task is not offered to you any more: take the next one")


def _queues(session: Session, worker_id: str, key: str | None) -> list[WorkQueue]:
    return [queue for queue in queues_of(session, worker_id) if key in (None, queue.key)]


def _wishes(
    session: Session, queues: Sequence[WorkQueue], prefer: str | None, others: Sequence[int]
) -> Iterator[tuple[WorkQueue, ColumnElement[bool]]]:
    """Where to look for the next item, and for which: what the page has fetched, then what nobody else's
    page has, then any.
    """
    if prefer and prefer.isascii() and prefer.isdigit() and len(prefer) < 19:
        wished = session.get(WorkItem, int(prefer))
        for queue in queues:
            if wished is not None and wished.queue_id == queue.id:
                yield queue, WorkItem.id == wished.id
    for queue in queues:
        if others:
            yield queue, WorkItem.id.not_in(others)
        yield queue, true()
