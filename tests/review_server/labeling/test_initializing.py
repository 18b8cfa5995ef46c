"""From a request to rows: manifests in pieces, servers that end between any two steps, bad files."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from include.review_server.api.labeling_jobs import LabelingJobOperations
from include.review_server.api.tags import Tags
from include.review_server.arns import Arns
from include.review_server.clock import Clock, utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, HumanTaskUi, LabelingJob, ObjectLine, Workteam
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling import initializing
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.initializing import Initializing
from include.review_server.s3 import ObjectStore
from include.review_server.settings import AutoLabelingSettings, ReviewSettings
from include.review_server.templates.render_pool import RenderPool
from tests.review_server.labeling.jobs import TEMPLATE, labeling_request, put_files
from tests.review_server.rig import CORS
from tests.support.cloud import LocalCloud

ELSEWHERE = [f'{{"source-ref": "s3://bucket-{number}/1.jpg"}}\n' for number in range(4)]


class Server:
    """What initializes jobs, without what goes on with them."""

    def __init__(self, cloud: LocalCloud, folder: Path, renderers: RenderPool) -> None:
        key, secret = cloud.keys()
        self.settings = ReviewSettings(
            data_dir=folder,
            s3_endpoint_url=cloud.endpoint_url,
            access_key_id=key,
            secret_access_key=secret,
            auto_labeling=AutoLabelingSettings(endpoint=cloud.endpoint_url),
        )
        self.s3 = cloud.client("s3")
        self.database = Database(self.settings.database)
        self.database.upgrade()
        self.store = ObjectStore(self.settings)
        self._renderers = renderers
        self.operations = LabelingJobOperations(
            self.database,
            utc_now,
            Arns(self.settings.region, self.settings.account_id),
            Tags(self.database),
            Functions(self.settings, self.store),
            self.settings.auto_labeling,
        )
        now = utc_now()
        with self.database.write() as session:
            session.add(Workteam(name="reviewers", request="{}", created_at=now, updated_at=now))

    def step(self, piece_bytes: int, store: ObjectStore | None = None, clock: Clock = utc_now) -> bool:
        """One step of a server that has just started: it knows what the database says and nothing more."""
        started = Initializing(
            self.database, clock, store or self.store, self._renderers, 1250, piece_bytes=piece_bytes
        )
        return started.initialize()


class Job:
    """One job of that server, with a bucket of its own."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.name, self.bucket = f"job-{number}", f"initializing-{number}"
        self.s3 = server.s3
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration=CORS)

    def ref(self, number: int, **members: Any) -> str:
        source = {"source-ref": f"s3://{self.bucket}/{number}.jpg"}
        return json.dumps(source | members, ensure_ascii=False)

    def create(self, lines: list[str], **changes: Any) -> None:
        put_files(self.s3, self.bucket, lines)
        self.server.operations.create_labeling_job(labeling_request(self.name, self.bucket) | changes)

    def step(self, piece_bytes: int = 1024, store: ObjectStore | None = None) -> bool:
        return self.server.step(piece_bytes, store)

    def run(self, piece_bytes: int = 1024) -> LabelingJob:
        while self.step(piece_bytes):
            pass
        return self.row()

    def row(self) -> LabelingJob:
        with self.server.database.read() as session:
            return session.scalars(select(LabelingJob).where(LabelingJob.name == self.name)).one()

    def objects(self) -> list[tuple[ObjectStatus, str, str | None]]:
        """Status, line and failure of each object, in the order of their numbers."""
        same = (ObjectLine.job_id == DataObject.job_id) & (ObjectLine.number == DataObject.number)
        query = (
            select(DataObject.number, DataObject.status, ObjectLine.content, DataObject.failure_reason)
            .join(ObjectLine, same)
            .where(DataObject.job_id == self.row().id)
            .order_by(DataObject.number)
        )
        with self.server.database.read() as session:
            rows = list(session.execute(query))
        assert [row[0] for row in rows] == list(range(len(rows))), "numbers have no gaps"
        return [(row[1], row[2], row[3]) for row in rows]


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    renderers = RenderPool(1)
    server = Server(cloud, tmp_path_factory.mktemp("initializing"), renderers)
    yield server
    server.database.close()
    renderers.stop()


@pytest.fixture
def job(server: Server) -> Job:
    return Job(server, next(_numbers))


@pytest.mark.parametrize("piece_bytes", [120, 400, 1024 * 1024])
def test_a_manifest_becomes_the_same_rows_however_it_is_cut(job: Job, piece_bytes: int):
    lines = [job.ref(number, note="\u2028é" * (number % 3)) for number in range(9)]
    text = "\r\n".join(lines[:5]) + "\n\n \n" + "\n".join(lines[5:])
    job.create([text])
    row = job.run(piece_bytes)
    assert (row.status, row.is_open, row.iteration) == (LabelingStatus.IN_PROGRESS, True, 0)
    assert job.objects() == [(ObjectStatus.UNLABELED, line, None) for line in lines]
    assert (row.objects, row.unlabeled, row.failed) == (9, 9, 0)
    assert json.loads(row.categories) == ["dent", "rust"]
    with job.server.database.read() as session:
        ui = session.get_one(HumanTaskUi, row.human_task_ui_id)
        assert (ui.content, ui.deleted_at is None) == (TEMPLATE, False)


def test_each_line_is_judged_alone_and_a_label_that_is_there_stays(job: Job):
    label = {"box": {"annotations": []}, "box-metadata": {"type": "groundtruth/object-detection"}}
    no_rule = '{"source-ref": "s3://bucket-without-rule/3.jpg"}'
    job.create([job.ref(0), "nonsense", job.ref(2, **label), no_rule, job.ref(4)])
    row = job.run()
    failed, labeled, waiting = ObjectStatus.FAILED, ObjectStatus.EXISTING, ObjectStatus.UNLABELED
    objects = job.objects()
    assert [status for status, _, _ in objects] == [waiting, failed, labeled, failed, waiting]
    assert (row.objects, row.existing, row.failed, row.unlabeled) == (5, 1, 2, 2)
    assert "not JSON" in (objects[1][2] or "")
    assert "bucket bucket-without-rule does not exist" in (objects[3][2] or "")


def test_a_chain_whose_every_object_has_its_label_has_nothing_to_ask(job: Job):
    job.create([job.ref(0, box={"annotations": []})])
    row = job.run()
    assert (row.status, row.unlabeled, row.existing) == (LabelingStatus.IN_PROGRESS, 0, 1)


def test_named_entities_need_no_template(job: Job):
    request = labeling_request(job.name, job.bucket, kind="NamedEntityRecognition", attribute="ents")
    arn = "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/NamedEntityRecognition"
    config = request["HumanTaskConfig"] | {"UiConfig": {"HumanTaskUiArn": arn}}
    job.create(['{"source": "Nina flew to Oslo"}'], HumanTaskConfig=config, LabelAttributeName="ents")
    row = job.run()
    assert (row.status, row.unlabeled) == (LabelingStatus.IN_PROGRESS, 1)
    with job.server.database.read() as session:
        assert "crowd-entity-annotation" in session.get_one(HumanTaskUi, row.human_task_ui_id).content


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("labels.json", None, "LabelCategoryConfigS3Uri s3://{bucket}/labels.json: there is no such object"),
        ("labels.json", "[]", "LabelCategoryConfigS3Uri s3://{bucket}/labels.json: it must be an object"),
        ("template.liquid.html", None, "UiTemplateS3Uri s3://{bucket}/template.liquid.html: there is no"),
        ("template.liquid.html", "\n{% if %}", "template.liquid.html: line 2: missing expression"),
        ("template.liquid.html", "a\0b", "template.liquid.html: it is no text"),
        ("input.manifest", None, "ManifestS3Uri s3://{bucket}/input.manifest: there is no such object"),
        ("input.manifest", "", "ManifestS3Uri s3://{bucket}/input.manifest: it is empty"),
        ("input.manifest", "\n\r\n", "the manifest s3://{bucket}/input.manifest has no objects"),
        (
            "input.manifest",
            "a: 1\nb: 2\n",
            "none of the 2 objects of the manifest s3://{bucket}/input.manifest",
        ),
        ("input.manifest", '{"source-ref":' + " " * 2000, "a line of it has more than 1,024 bytes"),
        ("input.manifest", "x\n" * 12, "has more than 10 objects: split it"),
        ("input.manifest", "".join(ELSEWHERE), "lie in 4 buckets; 3 are allowed"),
    ],
)
def test_what_nobody_could_work_with_fails_the_job_with_the_reason(
    job: Job, key: str, body: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(initializing, "MOST_OBJECTS", 10)
    monkeypatch.setattr(initializing, "MOST_BUCKETS", 3)
    job.create([job.ref(0)])
    if body is None:
        job.s3.delete_object(Bucket=job.bucket, Key=key)
    else:
        job.s3.put_object(Bucket=job.bucket, Key=key, Body=body.encode())
    row = job.run()
    assert (row.status, row.is_open) == (LabelingStatus.FAILED, False)
    assert str(row.failure_reason).startswith("ClientError: ")
    assert reason.format(bucket=job.bucket) in str(row.failure_reason)
    assert job.objects() == []


def test_a_missing_output_bucket_is_told(job: Job):
    job.create([job.ref(0)], OutputConfig={"S3OutputPath": "s3://there-is-no-such-bucket/out"})
    reason = "ClientError: S3OutputPath: bucket there-is-no-such-bucket does not exist"
    assert job.run().failure_reason == reason


def test_a_manifest_that_changes_while_it_is_read_fails_the_job(job: Job):
    lines = [job.ref(number) for number in range(40)]
    job.create(lines)
    assert job.step()
    assert job.step()
    assert job.objects(), "the first piece is read"
    put_files(job.s3, job.bucket, lines[::-1])
    assert "it was changed while the job read it" in str(job.run().failure_reason)
    assert job.objects() == []


def test_a_job_that_is_stopped_meanwhile_has_asked_nobody(job: Job):
    job.create([job.ref(number) for number in range(40)])
    assert job.step()
    assert job.step()
    job.server.operations.stop_labeling_job({"LabelingJobName": job.name})
    row = job.run()
    assert (row.status, row.objects, row.failure_reason) == (LabelingStatus.STOPPED, 0, None)
    assert job.objects() == []


def test_an_s3_that_does_not_answer_is_asked_again_for_thirty_days(job: Job):
    job.create([job.ref(0)])
    away = ObjectStore(dataclasses.replace(job.server.settings, s3_endpoint_url="http://127.0.0.1:9"))
    assert not job.step(store=away)
    assert job.row().status is LabelingStatus.INITIALIZING
    assert job.run().status is LabelingStatus.IN_PROGRESS

    other = Job(job.server, next(_numbers))
    other.create([other.ref(0)])
    other.server.step(1024, away, lambda: utc_now() + timedelta(days=29))
    assert other.row().status is LabelingStatus.INITIALIZING
    other.server.step(1024, away, lambda: utc_now() + timedelta(days=30))
    assert other.row().status is LabelingStatus.FAILED
    assert "30 days" in str(other.row().failure_reason)
    assert f"bucket {other.bucket}" in str(other.row().failure_reason)
