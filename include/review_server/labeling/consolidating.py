"""From what people answered to labels: groups of objects are consolidated, and the labels stored.

A group is fixed in the database, with its time, before anything is written for it: at most fifty objects
whose answers are in S3, fewer where they are large. So a server that was killed does the same group again,
under the same keys and with the same bytes, and what has been stored is not done twice. Of several servers on
one database one consolidates a job's answers at a time: a function's second reply may differ, and the files
would not be those of the labels. A job of the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Consolidation,
    DataObject,
    LabelingJob,
    ObjectItem,
    ObjectLabel,
    ObjectLine,
    WorkItem,
)
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.consolidation import AnsweredObject, Consolidated
from include.review_server.labeling.ends import storable
from include.review_server.labeling.function_errors import FunctionAway, FunctionFailed
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.patience import Patience
from include.review_server.labeling.responses import (
    Given,
    fitting,
    given,
    request_payload,
    response_payload,
    worker_prefix,
)
from include.review_server.labeling.stages import begin_end, locked, running_jobs
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.work.background import in_turn

# As in the output of real jobs. How good each worker is gets estimated from a group's answers, so that larger
# groups make better labels: with fewer objects, the next answers are waited for this long.
MOST = 50
_GATHER = timedelta(seconds=30)
# How often a stopped job's function is asked while it is away: for about ten minutes.
LAST_ATTEMPT = 14


@dataclass(frozen=True)
class _Group:
    """Objects that are consolidated together. ``started_at`` is the time of their labels."""

    id: int
    iteration: int
    started_at: datetime
    stamp: datetime
    objects: Sequence[AnsweredObject]
    given: dict[int, Given]


class Consolidations:
    """Consolidates what has been answered."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arns: Arns,
        store: ObjectStore,
        functions: Functions,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._store = store
        self._functions = functions
        self._wake = wake
        self._workers = worker_prefix(arns.region)
        self._patience = Patience("consolidating answers")

    def consolidate(self) -> bool:
        """Job: a group of each job. Whether more is waiting."""
        with self._database.read() as session:
            jobs = [(JobView.of(job, self._arns), job.ends_as) for job in session.scalars(running_jobs())]
        return in_turn(
            [job for job in jobs if self._patience.is_over(job[0].id)], lambda job: self._alone(*job)
        )

    def _alone(self, view: JobView, ends_as: LabelingStatus | None) -> bool:
        with self._database.alone(f"consolidating labeling job {view.id}") as is_ours:
            return is_ours and self._one(view, ends_as)

    def _one(self, view: JobView, ends_as: LabelingStatus | None) -> bool:
        with self._database.read() as session:
            group = self._open_group(session, view)
            ready = group is not None or self._is_ready(session, view)
        if group is None and ready:
            group = self._begin_group(view)
        if group is None:
            return False
        try:
            labels = self._consolidated(view, group)
        except FunctionFailed as failure:
            self._give_up(view, group, str(failure))
            self._wake()
            return True
        except (FunctionAway, *S3_ERRORS) as error:
            if isinstance(error, FunctionAway) and self._is_enough(view, ends_as):
                self._give_up(view, group, str(error))
                self._wake()
                return True
            self._patience.failed(view.id, view.name, error)
            return False
        self._patience.worked(view.id)
        self._store_labels(view, group, labels)
        self._wake()
        return True

    def _is_enough(self, view: JobView, ends_as: LabelingStatus | None) -> bool:
        """Whether a job that is to end waits no more for its function: one that fails, as after thirty days,
        and one that was stopped, perhaps because the function will never come back.
        """
        stopped = ends_as is LabelingStatus.STOPPED and self._patience.attempts(view.id) >= LAST_ATTEMPT
        return stopped or ends_as is LabelingStatus.FAILED

    def _is_ready(self, session: Session, view: JobView) -> bool:
        """Whether a group is full, nothing more will come to it, or its first object has waited enough."""
        # The tables alone: for the class SQLite reads all items of all batches first.
        asked, items = ObjectItem.__table__, WorkItem.__table__
        waiting = (
            select(func.count(), func.min(items.c.finished_at))
            .select_from(DataObject)
            .join(asked, and_(asked.c.job_id == DataObject.job_id, asked.c.number == DataObject.number))
            .join(items, items.c.id == asked.c.id)
            .where(*_answered(view.id))
        )
        count, oldest = session.execute(waiting).one()
        if count == 0:
            return False
        out = select(DataObject.number).where(
            DataObject.job_id == view.id, DataObject.status == ObjectStatus.ASKED
        )
        return (
            count >= MOST
            or (oldest is not None and oldest <= self._clock() - _GATHER)
            or session.scalars(out.limit(1)).first() is None
        )

    def _begin_group(self, view: JobView) -> _Group | None:
        with self._database.write() as session:
            job = locked(session, view.id)
            numbers = list(
                session.scalars(
                    select(DataObject.number)
                    .where(*_answered(view.id))
                    .order_by(DataObject.number)
                    .limit(MOST)
                )
            )
            if not numbers:
                return None
            numbers = fitting(session, job.id, numbers)
            now = self._clock()
            last = session.scalars(
                select(func.max(Consolidation.stamp)).where(Consolidation.job_id == job.id)
            ).one()
            # File names have whole seconds: the next one that no file has.
            stamp = now.replace(microsecond=0)
            if last is not None:
                stamp = max(stamp, last + timedelta(seconds=1))
            first = session.get_one(DataObject, (job.id, numbers[0]))
            row = Consolidation(
                job_id=job.id, iteration=first.iteration or job.iteration, started_at=now, stamp=stamp
            )
            session.add(row)
            session.flush()
            session.execute(
                update(DataObject)
                .where(DataObject.job_id == job.id, DataObject.number.in_(numbers))
                .values(consolidation_id=row.id)
            )
            return self._group(session, view, row)

    def _open_group(self, session: Session, view: JobView) -> _Group | None:
        query = select(Consolidation).where(Consolidation.job_id == view.id, Consolidation.ended_at.is_(None))
        row = session.scalars(query.order_by(Consolidation.id).limit(1)).first()
        return self._group(session, view, row) if row else None

    def _group(self, session: Session, view: JobView, row: Consolidation) -> _Group:
        lines = session.execute(
            select(ObjectLine.number, ObjectLine.content)
            .join(
                DataObject,
                and_(ObjectLine.job_id == DataObject.job_id, ObjectLine.number == DataObject.number),
            )
            .where(DataObject.consolidation_id == row.id)
            .order_by(ObjectLine.number)
        )
        parsed = {number: jsontext.parse(line) for number, line in lines}
        answers = given(session, view.id, parsed, self._workers)
        objects = [
            AnsweredObject(
                number,
                line,
                {worker: jsontext.parse(text) for worker, text in answers[number].answers.items()},
            )
            for number, line in parsed.items()
        ]
        return _Group(row.id, row.iteration, row.started_at, row.stamp, objects, answers)

    def _consolidated(self, view: JobView, group: _Group) -> list[Consolidated]:
        """Ask the function, with everything that it may read in S3, and write what it says there too."""
        layout = view.output
        request = layout.consolidation_request(group.iteration, group.stamp)
        lines = {one.number: one.line for one in group.objects}
        payload = request_payload(lines, list(group.given.items()))
        self._store.put_json(request, payload, view.kms_key_id)
        responses = {
            number: layout.worker_response(group.iteration, number, one.last).uri
            for number, one in group.given.items()
        }
        labels = self._functions.consolidated(view, request, group.objects, responses, group.started_at)
        for label in labels:
            for name, body in label.files:
                self._store.put_bytes(layout.consolidated_file(name), body, "image/png", view.kms_key_id)
        contents = {label.number: label.content for label in labels if label.content is not None}
        response = layout.consolidation_response(group.iteration, group.stamp)
        self._store.put_json(response, response_payload(contents), view.kms_key_id)
        return labels

    def _store_labels(self, view: JobView, group: _Group, labels: list[Consolidated]) -> None:
        found = {label.number: label for label in labels}
        with self._database.write() as session:
            job = locked(session, view.id)
            if not self._end_group(session, group):
                return
            job.modified_at = self._clock()
            for one in group.objects:
                label = found.get(one.number)
                if label is not None and label.content is not None:
                    content = _marked(label.content, view.label_attribute, group.given[one.number].fast)
                    _label(session, job, one.number, content)
                else:
                    reason = label.failure_reason if label else "its answers came to no label"
                    _fail(session, job, one.number, reason or "its answers came to no label")

    def _give_up(self, view: JobView, group: _Group, reason: str) -> None:
        """The function failed for good: the job fails, and these objects with it."""
        with self._database.write() as session:
            job = locked(session, view.id)
            if self._end_group(session, group):
                for one in group.objects:
                    _fail(session, job, one.number, reason)
            begin_end(session, job, LabelingStatus.FAILED, self._clock(), reason)

    def _end_group(self, session: Session, group: _Group) -> bool:
        """Whether the group is ours to end: another server on this database may have been faster."""
        row = session.get_one(Consolidation, group.id, populate_existing=True)
        if row.ended_at is not None:
            return False
        row.ended_at = self._clock()
        return True


def _answered(job_id: int) -> tuple[Any, ...]:
    return (
        DataObject.job_id == job_id,
        DataObject.status == ObjectStatus.ANSWERED,
        DataObject.consolidation_id.is_(None),
    )


def _marked(content: dict[str, Any], attribute: str, fast: tuple[str, ...]) -> dict[str, Any]:
    """The label, whose metadata names the workers who answered sooner than anybody looks at an object: the
    loop's manifests of human loops have the same. Ground Truth has not, and readers pass over what is more.
    """
    name = f"{attribute}-metadata"
    return content | {name: content[name] | {"answered-too-fast": list(fast)}} if fast else content


def _label(session: Session, job: LabelingJob, number: int, content: dict[str, Any]) -> None:
    session.add(ObjectLabel(job_id=job.id, number=number, content=jsontext.dump(content)))
    session.get_one(DataObject, (job.id, number)).status = ObjectStatus.LABELED
    job.human_labeled += 1
    job.changes += 1


def _fail(session: Session, job: LabelingJob, number: int, reason: str) -> None:
    data_object = session.get_one(DataObject, (job.id, number))
    data_object.status, data_object.failure_reason = ObjectStatus.FAILED, storable(reason)
    job.failed += 1
    job.changes += 1
