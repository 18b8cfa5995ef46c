"""The end of a loop is told as A2I tells it, at least once, to a real queue and a real bus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from include.review_server.db.models import Event
from include.review_server.settings import ReviewSettings
from include.review_server.work.events import DETAIL_TYPE, SOURCE
from include.review_server.work.retries import LONGEST_WAIT
from tests.review_server.labeling.jobs import labeling_request
from tests.review_server.rig import MEMBERS, Rig
from tests.support.cloud import LocalCloud, eventually


class Inbox:
    """An SQS queue and what came into it."""

    def __init__(self, cloud: LocalCloud, name: str) -> None:
        self.sqs = cloud.client("sqs")
        self.url: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn: str = arn["Attributes"]["QueueArn"]
        self._seen: list[dict[str, Any]] = []

    def about(self, loop: str) -> dict[str, Any]:
        """The first event about a loop or job, once it has come."""

        def found() -> dict[str, Any] | None:
            reply = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
            self._seen += [json.loads(message["Body"]) for message in reply.get("Messages", [])]
            return next((event for event in self._seen if event["resources"][0].endswith(f"/{loop}")), None)

        return eventually(found)


@pytest.fixture(scope="module")
def inbox(cloud: LocalCloud) -> Inbox:
    return Inbox(cloud, "loop-events")


@pytest.fixture(scope="module")
def telling(cloud: LocalCloud, inbox: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(cloud, tmp_path_factory.mktemp("telling"), events_to=inbox.url) as running:
        yield running


def test_the_end_of_a_labeling_job_is_told_as_documented(telling: Rig, inbox: Inbox):
    name, team = telling.name("Ended"), telling.name("team")
    telling.sagemaker.create_workteam(WorkteamName=team, Description="d", MemberDefinitions=MEMBERS)
    telling.sagemaker.create_labeling_job(**labeling_request(name, telling.bucket(), team=team))
    event = inbox.about(name.lower())
    job = telling.sagemaker.describe_labeling_job(LabelingJobName=name)
    assert event.pop("time") == f"{job['LastModifiedTime'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "SageMaker Ground Truth Labeling Job State Change",
        "source": "aws.sagemaker",
        "account": "000000000000",
        "region": "us-east-1",
        "resources": [f"arn:aws:sagemaker:us-east-1:000000000000:labeling-job/{name.lower()}"],
        "detail": {"LabelingJobStatus": "Failed"},
    }


def test_a_completed_loop_is_told_exactly_as_documented(telling: Rig, inbox: Inbox):
    flow = telling.flow()
    name = flow.start()
    telling.worker(flow.team).answer(flow=flow)
    event = inbox.about(name)
    loop = flow.until(name, "Completed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event.pop("time"))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["detail"].pop("creationTime"))
    assert event == {
        "version": "0",
        "detail-type": "SageMaker A2I HumanLoop Status Change",
        "source": "aws.sagemaker",
        "account": "000000000000",
        "region": "us-east-1",
        "resources": [loop["HumanLoopArn"]],
        "detail": {
            "failureCode": None,
            "failureReason": None,
            "flowDefinitionArn": flow.arn,
            "humanLoopArn": loop["HumanLoopArn"],
            "humanLoopName": name,
            "humanLoopOutput": {"outputS3Uri": loop["HumanLoopOutput"]["OutputS3Uri"]},
            "humanLoopStatus": "Completed",
        },
    }


def test_failed_and_stopped_loops_are_told_too_also_when_they_are_gone(telling: Rig, inbox: Inbox):
    flow = telling.flow(TaskAvailabilityLifetimeInSeconds=60)
    stopped = flow.start()
    telling.a2i.stop_human_loop(HumanLoopName=stopped)
    telling.a2i.delete_human_loop(HumanLoopName=stopped)
    detail = inbox.about(stopped)["detail"]
    assert (detail["humanLoopStatus"], detail["humanLoopOutput"]) == ("Stopped", None)
    expired = flow.start()
    telling.clock.advance(61)
    detail = inbox.about(expired)["detail"]
    assert (detail["humanLoopStatus"], detail["failureCode"]) == ("Failed", "Expired")
    assert "availability ended" in detail["failureReason"]


def test_an_event_waits_for_its_queue(cloud: LocalCloud, tmp_path: Path):
    inbox = Inbox(cloud, queue := f"waited-for-{uuid4()}")
    with Rig(cloud, tmp_path, events_to=inbox.url) as telling:
        flow = telling.flow()
        inbox.sqs.delete_queue(QueueUrl=inbox.url)
        name = flow.start()
        telling.a2i.stop_human_loop(HumanLoopName=name)
        eventually(lambda: re.search("QueueDoesNotExist|NonExistentQueue", _last_error(telling)))
        inbox.sqs.create_queue(QueueName=queue)
        telling.clock.advance(LONGEST_WAIT.total_seconds())
        assert inbox.about(name)["detail"]["humanLoopStatus"] == "Stopped"
        eventually(lambda: not _waiting(telling))


def _waiting(rig: Rig) -> list[Event]:
    with rig.review.database.read() as session:
        return list(session.scalars(select(Event)))


def _last_error(rig: Rig) -> str:
    return next((event.last_error for event in _waiting(rig) if event.last_error), "")


def test_a_bus_gets_the_event_under_a_source_that_aws_lets_us_use(cloud: LocalCloud, tmp_path: Path):
    inbox, events, bus = Inbox(cloud, f"from-the-bus-{uuid4()}"), cloud.client("events"), f"reviews-{uuid4()}"
    events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": [SOURCE], "detail-type": [DETAIL_TYPE]})
    events.put_rule(Name="ends", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="ends", EventBusName=bus, Targets=[{"Id": "1", "Arn": inbox.arn}])
    options = {"events_to": bus, "events_endpoint_url": cloud.endpoint_url}
    with Rig(cloud, tmp_path, **options) as rig:
        flow = rig.flow()
        name = flow.start()
        rig.a2i.stop_human_loop(HumanLoopName=name)
        event = inbox.about(name)
        assert (event["source"], event["detail"]["humanLoopStatus"]) == (SOURCE, "Stopped")
        assert event["resources"] == [flow.loop(name)["HumanLoopArn"]]


def test_nobody_is_told_by_default(rig: Rig):
    flow = rig.flow()
    rig.a2i.stop_human_loop(HumanLoopName=flow.start())
    assert _waiting(rig) == []


@pytest.mark.parametrize("target", ["", "a bus", "https://sqs example"])
def test_a_target_that_is_neither_queue_nor_bus_is_refused(tmp_path: Path, target: str):
    with pytest.raises(ValueError, match="event bus"):
        ReviewSettings(data_dir=tmp_path, events_to=target)
