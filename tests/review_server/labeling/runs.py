"""A labeling job in the tables as CreateLabelingJob and its initializing leave it, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, HumanTaskUi, LabelingJob, ObjectLine
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from tests.review_server.rig import TEMPLATE


def lines(count: int) -> list[str]:
    return [f'{{"source":"object {number}","price":1.10}}' for number in range(count)]


def insert_job(
    database: Database,
    name: str,
    bucket: str,
    objects: Sequence[str],
    team: str = "team",
    **changes: Any,
) -> int:
    """A job that is InProgress; its id. ``changes`` are columns, or members of the request."""
    columns = [
        *LabelingJob.__table__.columns.keys(),
        "workers_per_item",
        "availability_seconds",
        "created_at",
    ]
    request: dict[str, Any] = {
        "LabelingJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "OutputConfig": {"S3OutputPath": f"s3://{bucket}/gt/"},
        "HumanTaskConfig": changes.pop("HumanTaskConfig", {}),
    } | {key: value for key, value in changes.items() if key not in columns}
    values: dict[str, Any] = {
        "name": name,
        "key_name": name.lower(),
        "status": LabelingStatus.IN_PROGRESS,
        "is_open": True,
        "created_at": utc_now(),
        "modified_at": utc_now(),
        "reference_code": f"000000000000{name}",
        "request": json.dumps(request),
        "task_type": None,
        "label_attribute": "verdict",
        "categories": "[]",
        "objects": len(objects),
        "workteam_name": team,
        "title": "t",
        "description": "d",
        "workers_per_item": 1,
        "availability_seconds": 9_999,
        "time_limit_seconds": 9_999,
        "output_path": f"s3://{bucket}/gt/",
    }
    with database.write() as session:
        ui = HumanTaskUi(name=f"ui-{name}", content=TEMPLATE, content_sha256="0", created_at=utc_now())
        session.add(ui)
        session.flush()
        known = {key: value for key, value in changes.items() if key in columns}
        job = LabelingJob(**values | known | {"human_task_ui_id": ui.id})
        session.add(job)
        session.flush()
        for number, line in enumerate(objects):
            session.add(DataObject(job_id=job.id, number=number, status=ObjectStatus.UNLABELED))
            session.add(ObjectLine(job_id=job.id, number=number, content=line))
        return job.id


class Output:
    """The files of a job in S3."""

    def __init__(self, s3: Any, bucket: str, name: str) -> None:
        self._s3, self._bucket, self._root = s3, bucket, f"gt/{name}/"

    def keys(self, below: str = "") -> list[str]:
        """The keys, without the job's directory."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._root + below
        )
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return sorted(key.removeprefix(self._root) for key in found)

    def text(self, key: str) -> str:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=self._root + key)["Body"].read()
        return body.decode()

    def json(self, key: str) -> Any:
        return json.loads(self.text(key))

    def manifest(self) -> list[dict[str, Any]]:
        text = self.text("manifests/output/output.manifest")
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def objects_by_iteration(self) -> dict[int, set[int]]:
        """The objects that people answered about, as the worker-response keys tell."""
        found: dict[int, set[int]] = {}
        for key in self.keys("annotations/worker-response/"):
            _, _, iteration, number, _ = key.split("/")
            found.setdefault(int(iteration.removeprefix("iteration-")), set()).add(int(number))
        return found
