"""Initializing: a labeling job's files are read from S3, once, and become rows. Then it is InProgress.

A job of the background, in bounded steps: first the categories, the template and which version of the
manifest it is; then the manifest, a piece at a time, each in the transaction that says how far it has been
read. So memory holds one piece, and a server that is killed goes on with the next one. What is wrong with a
line fails its object; what nobody could work with fails the job, with a reason for whoever made it. An S3
that does not answer is asked again, for thirty days.

A job that is left InProgress has a ``DataObject`` and an ``ObjectLine`` for each line, numbered from 0
without gaps; ``objects``, ``existing`` and ``failed`` are counted, ``iteration`` is 0, and it is open for
workers. One that is stopped before has asked nobody and writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, HumanTaskUi, LabelingJob, ObjectLine
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.errors import RenderBusy
from include.review_server.labeling.auto.algorithms import too_few
from include.review_server.labeling.ends import end_job, storable
from include.review_server.labeling.input_files import CannotLabel, InputFiles
from include.review_server.labeling.input_lines import BadManifest, InputLine, cut, judged
from include.review_server.labeling.stages import LONGEST
from include.review_server.labeling.task_types import TASK_TYPES, TaskType
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.templates.first_look import first_look
from include.review_server.templates.render_pool import RenderPool
from include.review_server.work.background import in_turn
from include.review_server.work.complaints import complain

log = logging.getLogger(__name__)

# Of one job, by the developer guide's "Input Data Quotas".
MOST_OBJECTS = 100_000
MOST_SEGMENTATION_OBJECTS = 20_000
# A piece of the manifest, larger than the longest line that is allowed.
PIECE_BYTES = 1024 * 1024

_NEVER_READ = (
    "ClientError: a labeling job may take 30 days, and the files that it names could not be read in that "
    "time. Nobody was asked: when S3 answers, start another job. The last error"
)

# Of one piece. S3 is asked about each, and other jobs wait meanwhile.
MOST_BUCKETS = 100


@dataclass(frozen=True)
class _Job:
    """What a step must know of a job, read once."""

    id: int
    status: LabelingStatus
    created_at: datetime
    kind: TaskType | None
    attribute: str
    automated: bool
    files: InputFiles
    etag: str | None
    size: int
    read: int

    @property
    def where(self) -> str:
        return f"the manifest {self.files.manifest.uri}"


class Initializing:
    """Takes jobs from Initializing to InProgress, Failed or Stopped."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        store: ObjectStore,
        renderers: RenderPool,
        least_automated: int,
        wake: Callable[[], None] = lambda: None,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self._renderers = renderers
        self._least_automated = least_automated
        self._wake = wake
        self._piece_bytes = piece_bytes
        self._told: set[int] = set()

    def initialize(self) -> bool:
        """Job: one step of each job that is not initialized. Whether more is waiting."""
        with self._database.read() as session:
            jobs = [self._job(row) for row in session.scalars(_uninitialized())]
        return in_turn(jobs, self._step)

    def _job(self, row: LabelingJob) -> _Job:
        request = json.loads(row.request)
        return _Job(
            id=row.id,
            status=row.status,
            created_at=row.created_at,
            kind=TASK_TYPES.get(row.task_type or ""),
            attribute=row.label_attribute,
            automated="LabelingJobAlgorithmsConfig" in request,
            files=InputFiles(self._store, self._renderers, request),
            etag=row.manifest_etag,
            size=row.manifest_bytes,
            read=row.manifest_read,
        )

    def _step(self, job: _Job) -> bool:
        if job.status is LabelingStatus.STOPPING:
            return self._end(job, LabelingStatus.STOPPED)
        try:
            if job.etag is None:
                self._begin(job)
            elif job.read < job.size:
                self._read_on(job, job.etag)
            else:
                self._finish(job)
        except CannotLabel as error:
            return self._end(job, LabelingStatus.FAILED, f"ClientError: {error}")
        except (*S3_ERRORS, RenderBusy) as error:
            if self._clock() - job.created_at >= LONGEST:
                return self._end(job, LabelingStatus.FAILED, f"{_NEVER_READ}: {error}")
            if job.id not in self._told:  # asked again every time, told once
                log.warning("a labeling job stays Initializing: %s", error)
                self._told.add(job.id)
            return False
        self._told.discard(job.id)
        return True

    def _begin(self, job: _Job) -> None:
        """Read the small files, and pin the manifest."""
        job.files.check_output()
        names, template = job.files.categories(job.kind), job.files.template()
        found = first_look(self._renderers, self._database, template)
        etag, size = job.files.pin_manifest()
        with self._locked(job) as (session, row):
            # Another server of the same database may be reading the version that it found.
            if row is None or row.manifest_etag is not None:
                return
            ui = session.get_one(HumanTaskUi, row.human_task_ui_id)
            ui.content, ui.content_sha256 = template, hashlib.sha256(template.encode()).hexdigest()
            row.categories = json.dumps(names)
            for message in found:
                complain(session, row.id, message, self._clock())
            row.manifest_etag, row.manifest_bytes = etag, size

    def _read_on(self, job: _Job, etag: str) -> None:
        """The next piece of the manifest."""
        piece = job.files.piece(etag, job.read, self._piece_bytes)
        try:
            texts, used = cut(piece, job.read == 0, job.read + len(piece) >= job.size)
            lines = [judged(text, job.attribute, job.kind) for text in texts]
        except BadManifest as error:
            raise CannotLabel(f"{job.where}: {error}") from None
        lines = self._with_readable_images(lines)
        with self._locked(job) as (session, row):
            # Another server of the same database may have read this piece meanwhile.
            if row is None or row.manifest_read != job.read:
                return
            first = _next_number(session, job.id)
            most = MOST_SEGMENTATION_OBJECTS if job.kind and job.kind.attribute_ends_ref else MOST_OBJECTS
            if first + len(lines) > most:
                raise CannotLabel(
                    f"{job.where} has more than {most:,} objects: split it, and start a job for each part"
                )
            _insert(session, job.id, first, lines)
            row.manifest_read = job.read + used

    def _with_readable_images(self, lines: Sequence[InputLine]) -> list[InputLine]:
        """The same lines; objects whose picture no browser may read fail."""
        buckets = {line.image.bucket for line in lines if line.image}
        if len(buckets) > MOST_BUCKETS:
            raise CannotLabel(
                f"the images of one part of the manifest lie in {len(buckets):,} buckets; {MOST_BUCKETS} are "
                "allowed"
            )
        problems = {bucket: self._store.cors_problem(bucket) for bucket in buckets}
        return [
            InputLine(line.text, problem=f"source-ref: {problem}")
            if line.image and (problem := problems[line.image.bucket])
            else line
            for line in lines
        ]

    def _finish(self, job: _Job) -> None:
        """Everything is read: count it, and open the job for people."""
        with self._locked(job) as (session, row):
            if row is None:
                return
            counts = _counts(session, job.id)
            failed, total = counts.get(ObjectStatus.FAILED, 0), sum(counts.values())
            if total == 0:
                raise CannotLabel(f"{job.where} has no objects: its lines are blank")
            if failed == total:
                reason = session.get_one(DataObject, (job.id, 0)).failure_reason
                raise CannotLabel(
                    f"none of the {total:,} objects of {job.where} can be labeled; the first: {reason}"
                )
            unlabeled = counts.get(ObjectStatus.UNLABELED, 0)
            if job.automated and (problem := too_few(unlabeled, self._least_automated)):
                raise CannotLabel(f"{job.where}: {problem}")
            row.objects, row.existing, row.failed = total, counts.get(ObjectStatus.EXISTING, 0), failed
            row.status, row.is_open, row.modified_at = LabelingStatus.IN_PROGRESS, True, self._clock()
        self._wake()

    def _end(self, job: _Job, status: LabelingStatus, reason: str | None = None) -> bool:
        """End a job that has asked nobody: what was read of its manifest goes."""
        with self._database.write() as session:
            row = session.get(LabelingJob, job.id, with_for_update=True, populate_existing=True)
            # One that was stopped meanwhile is ended as such by the next step.
            if row is not None and row.status is job.status:
                for table in (ObjectLine, DataObject):
                    session.execute(delete(table).where(table.job_id == job.id))
                end_job(session, row, status, self._clock(), reason)
        return True

    @contextmanager
    def _locked(self, job: _Job) -> Iterator[tuple[Session, LabelingJob | None]]:
        """A transaction on the job's row; None when the job is no more Initializing."""
        with self._database.write() as session:
            row = session.get(LabelingJob, job.id, with_for_update=True, populate_existing=True)
            yield session, row if row and row.status is LabelingStatus.INITIALIZING else None


def _uninitialized() -> Select[LabelingJob]:
    stopped = and_(LabelingJob.status == LabelingStatus.STOPPING, LabelingJob.objects == 0)
    waiting = LabelingJob.status == LabelingStatus.INITIALIZING
    return select(LabelingJob).where(or_(waiting, stopped)).order_by(LabelingJob.id)


def _next_number(session: Session, job_id: int) -> int:
    last = session.scalars(select(func.max(DataObject.number)).where(DataObject.job_id == job_id)).one()
    return 0 if last is None else last + 1


def _counts(session: Session, job_id: int) -> dict[ObjectStatus, int]:
    query = select(DataObject.status, func.count()).where(DataObject.job_id == job_id)
    return {row[0]: row[1] for row in session.execute(query.group_by(DataObject.status))}


def _insert(session: Session, job_id: int, first: int, lines: Sequence[InputLine]) -> None:
    if not lines:
        return
    objects = [
        {
            "job_id": job_id,
            "number": number,
            "status": _status(line),
            "failure_reason": line.problem and storable(line.problem),
        }
        for number, line in enumerate(lines, first)
    ]
    session.execute(insert(DataObject), objects)
    contents = [
        {"job_id": job_id, "number": number, "content": line.text} for number, line in enumerate(lines, first)
    ]
    session.execute(insert(ObjectLine), contents)


def _status(line: InputLine) -> ObjectStatus:
    if line.problem is not None:
        return ObjectStatus.FAILED
    return ObjectStatus.EXISTING if line.is_labeled else ObjectStatus.UNLABELED
