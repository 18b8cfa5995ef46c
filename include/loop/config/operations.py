"""How Airflow runs the loop at one place, and who is told of what. Reads no file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from include.loop.config.fields import Strict

Text = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class NotifyEvent(StrEnum):
    """What people can be told of."""

    RUN_FAILED = "run_failed"
    RUN_LATE = "run_late"
    DEADLINE_PASSED = "deadline_passed"
    APPROVAL_WAITING = "approval_waiting"
    MODEL_PROMOTED = "model_promoted"
    MODEL_TURNED_DOWN = "model_turned_down"
    QUEUE_EMPTY = "queue_empty"
    QUEUE_OVERFULL = "queue_overfull"
    DRIFT = "drift"


class NotifySettings(Strict):
    """Who is told, of which events. Addresses and tokens of the services are in Airflow's connections.

    ``queue_overfull``: the reviewers' queue is overfull with more open human loops than these.
    ``late_hours``: a run of `nightly_review` or `incremental_training` is late when it has not ended so many
    hours after it was queued; None: none ever is.
    """

    events: tuple[NotifyEvent, ...] = tuple(NotifyEvent)
    sns_topic_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z\-]*:sns:[a-z0-9\-]+:\d{12}:.+$")
    email: tuple[Annotated[str, StringConstraints(pattern=r"^\S+@\S+$")], ...] = ()
    email_from: str | None = None
    smtp_conn_id: Text = "smtp_default"
    slack_webhook_conn_id: Text | None = None
    queue_overfull: int = Field(default=1000, ge=1, le=5000)
    late_hours: float | None = Field(default=None, gt=0, le=8760)


class AirflowSettings(Strict):
    """Where Airflow runs the tasks, and how many of those that start SageMaker jobs at once.

    ``pool``, ``queue`` and ``executor`` must exist in Airflow: a task of a pool that does not never starts.
    ``jobs_at_once`` counts the batches of one pipeline that are predicted at the same time, also those of a
    backfill, and also while their tasks wait for the jobs. For the first ``wait_seconds`` of that wait a task
    keeps its worker: where jobs take seconds, that is less work than to begin the task anew.
    """

    pool: Text | None = None
    queue: Text | None = None
    executor: Text | None = None
    priority_weight: int = Field(default=1, ge=1, le=1000)
    jobs_at_once: int = Field(default=2, ge=1, le=100)
    wait_seconds: float = Field(default=0, ge=0, le=300)
