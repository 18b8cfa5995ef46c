"""The manifests that a labeling job writes, ``output.manifest`` and that of each batch, from the tables.

Both are streamed: some hundred lines are in memory at a time, however many objects there are. A line of the
input leaves byte for byte as it came; its label is put behind its own keys. It knows the tables and
``ObjectStore``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, select

from include.review_server import jsontext
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, ObjectLabel, ObjectLine
from include.review_server.db.statuses import ObjectStatus
from include.review_server.labeling.jobs import JobView
from include.review_server.s3 import ObjectStore

_DECODER = json.JSONDecoder()
_TOKEN = re.compile(r"[ \t\r\n]*([{},:])[ \t\r\n]*")

# A line has at most 100,000 characters, and its label perhaps as many.
_PAGE = 200
_CUSTOM = "groundTruth/custom"
_KIND = "application/jsonlines"


class Manifests:
    """Writes a job's manifests as they are now. Every method raises ``S3_ERRORS``."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store

    def write(self, job: JobView) -> None:
        """Rewrite output.manifest: every line in its order, with its label if it has one by now."""
        lines = (
            labelled_line(job, row.line, row.status, row.label, row.failure_reason) for row in self._rows(job)
        )
        self._store.put_lines(job.output.output_manifest, lines, _KIND, job.kms_key_id)

    def write_intermediate(self, job: JobView, iteration: int) -> None:
        """Rewrite the manifest of one batch: the same lines, each with its ``datasetObjectId``."""
        lines = (
            _spliced(
                labelled_line(job, row.line, row.status, row.label, row.failure_reason),
                {"datasetObjectId": json.dumps(str(row.number))},
            )
            for row in self._rows(job, iteration)
        )
        self._store.put_lines(job.output.intermediate(iteration), lines, _KIND, job.kms_key_id)

    def _rows(self, job: JobView, iteration: int | None = None) -> Iterator[Any]:
        """The objects in their order, a page in each transaction: a reader that holds one for the minutes
        that a hundred thousand lines take would keep SQLite's log from being taken up.
        """
        same = and_(ObjectLabel.job_id == DataObject.job_id, ObjectLabel.number == DataObject.number)
        query = (
            select(
                DataObject.number,
                DataObject.status,
                DataObject.failure_reason,
                ObjectLine.content.label("line"),
                ObjectLabel.content.label("label"),
            )
            .join(
                ObjectLine,
                and_(ObjectLine.job_id == DataObject.job_id, ObjectLine.number == DataObject.number),
            )
            .outerjoin(ObjectLabel, same)
            .where(DataObject.job_id == job.id)
            .order_by(DataObject.number)
            .limit(_PAGE)
        )
        if iteration is not None:
            query = query.where(DataObject.iteration == iteration)
        after = -1
        while True:
            with self._database.read() as session:
                rows = session.execute(query.where(DataObject.number > after)).all()
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1].number


def labelled_line(
    job: JobView, line: str, status: ObjectStatus, label: str | None, failure_reason: str | None
) -> str:
    """A line of the output. ``label`` is a JSON object of the label attribute and its metadata.

    An object that failed keeps its keys and has ``failure-reason`` in the label's metadata, without a label;
    a line that is no JSON object, and so failed, is copied.
    """
    if label is not None:
        return _spliced(line, _members(label))
    if status is not ObjectStatus.FAILED:
        return line
    metadata = {
        "failure-reason": failure_reason or "",
        "type": job.task_type.output_type if job.task_type else _CUSTOM,
        "job-name": job.metadata_name,
    }
    return _spliced(line, {f"{job.label_attribute}-metadata": jsontext.dump(metadata)})


def _spliced(line: str, added: dict[str, str]) -> str:
    """The line with these members (JSON texts) behind its own; one of the same name gives way."""
    try:
        own = _members(line)
    except (ValueError, RecursionError):
        return line
    kept = {name: text for name, text in own.items() if name not in added}
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in (kept | added).items()) + "}"


def _members(line: str) -> dict[str, str]:
    """The members of a JSON object, each as the text that it came as. ``ValueError`` for anything else.

    The text is kept because reading and writing it again would lose what Python's floats cannot hold.
    """
    found: dict[str, str] = {}
    mark, position = _token(line, 0)
    if mark == "{" and line[position:].strip() == "}":
        return found
    while mark in ("{", ","):
        name, position = _DECODER.raw_decode(line, position)
        colon, start = _token(line, position)
        _, position = _DECODER.raw_decode(line, start)
        if not isinstance(name, str) or colon != ":":
            raise ValueError(f"no JSON object at character {position}")
        found[name] = line[start:position]
        mark, position = _token(line, position)
    if mark != "}" or line[position:].strip():
        raise ValueError(f"no JSON object at character {position}")
    return found


def _token(line: str, position: int) -> tuple[str, int]:
    """The next brace, comma or colon, and where what follows it begins."""
    found = _TOKEN.match(line, position)
    return (found[1], found.end()) if found else ("", position)
