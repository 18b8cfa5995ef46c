"""The objects of a batch on their way to people: each with what its pre-annotation function says of it.

The function may be slow or away (a Lambda): it is asked outside of any transaction, and its reply is stored
with the item that offers the object, once for good. It is paid for, too: of several servers on one database
one asks at a time. A job of the background.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, ItemInput, LabelingJob, ObjectItem, ObjectLine
from include.review_server.db.statuses import ItemStatus, LabelingStatus, ObjectStatus
from include.review_server.labeling.function_errors import FunctionAway, FunctionFailed
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.patience import Patience
from include.review_server.labeling.stages import begin_end, locked, not_offered, running_jobs
from include.review_server.s3 import S3_ERRORS
from include.review_server.work.background import in_turn

_AT_ONCE = 50


class Offering:
    """Makes items of the objects that were chosen."""

    def __init__(
        self, database: Database, clock: Clock, arns: Arns, functions: Functions, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._functions = functions
        self._wake = wake
        self._patience = Patience("asking the pre-annotation function")
        # The latest batch of each job of which every object is out: a new process finds it out again.
        self._out: dict[int, int] = {}

    def offer(self) -> bool:
        """Job: offer objects of the batches that are out to people. Whether more is waiting."""
        with self._database.read() as session:
            views = [
                JobView.of(job, self._arns) for job in session.scalars(running_jobs()) if job.ends_as is None
            ]
        return in_turn([view for view in views if self._out.get(view.id, 0) != view.iteration], self._offer)

    def _offer(self, view: JobView) -> bool:
        if not self._patience.is_over(view.id):
            return False
        with self._database.alone(f"offering objects of labeling job {view.id}") as is_ours:
            return is_ours and self._offer_some(view)

    def _offer_some(self, view: JobView) -> bool:
        lines = self._lines(view)
        if not lines:
            self._out[view.id] = view.iteration
            return False
        try:
            inputs = {number: self._functions.task_input(view, line) for number, line in lines.items()}
        except FunctionFailed as failure:
            with self._database.write() as session:
                job = locked(session, view.id)
                begin_end(session, job, LabelingStatus.FAILED, self._clock(), str(failure))
            self._wake()
            return True
        except (FunctionAway, *S3_ERRORS) as error:
            self._patience.failed(view.id, view.name, error)
            return False
        self._patience.worked(view.id)
        with self._database.write() as session:
            job = locked(session, view.id)
            if job.ends_as is None:
                self._store(session, job, inputs)
        # When nobody need look at any of them, the batch is over.
        self._wake()
        return True

    def _lines(self, view: JobView) -> dict[int, dict[str, Any]]:
        query = (
            not_offered(view.id)
            .join(
                ObjectLine,
                and_(ObjectLine.job_id == DataObject.job_id, ObjectLine.number == DataObject.number),
            )
            .add_columns(ObjectLine.content)
            .limit(_AT_ONCE)
        )
        with self._database.read() as session:
            return {number: jsontext.parse(line) for number, line in session.execute(query)}

    def _store(self, session: Session, job: LabelingJob, inputs: dict[int, dict[str, Any] | None]) -> None:
        now = self._clock()
        # Another server on this database may have been faster.
        waiting = set(session.scalars(not_offered(job.id).where(DataObject.number.in_(inputs))))
        for number in sorted(waiting):
            task_input = inputs[number]
            if task_input is None:
                session.get_one(DataObject, (job.id, number)).status = ObjectStatus.PASSED
            else:
                _offer_object(session, job, number, jsontext.dump(task_input), now)


def _offer_object(session: Session, job: LabelingJob, number: int, content: str, now: datetime) -> None:
    item = ObjectItem(
        queue_id=job.id,
        job_id=job.id,
        number=number,
        status=ItemStatus.IN_PROGRESS,
        vacancies=job.workers_per_item,
        created_at=now,
        available_until=now + timedelta(seconds=job.availability_seconds),
    )
    session.add(item)
    session.flush()
    session.add(ItemInput(item_id=item.id, content=content))
