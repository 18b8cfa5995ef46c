"""The wait for SageMaker: for the last of a few jobs, or for the end of an endpoint's change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from include.loop.aws.jobs import Pending, ResourceKind, has_ended, is_missing, stop_operation
from nightloop.triggers.polling import PollingTrigger

GONE = "Deleted"  # status of an endpoint that is not there any more


class SageMakerJobsTrigger(PollingTrigger):
    """Waits until each of a few SageMaker jobs has ended, by one Describe per pending job and interval; or
    until an endpoint's change has, or its deletion.

    Logs what SageMaker says while the jobs run. Ends with each job's status: the task reads the outcome
    itself. When a user clears or marks the waiting task, `on_kill` stops the jobs, so that nothing runs
    on unwatched and billed. An endpoint's change cannot be stopped, and goes on.

    :param pending: a `include.loop.aws.jobs.Pending` as a dict.
    :param seconds: the longest a job may take, counted from its own CreationTime (an endpoint's change: from
        the time it was last modified): a retry that attaches to a job does not start the clock again.
    """

    def __init__(self, *, pending: dict[str, Any], seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pending = Pending.from_dict(pending)
        self.seconds = seconds
        self.statuses: dict[str, str] = {}
        self._ended: set[str] = set()
        self._began: dict[str, datetime] = {}
        self._told: dict[str, int] = {}

    def watched(self) -> dict[str, Any]:
        return {"pending": self.pending.to_dict(), "seconds": self.seconds}

    def hook(self) -> Any:
        from nightloop.hooks.loop_aws import LoopAwsHook

        return LoopAwsHook(self.aws_conn_id, client_type="sagemaker", region_name=self.region_name)

    async def look(self, client: Any) -> bool:
        kind = self.pending.kind
        for name in self._waiting():
            job = await self._describe(client, name)
            if job is None:
                self.statuses[name] = GONE
                self._ended.add(name)
                continue
            # An endpoint is older than its change; one that changes was modified when the change began.
            began = "LastModifiedTime" if kind is ResourceKind.ENDPOINT else "CreationTime"
            self._began.setdefault(name, job[began])
            self._log_status(name, job)
            self.statuses[name] = job[kind.status_field]
            if has_ended(kind, job):
                self._ended.add(name)
        return not self._waiting()

    async def _describe(self, client: Any, name: str) -> dict[str, Any] | None:
        """What is there by this name; None for an endpoint that is deleted by now."""
        from botocore.exceptions import ClientError

        kind = self.pending.kind
        try:
            return dict(await operation(client, kind.describe_operation, kind, name))
        except ClientError as error:
            if kind is ResourceKind.ENDPOINT and is_missing(error):
                return None
            raise

    async def on_kill(self) -> None:
        from botocore.exceptions import ClientError

        kind = self.pending.kind
        if kind is ResourceKind.ENDPOINT:
            self.log.warning("%s goes on changing: that cannot be stopped.", ", ".join(self._waiting()))
            return
        async with await self.hook().get_async_conn() as client:
            for name in self._waiting():
                try:
                    await operation(client, stop_operation(kind), kind, name)
                    self.log.warning("Stopping %s, because the task was cleared or marked.", name)
                except ClientError as error:  # it ended a moment ago
                    self.log.info("%s was not stopped: %s", name, error)

    def result(self) -> dict[str, Any]:
        return {"pending": self.pending.to_dict(), "statuses": dict(self.statuses)}

    def deadline(self) -> datetime | None:
        waiting = [self._began[name] for name in self._waiting() if name in self._began]
        return min(waiting) + timedelta(seconds=self.seconds) if waiting else None

    def _waiting(self) -> list[str]:
        return [name for name in self.pending.names if name not in self._ended]

    def _log_status(self, name: str, job: dict[str, Any]) -> None:
        """Log each secondary status once, with its message; transform jobs have none, so log their status."""
        steps = job.get("SecondaryStatusTransitions", [])
        for step in steps[self._told.get(name, 0) :]:
            self.log.info("%s: %s: %s", name, step["Status"], step.get("StatusMessage", ""))
        self._told[name] = len(steps)
        status = job[self.pending.kind.status_field]
        if status != self.statuses.get(name) and ("FailureReason" in job or not steps):
            self.log.info("%s: %s %s", name, status, job.get("FailureReason", ""))


def operation(client: Any, name: str, kind: ResourceKind, job: str) -> Any:
    """Call an operation that takes a job's name and nothing else."""
    call: Callable[..., Any] = getattr(client, name)
    return call(**{kind.name_field: job})
