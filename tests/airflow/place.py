"""Where a test's tasks work: a pipeline's place as YAML files, connections, and what Airflow gives a task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import yaml

from tests.loop import place as loop
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud


class Place(loop.Place):
    """Named after its bucket, so that tests can share a cloud; in YAML files, where tasks look for it."""

    def __init__(self, cloud: LocalCloud, rig: Rig, bucket: str, config: Path) -> None:
        self.config = config
        sure = {"hyperparameters": {"quality": 1}}
        super().__init__(
            cloud,
            lambda: rig,
            bucket,
            f"p{bucket.removeprefix('test-')[:12]}",
            triage={"threshold": 0.5, "audit_share": 0, "cap": 3},
            review={"deadline_hours": 1},
            training={"initial": sure, "incremental": sure},
        )
        self.environment_settings["poll_seconds"] = 0.2
        self.environment_settings["review"]["poll_seconds"] = 0.2
        self.save()

    def save(self) -> None:
        """Write the YAML files again after changing `settings` or `environment_settings`."""
        for kind, name, value in [
            ("environments", "local", self.environment_settings),
            ("pipelines", self.name, self.settings),
        ]:
            (self.config / kind).mkdir(parents=True, exist_ok=True)
            (self.config / kind / f"{name}.yaml").write_text(yaml.safe_dump(value))
        self.load()

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
        """Small JPEGs, each of its own brightness and date; their S3 URIs."""
        return [
            self.put(f"images/dt={date}/{number:03}.jpg", loop.picture(30 + number, date))
            for number in range(count)
        ]

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
    place.environment_settings["notify"] = {"slack_webhook_conn_id": "slack_team", **settings}
    place.save()


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
