"""Triggers survive the triggerer's way of making them, ask no more than they must, and always end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from include.loop.analysis.costs import Prices
from include.loop.labeling.progress import Rates, Watch
from nightloop.triggers.jobs_ended import SageMakerJobsTrigger
from nightloop.triggers.labeling_ended import LabelingJobTrigger
from nightloop.triggers.loops_answered import HumanLoopsTrigger
from nightloop.triggers.polling import is_passing
from tests.airflow.place import Place, again, first_event
from tests.support.cloud import FAKE_IMAGE, ROLE, eventually

WATCH = {
    "flow_definition_arn": "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/none",
    "name_prefix": "digits-20261101-",
    "expected": 3,
    "created_after": "2026-11-02T00:00:00+00:00",
    "deadline": "2026-11-02T20:00:00+00:00",
}
TRIGGERS = [
    HumanLoopsTrigger(watch=WATCH, interval=5, aws_conn_id="aws_review", region_name="us-east-1"),
    SageMakerJobsTrigger(
        pending={"kind": "transform", "names": ["a-1"]},
        seconds=60,
        interval=5,
        aws_conn_id="aws_default",
    ),
    LabelingJobTrigger(
        watch=Watch("pets-labeling-1", Rates(1, 20, Prices())).to_dict(), interval=5, aws_conn_id="aws_review"
    ),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_a_trigger_is_the_same_after_it_was_stored(trigger: Any) -> None:
    copy = again(trigger)
    assert type(copy) is type(trigger)
    assert copy.serialize() == trigger.serialize()


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_a_trigger_is_imported_from_plugins(trigger: Any) -> None:
    """The triggerer cannot import from dags/."""
    assert trigger.serialize()[0].startswith("nightloop.triggers.")


def test_a_trigger_stored_before_the_package_was_renamed_is_made_from_what_is_stored() -> None:
    from airflow.sdk._shared.module_loading import import_string

    shared = {"interval": 5, "aws_conn_id": "aws_default", "region_name": "us-east-1"}
    jobs: dict[str, Any] = {"running": {"kind": "transform", "names": ["a-1"]}, "seconds": 60}
    made = import_string("a2i.trigger.SageMakerJobsTrigger")(**shared, **jobs)
    assert made.pending.names == ("a-1",)
    assert again(made).pending == made.pending, "and stored anew"
    assert import_string("a2i.trigger.HumanLoopsTrigger")(**shared, watch=WATCH).watch.expected == 3
    decision = {"package_arn": "arn", "ti_id": "0", "until": "2099-01-01T00:00:00+00:00"}
    assert import_string("a2i.decision.PackageDecisionTrigger")(**shared, **decision).package_arn == "arn"


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "ListHumanLoops")


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (client_error("ThrottlingException", 400), True),
        (client_error("ThrottlingException", 429), True),
        (client_error("InternalServerException", 500), True),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
        (client_error("ValidationException", 400), False),
        (client_error("AccessDeniedException", 403), False),
        (NoCredentialsError(), False),
    ],
    ids=str,
)
def test_what_passes_by_itself_is_asked_again(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing


class Jobs:
    """Training jobs that end when a test lets them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sagemaker = place.cloud.client("sagemaker")
        place.put("train.lst", b"one line")

    def start(self, name: str, hold: bool = True) -> str:
        job = f"{self.place.name}-{name}-1"
        source = f"s3://{self.place.bucket}/{self.place.name}/train.lst"
        self.sagemaker.create_training_job(
            TrainingJobName=job,
            AlgorithmSpecification={"TrainingImage": FAKE_IMAGE, "TrainingInputMode": "File"},
            RoleArn=ROLE,
            HyperParameters={"until": self.gate(name).name} if hold else {},
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                }
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self.place.bucket}/models"},
            ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )
        return job

    def gate(self, name: str) -> Path:
        return self.place.cloud.gate(f"{self.place.bucket}-{name}")

    def let_go(self, name: str) -> None:
        self.gate(name).touch()

    def status(self, job: str) -> str:
        return self.sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobStatus"]

    def trigger(self, *jobs: str, seconds: float = 600) -> SageMakerJobsTrigger:
        pending = {"kind": "training", "names": list(jobs)}
        return SageMakerJobsTrigger(pending=pending, seconds=seconds, interval=0.1, aws_conn_id="aws_default")


@pytest.fixture
def jobs(place: Place) -> Jobs:
    return Jobs(place)


def test_it_waits_until_the_last_of_several_jobs_has_ended(
    jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    slow, quick = jobs.start("slow"), jobs.start("quick", hold=False)

    async def wait() -> Any:
        waiting = asyncio.create_task(first_event(jobs.trigger(slow, quick)))
        while await asyncio.to_thread(jobs.status, quick) != "Completed":
            await asyncio.sleep(0.05)
        assert not waiting.done()
        jobs.let_go("slow")
        return await waiting

    event = asyncio.run(wait())
    assert event["ending"] == "done"
    assert event["statuses"] == {slow: "Completed", quick: "Completed"}
    log = capsys.readouterr().out
    assert f"{quick}: Training" in log, "what SageMaker says meanwhile is in the log"
    assert f"{slow}: Completed: Training job completed" in log


def test_a_job_that_takes_too_long_ends_the_wait(jobs: Jobs) -> None:
    """The time counts from the job's creation: a retry that attaches does not start the clock again."""
    job = jobs.start("late")
    event = asyncio.run(first_event(jobs.trigger(job, seconds=0.5)))
    assert (event["ending"], event["pending"]["names"]) == ("deadline", [job])
    assert asyncio.run(first_event(jobs.trigger(job, seconds=0.5)))["ending"] == "deadline"
    jobs.let_go("late")


def test_clearing_the_waiting_task_stops_its_job(jobs: Jobs) -> None:
    job = jobs.start("unwanted")

    async def clear() -> None:
        trigger = jobs.trigger(job)
        waiting = asyncio.create_task(first_event(trigger))
        while not trigger.statuses:
            await asyncio.sleep(0.05)
        waiting.cancel()  # the triggerer cancels the wait and then calls on_kill
        await trigger.on_kill()

    asyncio.run(clear())
    assert eventually(lambda: jobs.status(job) == "Stopped" or None)


def test_a_job_that_is_not_there_ends_the_wait_with_the_services_message(jobs: Jobs) -> None:
    event = asyncio.run(first_event(jobs.trigger("never-created-1")))
    assert event["ending"] == "error"
    assert "not found" in event["message"].lower() or "Requested resource" in event["message"]


def test_a_flow_definition_that_is_gone_ends_the_wait_with_the_services_message(place: Place) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    trigger = HumanLoopsTrigger(watch=WATCH | {"deadline": later}, interval=0.1, aws_conn_id="aws_review")
    event = asyncio.run(first_event(trigger))
    assert event["ending"] == "error"
    assert "ListHumanLoops" in event["message"]
