"""Where a test's tasks work: YAML files, connections, images, and reviewers who answer by HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import yaml
from PIL import Image

from include.loop.nightly import review_setup
from include.loop.workspace import Workspace, open_workspace
from tests.review_server.rig import Person, Rig
from tests.support.cloud import ROLE, LocalCloud, eventually

BOXES_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/boxes:1"
CLASSES = ["cat", "dog"]
CAT = {
    "annotatedResult": {
        "boundingBoxes": [{"label": "cat", "left": 4, "top": 5, "width": 20, "height": 10}],
        "inputImageProperties": {"width": 64, "height": 48},
    }
}


class Place:
    """One environment (`local`) and one pipeline, named after the bucket so that tests can share a cloud."""

    def __init__(self, cloud: LocalCloud, rig: Rig, bucket: str, config: Path) -> None:
        self.cloud, self.rig, self.bucket, self.config = cloud, rig, bucket, config
        self._reviewer: Person | None = None
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
            "review": {
                "workteam": self.pipeline,
                "poll_seconds": 0.2,
            },
        }
        self.settings: dict[str, Any] = {
            "classes": CLASSES,
            "triage": {"threshold": 0.5, "audit_share": 0, "cap": 3},
            "review": {"deadline_hours": 1},
            "gate": {"min_images": 1, "min_boxes": 0, "max_calibration_error": 1, "min_train_recall": 0},
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
            "AIRFLOW_CONN_AWS_DEFAULT": self.connection(self.cloud.endpoint_url),
            "AIRFLOW_CONN_AWS_REVIEW": self.connection(self.rig.url),
        }

    def connection(self, endpoint_url: str) -> str:
        """An Airflow connection, as an environment variable's value."""
        login, password = self.cloud.keys()
        extra = {"region_name": "us-east-1", "endpoint_url": endpoint_url}
        return json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})

    def put_images(self, date: str, count: int) -> list[str]:
        """Small JPEGs, each of its own colour and date; their S3 URIs."""
        uris = []
        for number in range(count):
            body = io.BytesIO()
            colour = (number * 7 % 256, len(date + self.bucket), number)
            Image.new("RGB", (64, 48), colour).save(body, "JPEG", comment=date.encode())
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

    def context(self, date: str | None = None, **extra: Any) -> Any:
        """What a task finds of Airflow's context here."""
        start = datetime.fromisoformat(date).replace(tzinfo=UTC) if date else None
        return {
            "run_id": "manual__1",
            "dag_run": SimpleNamespace(run_type="manual"),
            "ti": TaskInstance(),
            "task_state_store": StateStore(),
            **({"data_interval_start": start} if start else {}),
            **extra,
        }

    def workspace(self) -> Workspace:
        return open_workspace(self.s3, self.pipeline)

    def set_up_review(self, control: Any = None) -> None:
        """What review_setup makes, at the rig unless a client of another review plane is given."""
        control, workspace = control or self.rig.sagemaker, self.workspace()
        review_setup.setup_bucket(workspace)
        review_setup.setup_workteam(workspace)
        review_setup.setup_template(workspace)
        eventually(lambda: review_setup.setup_flow_definition(workspace).active)

    def answer(self, most: int = 1000) -> int:
        """Let a reviewer of the place's team answer what waits, drawing one cat; how many were answered."""
        if self._reviewer is None:
            self._reviewer = self.rig.worker(self.pipeline)
        for done in range(most):
            task = self._reviewer.take()
            if task is None:
                return done
            assert self._reviewer.do("answer", task, CAT).status_code == 200
        return most


class TaskInstance(dict[str, Any]):
    """The XComs that a task pushed by itself, and what Airflow would tell of other tasks and runs."""

    states: ClassVar[dict[str, str]] = {}

    def __init__(self, unfinished_tasks: int = 0, unfinished_runs: int = 0) -> None:
        super().__init__()
        self.unfinished_tasks, self.unfinished_runs = unfinished_tasks, unfinished_runs

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value

    def get_ti_count(self, **_: Any) -> int:
        return self.unfinished_tasks

    def get_dr_count(self, **_: Any) -> int:
        return self.unfinished_runs

    def get_task_states(self, run_ids: list[str], **_: Any) -> dict[str, dict[str, str]]:
        return dict.fromkeys(run_ids, self.states)


class StateStore(dict[str, Any]):
    """What a task keeps through its retries and clears."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        self[key] = value


def run(task: Any, context: Mapping[str, Any], while_deferred: Callable[[Any], None] | None = None) -> Any:
    """Execute a task as Airflow does: serialise a deferral's trigger, make it anew, run it, resume."""
    from airflow.sdk.exceptions import TaskDeferred

    method, kwargs = "execute", dict[str, Any]()
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
    stored: Any = deserialize(json.loads(json.dumps(serialize(kwargs))))
    return import_string(path)(**stored)


def notify(place: Place, **settings: Any) -> None:
    """Let the place's environment tell the channel of the fixture `slack`."""
    place.environment["notify"] = {"slack_webhook_conn_id": "slack_team", **settings}
    place.save()


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
