"""What people answered about the objects of a labeling job: as worker-response files, as the payload of a
consolidation request, and as values for the consolidation.

Answers leave byte for byte as they were submitted. Everything here follows from the tables alone, so that
writing it again after a crash changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.db.models import Answer, DataObject, LabelingJob, ObjectItem, Task, WorkItem
from include.review_server.db.statuses import ObjectStatus, TaskStatus
from include.review_server.labeling.layout import Layout
from include.review_server.work.answers import FAST_SECONDS, Identities, answers_of, spent
from include.review_server.work.outputs import Output

# Of the answers that are consolidated together: they are in memory several times over, and a worker may send
# sixteen megabytes (a label map, or anything else).
MOST_CHARACTERS = 32_000_000


@dataclass(frozen=True)
class Given:
    """What people answered about one object: worker id to ``answerContent`` as JSON text, in the order in
    which the answers came; ``last`` is when the last one did, and ``fast`` who took less than a second.
    """

    answers: Mapping[str, str]
    last: datetime
    fast: tuple[str, ...]


class WorkerResponses:
    """Makes the worker-response files of objects: the results of their items."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def output(self, session: Session, item: WorkItem) -> Output:
        job = session.get_one(LabelingJob, item.queue_id)
        data_object = _object_of(session, item)
        number, iteration = data_object.number, data_object.iteration or 0
        last = given(session, job.id, [number], "")[number].last
        return Output(
            Layout.of(job.output_path, job.name).worker_response(iteration, number, last),
            f'{{"answers":{jsontext.array(answers_of(session, item.id, self._identities))}}}',
            job.kms_key_id,
        )

    def written(self, session: Session, item: WorkItem, now: datetime) -> None:
        """The answers are in S3: they can be consolidated."""
        _object_of(session, item).status = ObjectStatus.ANSWERED


def given(session: Session, job_id: int, numbers: Iterable[int], prefix: str) -> dict[int, Given]:
    """What people answered about these objects. Workers are named with ``prefix`` before their id."""
    asked = ObjectItem.__table__
    rows = session.execute(
        select(asked.c.number, Task, Answer.content)
        .join(Task, Task.item_id == asked.c.id)
        .join(Answer, Answer.task_id == Task.id)
        .where(
            asked.c.job_id == job_id,
            asked.c.number.in_(list(numbers)),
            Task.status == TaskStatus.ANSWERED,
        )
        .order_by(asked.c.number, Task.ended_at, Task.id)
    )
    answers: dict[int, dict[str, str]] = defaultdict(dict)
    last: dict[int, datetime] = {}
    fast: dict[int, list[str]] = defaultdict(list)
    for number, task, content in rows:
        worker = f"{prefix}{task.worker_id}"
        answers[number][worker] = content
        last[number] = task.ended_at or task.accepted_at
        if spent(task.accepted_at, task.ended_at, task.active_milliseconds) < FAST_SECONDS:
            fast[number].append(worker)
    return {number: Given(answers[number], last[number], tuple(sorted(fast[number]))) for number in answers}


def fitting(session: Session, job_id: int, numbers: Sequence[int]) -> list[int]:
    """The first of these objects whose answers fit into memory together, one at least."""
    query = (
        select(ObjectItem.number, func.sum(func.length(Answer.content)))
        .join(Task, Task.item_id == ObjectItem.id)
        .join(Answer, Answer.task_id == Task.id)
        .where(ObjectItem.job_id == job_id, ObjectItem.number.in_(list(numbers)))
        .group_by(ObjectItem.number)
    )
    sizes: dict[int, int] = {row[0]: row[1] for row in session.execute(query)}
    total = 0
    for place, number in enumerate(numbers):
        total += sizes.get(number, 0)
        if place and total > MOST_CHARACTERS:
            return list(numbers[:place])
    return list(numbers)


def worker_prefix(region: str) -> str:
    """What stands before a worker's 16 hex digits in the files of labeling jobs."""
    return f"private.{region}."


def request_payload(lines: Mapping[int, Mapping[str, Any]], answered: Sequence[tuple[int, Given]]) -> str:
    """A consolidation request, as post-annotation functions read it: the answers are JSON within JSON."""
    return jsontext.dump(
        [
            {
                "datasetObjectId": str(number),
                "dataObject": _data_object(lines[number]),
                "annotations": [
                    {"workerId": worker, "annotationData": {"content": content}}
                    for worker, content in one.answers.items()
                ],
            }
            for number, one in answered
        ]
    )


def _data_object(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"s3Uri": line["source-ref"]} if "source-ref" in line else {"content": line.get("source")}


def response_payload(contents: Mapping[int, dict[str, Any]]) -> str:
    """A consolidation response: the labels that a group's answers came to."""
    return json.dumps(
        [
            {"datasetObjectId": str(number), "consolidatedAnnotation": {"content": content}}
            for number, content in contents.items()
        ]
    )


def _object_of(session: Session, item: WorkItem) -> DataObject:
    asked = session.get_one(ObjectItem, item.id)
    return session.get_one(DataObject, (asked.job_id, asked.number))
