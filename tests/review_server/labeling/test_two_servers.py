"""Two servers on one PostgreSQL database run the same labeling jobs."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from include.review_server.app import create_review
from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, LabelingJob, ObjectLabel
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.output import Manifests
from include.review_server.labeling.publishing import Publishing
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings
from tests.review_server.labeling.killed import joined
from tests.review_server.labeling.runs import Output, insert_job, lines
from tests.review_server.labeling.test_machine import Planned
from tests.support.cloud import LocalCloud, eventually
from tests.support.postgresql import PostgreSQL

_ARN = "arn:aws:lambda:us-east-1:111122223333:function:{}"
_calls: dict[str, list[str]] = {"before": [], "after": []}


def before(event: Any, context: Any) -> Any:
    """A function that takes its time."""
    _calls["before"].append(event["dataObject"]["source"])
    time.sleep(0.03)
    return {"taskInput": event["dataObject"]}


def after(event: Any, context: Any) -> Any:
    """One that says something else each time."""
    labels = joined(event, context)
    for label in labels:
        _calls["after"].append(label["datasetObjectId"])
        label["consolidatedAnnotation"]["content"]["verdict"] = uuid.uuid4().hex
    time.sleep(0.2)
    return labels


def test_an_object_is_put_to_each_function_once_and_the_files_are_those_of_the_labels(
    cloud: LocalCloud, postgresql: PostgreSQL, bucket: str, tmp_path: Path
):
    functions = tuple(f"{name}={__name__}:{name}" for name in _calls)
    settings = _settings(cloud, tmp_path, postgresql.database(), labeling_functions=functions)
    servers = [create_review(settings) for _ in range(2)]
    database = servers[0].database
    database.upgrade()
    for calls in _calls.values():
        calls.clear()
    for name in ("ann", "ben"):
        servers[0].accounts.add(name, "team")
    config = {
        "MaxConcurrentTaskCount": 6,
        "PreHumanTaskLambdaArn": _ARN.format("before"),
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": _ARN.format("after")},
    }
    job_id = insert_job(database, "two", bucket, lines(12), workers_per_item=2, HumanTaskConfig=config)
    shown: list[tuple[str, str]] = []

    def ended() -> bool:
        for server in servers:
            for member in server.accounts.members():
                if found := server.tasks.take(member.worker_id):
                    source = json.loads(found[0].input)["source"]
                    shown.append((member.name, source))
                    server.tasks.answer(
                        member.worker_id, found[0].id, json.dumps({"said": f"{member.name} of {source}"})
                    )
            server.wake()
        return _job(database, job_id).status.is_terminal

    for server in servers:
        server.background.start()
    eventually(ended, within=300)
    for server in servers:
        server.background.stop()
    assert _job(database, job_id).status is LabelingStatus.COMPLETED

    assert sorted(shown) == sorted(
        (name, f"object {number}") for name in ("ann", "ben") for number in range(12)
    )
    assert sorted(_calls["before"]) == sorted(f"object {number}" for number in range(12))
    assert sorted(map(int, _calls["after"])) == list(range(12))
    output = Output(cloud.client("s3"), bucket, "two")
    labels = {
        int(one["datasetObjectId"]): one["consolidatedAnnotation"]["content"]["verdict"]
        for key in output.keys("annotations/consolidated-annotation/consolidation-response/")
        for one in output.json(key)
    }
    assert [line["verdict"] for line in output.manifest()] == [labels[number] for number in range(12)]


class _Slow(ObjectStore):
    """Takes long to send the last manifest that it has read."""

    def __init__(self, settings: ReviewSettings) -> None:
        super().__init__(settings)
        self.has_read, self.may_send = threading.Event(), threading.Event()

    def put_lines(
        self, location: S3Location, lines: Iterable[str], kind: str, kms_key_id: str | None
    ) -> None:
        read = list(lines)
        if location.key.endswith("output.manifest"):
            self.has_read.set()
            assert self.may_send.wait(60)
        super().put_lines(location, read, kind, kms_key_id)


def test_a_slow_server_puts_no_old_manifest_over_the_last_one_of_another(
    cloud: LocalCloud, postgresql: PostgreSQL, bucket: str, tmp_path: Path
):
    settings = _settings(cloud, tmp_path, postgresql.database())
    database = Database(settings.database)
    database.upgrade()
    job_id = insert_job(database, "slow", bucket, lines(2), iteration=1)
    store = _Slow(settings)
    slow, quick = (
        _publishing(database, settings, store),
        _publishing(database, settings, ObjectStore(settings)),
    )
    _label(database, job_id, 0)
    writing = threading.Thread(target=slow.publish)
    writing.start()
    assert store.has_read.wait(60)
    _label(database, job_id, 1, ends_as=LabelingStatus.COMPLETED)
    quick.publish()
    store.may_send.set()
    writing.join()

    quick.publish()
    assert _job(database, job_id).status is LabelingStatus.COMPLETED
    assert [line["verdict"] for line in Output(cloud.client("s3"), bucket, "slow").manifest()] == [0, 1]
    database.close()


def _settings(cloud: LocalCloud, data: Path, database_url: str, **changes: Any) -> ReviewSettings:
    access_key_id, secret_access_key = cloud.keys()
    return ReviewSettings(
        data_dir=data,
        database_url=database_url,
        s3_endpoint_url=cloud.endpoint_url,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        **{"undo_seconds": 0} | changes,
    )


def _publishing(database: Database, settings: ReviewSettings, store: ObjectStore) -> Publishing:
    log = JobLog(CloudLogs(settings))
    arns = Arns(settings.region, settings.account_id)
    return Publishing(database, utc_now, arns, Manifests(database, store), Planned(), log)


def _label(database: Database, job_id: int, number: int, **changes: Any) -> None:
    """Give an object its label, as consolidation does."""
    with database.write() as session:
        data_object = session.get_one(DataObject, (job_id, number))
        data_object.status, data_object.iteration = ObjectStatus.LABELED, 1
        session.add(ObjectLabel(job_id=job_id, number=number, content=f'{{"verdict":{number}}}'))
        job = session.get_one(LabelingJob, job_id)
        job.changes += 1
        for name, value in changes.items():
            setattr(job, name, value)


def _job(database: Database, job_id: int) -> LabelingJob:
    with database.read() as session:
        return session.get_one(LabelingJob, job_id)
