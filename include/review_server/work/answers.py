"""Workers' answers as A2I and Ground Truth write them, and who the workers are."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server import jsontext
from include.review_server.clock import iso
from include.review_server.db.models import Answer, Task
from include.review_server.db.statuses import TaskStatus

# Nobody looks at an item and answers it in less: owners are told of such answers, and manifests name them.
FAST_SECONDS = 1.0


class Identities:
    """How workers are named in results: A2I by 16 hex digits, Ground Truth with a ``prefix`` before them.

    The server is its own issuer of identities; the subject follows from the worker's id.
    """

    def __init__(self, public_url: str, prefix: str = "") -> None:
        self._issuer = public_url.rstrip("/")
        self._prefix = prefix

    def worker(self, worker_id: str) -> dict[str, Any]:
        """The members of an answer that say who gave it."""
        host = urlsplit(self._issuer).netloc
        subject = uuid5(NAMESPACE_URL, f"//{host}/workers/{worker_id}")
        identity = {"identityProviderType": "Oidc", "issuer": self._issuer, "sub": str(subject)}
        return {"workerId": f"{self._prefix}{worker_id}", "workerMetadata": {"identityData": identity}}


def answers_of(session: Session, item_id: int, identities: Identities) -> list[str]:
    """The answers to an item as JSON objects, in the order in which they came."""
    answers = session.execute(
        select(Task, Answer.content)
        .join(Answer, Answer.task_id == Task.id)
        .where(Task.item_id == item_id, Task.status == TaskStatus.ANSWERED)
        .order_by(Task.ended_at, Task.id)
    )
    return [_entry(task, content, identities) for task, content in answers]


def spent(accepted_at: datetime, ended_at: datetime | None, active: int | None) -> float:
    """Seconds at work: as the worker's page measured them (in ms), else from taking to sending."""
    if active is not None:
        return active / 1000
    # Not less than nothing when the clock was put back between the two.
    return max(((ended_at or accepted_at) - accepted_at).total_seconds(), 0.0)


def _entry(task: Task, content: str, identities: Identities) -> str:
    return jsontext.splice(
        {
            "acceptanceTime": iso(task.accepted_at),
            "submissionTime": iso(task.ended_at or task.accepted_at),
            "timeSpentInSeconds": spent(task.accepted_at, task.ended_at, task.active_milliseconds),
            **identities.worker(task.worker_id),
        },
        {"answerContent": content},
    )
