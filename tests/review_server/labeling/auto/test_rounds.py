"""Automated labeling of a job of boxes, with real training and transform jobs of the local cloud.

People are played, and the model is the tests' own, which is trained and asked in a moment: it finds the box
in what is not black, the surer the lighter. What real models say is in test_recorded_boxes.py.
"""

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
from tests.support.cloud import CLASSIFICATION_IMAGE, FAKE_IMAGE, ROLE, LocalCloud

ARN = "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/object-detection"
OBJECTS, BATCH = 180, 50
BOX = {"class_id": 0, "left": 8, "top": 8, "width": 16, "height": 16}


class Trial:
    """A job of pictures with one box each; people label what they are asked about at once."""

    def __init__(self, cloud: LocalCloud, bucket: str, data: Path, name: str, **algorithms: str) -> None:
        key, secret = cloud.keys()
        self.settings = ReviewSettings(
            data_dir=data,
            s3_endpoint_url=cloud.endpoint_url,
            access_key_id=key,
            secret_access_key=secret,
            auto_labeling=AutoLabelingSettings(
                endpoint=cloud.endpoint_url,
                images={"object-detection": FAKE_IMAGE},
                hyperparameters={"object-detection": {"quality": "0.9", "epochs": "1"}},
            ),
        )
        self.cloud, self.bucket = cloud, bucket
        self.store = ObjectStore(self.settings)
        self.database = Database(f"sqlite:///{data}/review.db")
        self.database.upgrade()
        self.said: list[str] = []
        request = {
            "RoleArn": ROLE,
            "OutputConfig": {"S3OutputPath": f"s3://{bucket}/gt/"},
            "HumanTaskConfig": {"MaxConcurrentTaskCount": BATCH},
            "LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": ARN, **algorithms},
        }
        self._insert(f"{bucket}-{name}", request)
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
        self.auto = AutoLabeling(
            self.database, utc_now, changed, self.store, lambda _job, _event, text: self.said.append(text)
        )
        # No memory, and half a second to make: the client.
        vars(self.auto._place)["_sagemaker"] = self.cloud.client("sagemaker")

    def answer(self, numbers: Any) -> None:
        """The next batch, as people label it."""
        with self.database.write() as session:
            job = session.get_one(LabelingJob, self.id)
            job.iteration += 1
            for number in numbers:
                self._labeled(session, number, job.iteration, people_say())

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
                task_type="BoundingBox",
                label_attribute="box",
                categories='["nut"]',
                objects=OBJECTS,
            )
            session.add(job)
            session.flush()
            self.id = job.id
            for number in range(OBJECTS):
                line = {"source-ref": f"s3://{self.bucket}/in/{number}.png"}
                session.add(DataObject(job_id=job.id, number=number, status=ObjectStatus.UNLABELED))
                session.add(ObjectLine(job_id=job.id, number=number, content=json.dumps(line)))


def people_say() -> dict[str, Any]:
    metadata = {"objects": [{"confidence": 0}], "human-annotated": "yes"}
    size = [{"width": 32, "height": 32, "depth": 3}]
    return {"box": {"image_size": size, "annotations": [BOX]}, "box-metadata": metadata}


def is_black(number: int) -> bool:
    return number % 15 == 4


def picture(number: int) -> bytes:
    stream = BytesIO()
    shade = 0 if is_black(number) else 140 + number % 100
    Image.new("RGB", (32, 32), (shade, shade, shade)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def trial(cloud: LocalCloud, bucket: str, tmp_path: Path) -> Iterator[Trial]:
    made = Trial(cloud, bucket, tmp_path, "boxes")
    yield made
    made.database.close()


def label_all(trial: Trial) -> list[list[int]]:
    """The job until it is done, with a kill after every step; what people were asked about."""
    asked: list[list[int]] = []
    until = datetime.now(UTC) + timedelta(minutes=12)
    while not isinstance(step := trial.step(), Done):
        assert not isinstance(step, Fail), step
        assert datetime.now(UTC) < until, trial.said
        if not isinstance(step, Wait):
            trial.restart()
        match step:
            case Wait():
                time.sleep(1)
            case AskPeople(numbers):
                asked.append(list(numbers))
                trial.answer(numbers)
            case Label():
                trial.take(step)
    assert Counter(item.status for item in trial.objects()) == {ObjectStatus.LABELED: OBJECTS}
    return asked


@pytest.mark.timeout(900)
def test_a_machine_labels_what_it_is_sure_of_and_people_judge_it(trial: Trial, tmp_path: Path) -> None:
    s3, sagemaker = trial.cloud.client("s3"), trial.cloud.client("sagemaker")
    for number in range(OBJECTS - 1):  # and one whose image is gone
        s3.put_object(Bucket=trial.bucket, Key=f"in/{number}.png", Body=picture(number))
    trial.answer(range(0, 100, 10))
    asked = label_all(trial)

    # 20 % judge and never teach; as many teach, with the ten of the first batch.
    assert [len(numbers) for numbers in asked[:2]] == [26, 36]
    validation = set(asked[1])
    taught = {json.loads(line)["source-ref"] for part in ("train", "validation") for line in
              trial.text(f"training/4/input/{part}.manifest").splitlines()}  # fmt: skip
    assert len(taught) == 36
    assert not taught & {f"s3://{trial.bucket}/in/{number}.png" for number in validation}

    threshold = json.loads(trial.text("activelearning/4/validation/threshold.json"))
    assert threshold["low"] >= threshold["target"] == 0.6
    assert "with 95 % confidence at least" in trial.said[0]
    # The documented place and form, which the example notebook's monitor reads.
    (output,) = [key for key in trial.keys("activelearning") if key.endswith("auto_annotator_output.txt")]
    assert output.split("/")[-3] == "4"
    machine = dict(line.split(" ", 1) for line in trial.text(output).splitlines())
    assert len(machine) > 80
    for content in map(json.loads, machine.values()):
        (box,) = content["box"]["annotations"]
        assert (box["top"], box["width"], box["height"]) == (8, 16, 16)
        assert abs(box["left"] - BOX["left"]) <= 2
        assert content["box-metadata"]["human-annotated"] == "no"
    # What no model could see goes to people first: an image that is gone, and those where it finds nothing.
    blind = {OBJECTS - 1, *filter(is_black, range(OBJECTS))}
    assert blind - {*asked[0], *asked[1], *range(0, 100, 10)} <= set(asked[2])
    assert {item.iteration for item in trial.objects() if str(item.number) in machine} == {4}

    model = f"{trial.name}-4"
    (artifact,) = [key for key in trial.keys("training/4") if key.endswith("model.tar.gz")]
    assert artifact == f"training/4/model/{model}/output/model.tar.gz"
    described = sagemaker.describe_model(ModelName=model)
    with trial.database.read() as session:
        assert session.get_one(LabelingJob, trial.id).final_model_arn == described["ModelArn"]
        (passed,) = session.scalars(select(LearningRound.passed).where(LearningRound.iteration == 4))
    assert set(json.loads(passed)) <= validation - blind
    job = sagemaker.describe_training_job(TrainingJobName=model)
    assert job["LabelingJobArn"].endswith(f"labeling-job/{trial.name}")
    assert (job["RoleArn"], job["ResourceConfig"]["InstanceType"]) == (ROLE, "ml.p3.2xlarge")

    going_on_with(trial, described["ModelArn"], tmp_path / "next")


def going_on_with(before: Trial, model_arn: str, data: Path) -> None:
    """Another job that begins with the model of the first: nobody labels anything for it to learn from."""
    data.mkdir()
    trial = Trial(before.cloud, before.bucket, data, "next", InitialActiveLearningModelArn=model_arn)
    trial.answer(range(0, 100, 10))
    # One of another algorithm fails the job before people work for it.
    trial.restart(images={"object-detection": CLASSIFICATION_IMAGE})
    failed = trial.step()
    assert isinstance(failed, Fail)
    assert "is one of 'fake' and not of 'image-classification'" in failed.reason
    trial.restart()
    step = trial.step()
    assert isinstance(step, AskPeople)
    assert len(step.numbers) == 36
    trial.answer(step.numbers)
    assert isinstance(trial.step(), Wait)
    sagemaker = trial.cloud.client("sagemaker")
    (asked,) = sagemaker.list_transform_jobs(NameContains=trial.name)["TransformJobSummaries"]
    job = sagemaker.describe_transform_job(TransformJobName=asked["TransformJobName"])
    assert job["ModelName"] == model_arn.rpartition("/")[2]
    assert "/inference/3/validation/" in job["TransformOutput"]["S3OutputPath"]
    assert trial.keys("training") == []
    assert trial.job().iteration == 2
    with trial.database.read() as session:
        assert session.get_one(LabelingJob, trial.id).final_model_arn == model_arn
    trial.auto.stop(trial.job())
    trial.database.close()


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
    trial.restart(images={"object-detection": "0.dkr.ecr.eu-west-1.amazonaws.com/none:1"})
    assert "Unknown image" in reason()
    trial.restart()
    trial.cloud.client("sagemaker").create_training_job(
        TrainingJobName=job_stem(trial.name, 4),
        AlgorithmSpecification={"TrainingImage": FAKE_IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{trial.bucket}/elsewhere"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        HyperParameters={"do": "sleep"},
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
