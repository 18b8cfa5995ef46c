"""A review server for tests: the real one on a free port, with a clock that tests can move, and its clients.

Its S3 is the local cloud's. Every reply of an AWS operation is checked against botocore's output shape.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, StructureShape
from botocore.validate import ParamValidator

from include.review_server.app import Review, create_review
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, HumanTaskUi
from include.review_server.db.statuses import FlowStatus
from include.review_server.settings import ReviewSettings
from include.wire import listening
from tests.support.cloud import ROLE, LocalCloud, eventually

TEMPLATE = "<crowd-form>{{ task.input.taskObject }}</crowd-form>"
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
MEMBERS = [{"OidcMemberDefinition": {"Groups": ["reviewers"]}}]
_numbers = itertools.count(1)


class MovableClock:
    """The real clock, put forward or stopped on demand."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped_at: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stopped_at or utc_now()) + self._ahead

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It moves by ``advance`` alone: on a busy machine a wait of a second is over too soon."""
        self._stopped_at = utc_now()
        try:
            yield
        finally:
            self._stopped_at = None

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


class Rig:
    """One running review server."""

    def __init__(
        self, cloud: LocalCloud, data: Path, s3_endpoint_url: str | None = None, **settings: Any
    ) -> None:
        self.cloud = cloud
        self.clock = MovableClock()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        access_key_id, secret_access_key = cloud.keys()
        # What waits on purpose is the subject of few tests; these say so.
        settings = {"least_seconds": 0, "undo_seconds": 0} | settings
        review_settings = ReviewSettings(
            data_dir=data,
            s3_endpoint_url=s3_endpoint_url or cloud.endpoint_url,
            public_url=self.url,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            api_keys=cloud.data / "credentials",
            **settings,
        )
        self.review: Review = create_review(review_settings, self.clock)
        self._server = listening.Server(self.review.asgi, review_settings.trusted_proxies)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self.s3 = cloud.client("s3")
        self.sagemaker = checked_client(cloud, "sagemaker", self.url)
        self.a2i = checked_client(cloud, "sagemaker-a2i-runtime", self.url)

    def __enter__(self) -> Rig:
        self._thread.start()
        eventually(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def bucket(self, cors: bool = True) -> str:
        name = self.name("bucket")
        self.s3.create_bucket(Bucket=name)
        if cors:
            self.s3.put_bucket_cors(Bucket=name, CORSConfiguration=CORS)
        return name

    def name(self, kind: str) -> str:
        """A name that nothing else has in this test session."""
        return f"{kind}-{next(_numbers)}-{urlsplit(self.url).port}"

    def flow(self, bucket: str | None = None, wait: bool = True, **config: Any) -> Flow:
        """A flow definition with a template and a team of its own, Active unless told not to wait."""
        name, team, ui = self.name("flow"), self.name("team"), self.name("ui")
        ui_arn = self.sagemaker.create_human_task_ui(
            HumanTaskUiName=ui, UiTemplate={"Content": config.pop("content", TEMPLATE)}
        )["HumanTaskUiArn"]
        team_arn = self.sagemaker.create_workteam(
            WorkteamName=team, Description="reviewers", MemberDefinitions=MEMBERS
        )["WorkteamArn"]
        settings = {
            "TaskCount": 1,
            "TaskTitle": "Check the boxes",
            "TaskDescription": "Mend what is wrong",
            "WorkteamArn": team_arn,
            "HumanTaskUiArn": ui_arn,
        }
        bucket = bucket or self.bucket()
        arn = self.sagemaker.create_flow_definition(
            FlowDefinitionName=name,
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": f"s3://{bucket}/reviews"},
            HumanLoopConfig=settings | config,
        )["FlowDefinitionArn"]
        flow = Flow(self, name, arn, team, bucket)
        if wait:
            eventually(lambda: flow.status() != "Initializing")
        return flow

    def worker(self, *teams: str, name: str | None = None) -> Person:
        """A new member of the teams, signed in."""
        name = name or self.name("worker")
        passwords = [self.review.accounts.add(name, team)[1] for team in teams]
        return Person(self.url, name, next(password for password in passwords if password))


class Flow:
    """A flow definition under test."""

    def __init__(self, rig: Rig, name: str, arn: str, team: str, bucket: str) -> None:
        self.rig, self.name, self.arn, self.team, self.bucket = rig, name, arn, team, bucket

    def status(self) -> str:
        reply = self.rig.sagemaker.describe_flow_definition(FlowDefinitionName=self.name)
        return str(reply["FlowDefinitionStatus"])

    def start(self, name: str | None = None, content: Any = None) -> str:
        """Start a loop; its name."""
        name = name or self.rig.name("loop")
        content = {"taskObject": "text"} if content is None else content
        text = content if isinstance(content, str) else json.dumps(content)
        self.rig.a2i.start_human_loop(
            HumanLoopName=name, FlowDefinitionArn=self.arn, HumanLoopInput={"InputContent": text}
        )
        return name

    def loop(self, name: str) -> dict[str, Any]:
        reply: dict[str, Any] = self.rig.a2i.describe_human_loop(HumanLoopName=name)
        return reply

    def until(self, name: str, status: str) -> dict[str, Any]:
        """The loop, once it has the status."""
        eventually(lambda: self.loop(name)["HumanLoopStatus"] == status)
        return self.loop(name)

    def output(self, name: str) -> dict[str, Any]:
        """The loop's output.json, once the loop is Completed."""
        return read_output(self.rig.s3, self.until(name, "Completed"))

    def in_flight(self) -> int:
        pages = self.rig.a2i.get_paginator("list_human_loops").paginate(FlowDefinitionArn=self.arn)
        statuses = [loop["HumanLoopStatus"] for page in pages for loop in page["HumanLoopSummaries"]]
        return sum(status in ("InProgress", "Stopping") for status in statuses)


class Person:
    """A worker with a browser."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.name = name
        self.http = httpx.Client(base_url=url, timeout=30)
        reply = self.http.post("/worker/session", json={"name": name, "password": password})
        assert reply.status_code == 201, reply.text
        self.id: str = reply.json()["worker_id"]
        self.http.headers["x-csrf-token"] = reply.json()["csrf_token"]

    def take(self, flow: Flow | None = None) -> Any:
        """The task in hand or the next one; None when nothing waits."""
        body = {"queue": f"flow-definition/{flow.name}"} if flow else {}
        reply = self.http.post("/worker/tasks", json=body)
        assert reply.status_code in (200, 201, 204), reply.text
        return None if reply.status_code == 204 else reply.json()

    def do(self, action: str, task: dict[str, Any], content: Any = None) -> httpx.Response:
        body = {"answer_content": content} if action == "answer" else {}
        return self.http.post(f"/worker/tasks/{task['task_id']}/{action}", json=body)

    def answer(self, content: dict[str, Any] | None = None, flow: Flow | None = None) -> dict[str, Any]:
        """Take the next task and answer it."""
        task = self.take(flow)
        assert task is not None
        reply = self.do("answer", task, content or {"verdict": {"label": "good"}})
        assert reply.status_code == 200, reply.text
        return task


def checked_client(cloud: LocalCloud, service: str, url: str) -> Any:
    """A boto3 client whose every reply is validated against the service model, unknown members included."""
    # Limits are the server's to keep: the client checks nothing and retries nothing.
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    client = cloud.session().client(service, endpoint_url=url, region_name="us-east-1", config=config)
    client.meta.events.register(f"after-call.{service}", _check)
    return client


def read_output(s3: Any, loop: dict[str, Any]) -> dict[str, Any]:
    bucket, _, key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").partition("/")
    output: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return output


def insert_flow(database: Database, **changes: Any) -> None:
    """The flow definition "flow" of the team "team", Active, straight into the tables."""
    values: dict[str, Any] = {
        "name": "flow",
        "status": FlowStatus.ACTIVE,
        "is_open": True,
        "created_at": utc_now(),
        "workteam_name": "team",
        "human_task_ui_id": 1,
        "title": "t",
        "description": "d",
        "workers_per_item": 1,
        "availability_seconds": 9_999,
        "time_limit_seconds": 9_999,
        "output_path": "s3://bucket/out",
        "request": "{}",
    }
    with database.write() as session:
        session.add(HumanTaskUi(id=1, name="ui", content="x", content_sha256="0", created_at=utc_now()))
        session.flush()
        session.add(FlowDefinition(**values | changes))


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, int, str]:
    """The (code, HTTP status, message) with which an AWS call is refused."""
    try:
        call(**params)
    except ClientError as error:
        details = error.response
        return (
            details["Error"]["Code"],
            details["ResponseMetadata"]["HTTPStatusCode"],
            details["Error"]["Message"],
        )
    raise AssertionError("the call was not refused")


def _check(http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    shape = model.output_shape
    values = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(values, shape)
    assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
    if shape.members:
        _only_modelled(shape, json.loads(http_response.content))


def _only_modelled(shape: StructureShape, body: dict[str, Any]) -> None:
    unknown = body.keys() - shape.members.keys()
    assert not unknown, f"{shape.name} has no {unknown}"
    for name, value in body.items():
        member = shape.members[name]
        if isinstance(member, StructureShape) and isinstance(value, dict):
            _only_modelled(member, value)
