"""Automated labeling of a job, with the local cloud's own training and transform jobs; people are played."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import (
    DataObject,
    HumanTaskUi,
    LabelingJob,
    LearningRound,
    ObjectLabel,
    ObjectLine,
)
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.auto.place import job_stem
from include.review_server.labeling.auto.rounds import AutoLabeling
from include.review_server.labeling.auto.steps import AskPeople, Done, Fail, Label, Step, Wait
from include.review_server.labeling.jobs import JobView
from include.review_server.s3 import ObjectStore
from include.review_server.settings import AutoLabelingSettings, ReviewSettings
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud

ARN = "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/image-classification"
OBJECTS, BATCH = 460, 100
SMALL = {
    "image_shape": "3,28,28", "resize": "28", "num_layers": "20", "use_pretrained_model": "0",
    "epochs": "3", "learning_rate": "0.01", "mini_batch_size": "16",
}  # fmt: skip


class Trial:
    """A job of pictures that are dark (0) or light (1); people label what they are asked about at once."""

    def __init__(self, cloud: LocalCloud, bucket: str, data: Path) -> None:
        key, secret = cloud.keys()
        self.settings = ReviewSettings(
            data_dir=data,
            s3_endpoint_url=cloud.endpoint_url,
            access_key_id=key,
            secret_access_key=secret,
            auto_labeling=AutoLabelingSettings(
                endpoint=cloud.endpoint_url, hyperparameters={"image-classification": SMALL}
            ),
        )
        self.cloud, self.bucket = cloud, bucket
        self.database = Database(f"sqlite:///{data}/review.db")
        self.database.upgrade()
        self.said: list[str] = []
        request = {
            "RoleArn": ROLE,
            "OutputConfig": {"S3OutputPath": f"s3://{bucket}/gt/"},
            "HumanTaskConfig": {"MaxConcurrentTaskCount": BATCH},
            "LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": ARN},
        }
        self._insert(f"{bucket}-shades", request)
        self.restart()

    def job(self) -> JobView:
        with self.database.read() as session:
            return JobView.of(session.get_one(LabelingJob, self.id), Arns("us-east-1", "0" * 12))

    def step(self) -> Step:
        return self.auto.next_step(self.job())

    def restart(self, **settings: Any) -> None:
        """A kill: what is remembered is in the tables, in S3 and in the names of jobs."""
        settings = vars(self.settings.auto_labeling) | settings
        changed = replace(self.settings, auto_labeling=AutoLabelingSettings(**settings))
        store = ObjectStore(changed)
        self.auto = AutoLabeling(
            self.database, utc_now, changed, store, lambda _job, _event, text: self.said.append(text)
        )

    def answer(self, numbers: Any) -> None:
        """The next batch, as people label it."""
        with self.database.write() as session:
            job = session.get_one(LabelingJob, self.id)
            job.iteration += 1
            for number in numbers:
                self._labeled(session, number, job.iteration, label(number, "yes"))

    def take(self, step: Label) -> None:
        with self.database.write() as session:
            for number, content in step.labels.items():
                self._labeled(session, number, step.iteration, content)

    def objects(self) -> list[DataObject]:
        with self.database.read() as session:
            return list(session.scalars(select(DataObject).order_by(DataObject.number)))

    def keys(self, part: str) -> list[str]:
        listed = self.cloud.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=f"gt/{self.name}/{part}/")
        return [item["Key"].removeprefix(f"gt/{self.name}/") for item in listed.get("Contents", [])]

    def text(self, key: str) -> str:
        found = self.cloud.client("s3").get_object(Bucket=self.bucket, Key=f"gt/{self.name}/{key}")
        return str(found["Body"].read().decode())

    def _labeled(self, session: Any, number: int, iteration: int, content: dict[str, Any]) -> None:
        found = session.get_one(DataObject, (self.id, number))
        assert found.status is ObjectStatus.UNLABELED
        found.status, found.iteration = ObjectStatus.LABELED, iteration
        session.add(ObjectLabel(job_id=self.id, number=number, content=json.dumps(content)))

    def _insert(self, name: str, request: dict[str, Any]) -> None:
        self.name = name
        with self.database.write() as session:
            ui = HumanTaskUi(name="ui", content="", content_sha256="", created_at=utc_now())
            session.add(ui)
            session.flush()
            job = LabelingJob(
                name=name,
                key_name=name,
                workteam_name="team",
                human_task_ui_id=ui.id,
                title="t",
                description="d",
                workers_per_item=1,
                availability_seconds=60,
                time_limit_seconds=60,
                output_path=request["OutputConfig"]["S3OutputPath"],
                created_at=utc_now(),
                modified_at=utc_now(),
                is_open=True,
                status=LabelingStatus.IN_PROGRESS,
                reference_code="code",
                request=json.dumps(request),
                task_type="ImageMultiClass",
                label_attribute="shade",
                categories='["dark", "light"]',
                objects=OBJECTS,
            )
            session.add(job)
            session.flush()
            self.id = job.id
            for number in range(OBJECTS):
                line = {"source-ref": f"s3://{self.bucket}/in/{number}.png"}
                session.add(DataObject(job_id=job.id, number=number, status=ObjectStatus.UNLABELED))
                session.add(ObjectLine(job_id=job.id, number=number, content=json.dumps(line)))


def label(number: int, human: str) -> dict[str, Any]:
    kind = number % 2
    metadata = {"class-name": ["dark", "light"][kind], "human-annotated": human, "confidence": 0.9}
    return {"shade": kind, "shade-metadata": metadata}


def picture(number: int) -> bytes:
    stream = BytesIO()
    shade = 40 + number % 50 + 120 * (number % 2)
    Image.new("RGB", (28, 28), (shade, shade, shade)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def trial(cloud: LocalCloud, bucket: str, tmp_path: Path) -> Iterator[Trial]:
    made = Trial(cloud, bucket, tmp_path)
    yield made
    made.database.close()


def test_a_machine_labels_what_it_is_sure_of_and_people_judge_it(trial: Trial) -> None:
    s3, sagemaker = trial.cloud.client("s3"), trial.cloud.client("sagemaker")
    for number in range(OBJECTS - 1):  # and one whose image is gone
        s3.put_object(Bucket=trial.bucket, Key=f"in/{number}.png", Body=picture(number))
    trial.answer(range(0, 100, 10))

    asked: list[list[int]] = []
    until = datetime.now(UTC) + timedelta(minutes=5)
    while not isinstance(step := trial.step(), Done):
        assert not isinstance(step, Fail), step
        assert datetime.now(UTC) < until, trial.said
        if not isinstance(step, Wait):
            trial.restart()
        match step:
            case Wait():
                time.sleep(0.5)
            case AskPeople(numbers):
                asked.append(list(numbers))
                trial.answer(numbers)
            case Label():
                trial.take(step)

    # 20 % judge and never teach; as many teach, with the ten of the first batch.
    assert [len(numbers) for numbers in asked[:2]] == [82, 92]
    validation = set(asked[1])
    taught = {json.loads(line)["source-ref"] for part in ("train", "validation") for line in
              trial.text(f"training/4/input/{part}.manifest").splitlines()}  # fmt: skip
    assert len(taught) == 92
    assert not taught & {f"s3://{trial.bucket}/in/{number}.png" for number in validation}

    threshold = json.loads(trial.text("activelearning/4/validation/threshold.json"))
    assert threshold["low"] >= threshold["target"] == 0.95
    assert "with 95 % confidence at least" in trial.said[0]
    # The documented place and form, which the example notebook's monitor reads.
    (output,) = [key for key in trial.keys("activelearning") if key.endswith("auto_annotator_output.txt")]
    assert output.split("/")[-3] == "4"
    machine = dict(line.split(" ", 1) for line in trial.text(output).splitlines())
    assert len(machine) > 150
    for name, content in machine.items():
        assert json.loads(content)["shade"] == int(name) % 2
        assert json.loads(content)["shade-metadata"]["human-annotated"] == "no"
    # Whatever no model could see goes to people first.
    assert OBJECTS - 1 in asked[2] or OBJECTS - 1 in {*asked[0], *asked[1]}
    assert Counter(item.status for item in trial.objects()) == {ObjectStatus.LABELED: OBJECTS}
    assert {item.iteration for item in trial.objects() if str(item.number) in machine} == {4}

    model = f"{trial.name}-4"
    (artifact,) = [key for key in trial.keys("training/4") if key.endswith("model.tar.gz")]
    assert artifact == f"training/4/model/{model}/output/model.tar.gz"
    described = sagemaker.describe_model(ModelName=model)
    with trial.database.read() as session:
        assert session.get_one(LabelingJob, trial.id).final_model_arn == described["ModelArn"]
        (passed,) = session.scalars(select(LearningRound.passed).where(LearningRound.iteration == 4))
    assert set(json.loads(passed)) <= validation
    job = sagemaker.describe_training_job(TrainingJobName=model)
    assert job["LabelingJobArn"].endswith(f"labeling-job/{trial.name}")
    assert (job["RoleArn"], job["ResourceConfig"]["InstanceType"]) == (ROLE, "ml.p3.2xlarge")


def test_what_would_not_come_right_fails_the_job_with_the_reason(trial: Trial) -> None:
    trial.answer(range(0, 100, 10))
    for _ in range(2):
        step = trial.step()
        assert isinstance(step, AskPeople)
        trial.answer(step.numbers)

    def reason() -> str:
        step = trial.step()
        assert isinstance(step, Fail)
        return step.reason

    trial.restart(endpoint=None)
    assert "not told where SageMaker is" in reason()
    trial.restart(images={"image-classification": "0.dkr.ecr.eu-west-1.amazonaws.com/none:1"})
    assert "Unknown image" in reason()
    trial.restart()
    trial.cloud.client("sagemaker").create_training_job(
        TrainingJobName=job_stem(trial.name, 4),
        AlgorithmSpecification={"TrainingImage": FAKE_IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{trial.bucket}/elsewhere"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    assert "not of this labeling job" in reason()
    # A labeling job that ends stops what runs for it.
    trial.auto.stop(trial.job())
    named = {"TrainingJobName": job_stem(trial.name, 4)}
    ended = trial.cloud.client("sagemaker").describe_training_job(**named)["TrainingJobStatus"]
    assert ended in ("Stopping", "Stopped")
    with trial.database.write() as session:
        job = session.get_one(LabelingJob, trial.id)
        job.iteration += 1
        config = {
            "InitialActiveLearningModelArn": "arn:aws:sagemaker:us-east-1:000000000000:model/never-made"
        }
        request = json.loads(job.request)
        request["LabelingJobAlgorithmsConfig"] |= config
        job.request = json.dumps(request)
    assert "never-made" in reason()


def test_names_of_jobs_follow_from_the_labeling_job_and_fit() -> None:
    assert job_stem("cats", 4) == "cats-4"
    long = job_stem("a" * 63, 12, "validation-abcdef")
    assert len(long) <= 61
    assert long.endswith("-12-validation-abcdef")
    assert long != job_stem("a" * 62 + "b", 12, "validation-abcdef")
