"""Where a test's tasks work: YAML files, connections, images, and reviewers who answer by HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from PIL import Image

from tests.support.cloud import ROLE, ROOT, LocalCloud

BOXES_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/boxes:1"
CLASSES = ["cat", "dog"]


class Place:
    """One environment (`local`) and one pipeline, named after the bucket so that tests can share a cloud."""

    def __init__(self, cloud: LocalCloud, bucket: str, config: Path) -> None:
        self.cloud, self.bucket, self.config = cloud, bucket, config
        self.pipeline = f"p{bucket.removeprefix('test-')[:12]}"
        self.s3 = cloud.client("s3")
        self.environment: dict[str, Any] = {
            "region": "us-east-1",
            "bucket": bucket,
            "pipeline": self.pipeline,
            "role_arn": ROLE,
            "algorithm": "local",
            "image": BOXES_IMAGE,
            "poll_seconds": 0.2,
            "review": {"workteam": self.pipeline, "poll_seconds": 0.2, "portal_url": cloud.review_url},
        }
        self.settings: dict[str, Any] = {
            "classes": CLASSES,
            "triage": {"threshold": 0.5, "audit_share": 0, "cap": 3},
            "review": {"deadline_hours": 1},
        }
        self.save()

    def save(self) -> None:
        """Write the YAML files again after changing `environment` or `settings`."""
        for kind, name, value in [
            ("environments", "local", self.environment),
            ("pipelines", self.pipeline, self.settings),
        ]:
            (self.config / kind).mkdir(parents=True, exist_ok=True)
            (self.config / kind / f"{name}.yaml").write_text(yaml.safe_dump(value))

    def variables(self) -> dict[str, str]:
        return {
            "NIGHTLOOP_CONFIG_DIR": str(self.config),
            "NIGHTLOOP_ENVIRONMENT": "local",
            "AIRFLOW_CONN_AWS_DEFAULT": connection(self.cloud),
        }

    def put_images(self, date: str, count: int) -> list[str]:
        """Small JPEGs, each of its own colour; their S3 URIs."""
        uris = []
        for number in range(count):
            body = io.BytesIO()
            Image.new("RGB", (64, 48), (number * 7 % 256, len(date + self.bucket), number)).save(body, "JPEG")
            uris.append(self.put(f"images/dt={date}/{number:03}.jpg", body.getvalue()))
        return uris

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.pipeline}/{key}", Body=body)
        return f"s3://{self.bucket}/{self.pipeline}/{key}"

    def read(self, location: str) -> bytes:
        key = location.removeprefix(f"s3://{self.bucket}/")
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def run(self, task: Any, **extra: Any) -> Any:
        return run(task, self.context(**extra))

    def context(self, date: str | None = None, **extra: Any) -> dict[str, Any]:
        """What a task finds of Airflow's context here."""
        start = datetime.fromisoformat(date).replace(tzinfo=UTC) if date else None
        return {
            "run_id": "manual__1",
            "ti": Pushed(),
            **({"data_interval_start": start} if start else {}),
            **extra,
        }

    def set_up_review(self) -> None:
        from a2i import review_setup_steps as steps

        for number, operator in enumerate(
            [
                steps.SetupBucketOperator,
                steps.SetupWorkteamOperator,
                steps.SetupTemplateOperator,
                steps.SetupFlowDefinitionOperator,
                steps.ShowPortalOperator,
            ]
        ):
            self.run(operator(task_id=f"setup_{number}", pipeline=self.pipeline))

    def reviewer(self) -> Reviewer:
        return Reviewer(self)


class Pushed(dict[str, Any]):
    """The XComs that a task pushed by itself."""

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value


class Reviewer:
    """A member of the place's team, who answers as any worker's browser would."""

    def __init__(self, place: Place) -> None:
        credentials = place.config / "reviewer.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "include.review_server", "members", "add", f"ann-{place.pipeline}"),
                *("--team", place.pipeline, "--data", str(place.cloud.data / "review")),
                *("--credentials", str(credentials)),
            ],
            cwd=ROOT,
            check=True,
        )
        [worker] = json.loads(credentials.read_text())["workers"]
        self.http = httpx.Client(base_url=place.cloud.review_url)
        session = self.http.post("/worker/session", json=worker)
        session.raise_for_status()
        self.http.headers["x-csrf-token"] = session.json()["csrf_token"]

    def answer(self, most: int = 1000) -> int:
        """Take tasks and draw one cat into each, until the queue is empty; how many were answered."""
        for done in range(most):
            task = self.http.post("/worker/tasks", json={})
            if task.status_code == 204:
                return done
            task.raise_for_status()
            boxes = [{"label": "cat", "left": 4, "top": 5, "width": 20, "height": 10}]
            answer = {
                "annotatedResult": {
                    "boundingBoxes": boxes,
                    "inputImageProperties": {"width": 64, "height": 48},
                }
            }
            path = f"/worker/tasks/{task.json()['task_id']}/answer"
            self.http.post(path, json={"answer_content": answer}).raise_for_status()
        return most


def connection(cloud: LocalCloud) -> str:
    """An Airflow connection to the cloud, as an environment variable's value."""
    login, password = cloud.keys()
    extra = {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url}
    return json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})


def run(task: Any, context: Mapping[str, Any], while_deferred: Callable[[Any], None] | None = None) -> Any:
    """Execute a task as Airflow does: serialise a deferral's trigger, make it anew, run it, resume."""
    from airflow.sdk.exceptions import TaskDeferred

    method, kwargs = "execute", {}
    while True:
        try:
            return getattr(task, method)(context, **kwargs)
        except TaskDeferred as deferred:
            trigger = again(deferred.trigger)
            if while_deferred:
                while_deferred(trigger)
            event = asyncio.run(first_event(trigger))
            method, kwargs = deferred.method_name, {**(deferred.kwargs or {}), "event": event}


def again(trigger: Any) -> Any:
    """The trigger as the triggerer makes it: from its class path and JSON-able arguments."""
    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.serde import deserialize, serialize

    path, kwargs = trigger.serialize()
    return import_string(path)(**deserialize(json.loads(json.dumps(serialize(kwargs)))))


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
