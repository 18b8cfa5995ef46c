"""A training job from its start to its end, as a person at a terminal watches it.

Takes a job's name, tells of each change of status, of metrics as they come (or of every log line), and gives
the job as it ended: Completed, Failed or Stopped. Whoever stops watching does not stop the job.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.aws.jobs import Job, JobStatus, ResourceKind, is_missing
from include.loop.core.clients import Clients
from include.loop.core.errors import NotSetUp
from include.loop.training.logs import TrainingLog

Say = Callable[[str], None]


def follow(clients: Clients, name: str, poll_seconds: float, say: Say, every_line: bool = False) -> Job:
    """Watch until the job has ended. NotSetUp when there is no job of this name."""
    log, told, values = _Log(TrainingLog(clients.logs, name), say), 0, dict[str, str]()
    while True:
        details = _describe(clients, name)
        status = JobStatus(details["TrainingJobStatus"])
        changes = details.get("SecondaryStatusTransitions", [])
        for change in changes[told:]:
            message = change.get("StatusMessage") or ""
            say(f"{change['StartTime']:%H:%M:%S} {change['Status']:12} {message}".rstrip())
        told = len(changes)
        patterns = {} if every_line else _metrics(details)
        before = dict(values)
        for line in log.new_lines():
            if every_line:
                say(line)
            for metric, pattern in patterns.items():
                if found := pattern.search(line):
                    values[metric] = found[1]
        if values != before:
            say("         " + ", ".join(f"{metric} {value}" for metric, value in values.items()))
        job = Job(ResourceKind.TRAINING, name, 0, status, details)
        if job.ended:
            return job
        time.sleep(poll_seconds)


class _Log:
    """A log that may be missing, late or forbidden: that is told once, and the job is watched on."""

    def __init__(self, log: TrainingLog, say: Say) -> None:
        self._log, self._say, self._told = log, say, False

    def new_lines(self) -> list[str]:
        lines: list[str] = []
        try:
            lines.extend(self._log.new_lines())
        except ClientError as error:
            # A group or stream that is not there yet is no reason to say anything.
            if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                self._tell(error)
        except BotoCoreError as error:
            self._tell(error)
        return lines

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._say(f"         its log cannot be read ({error}); the job goes on")
        self._told = True


def _describe(clients: Clients, name: str) -> dict[str, Any]:
    try:
        return dict(clients.sagemaker.describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if not is_missing(error):
            raise
        raise NotSetUp(f"there is no training job {name}") from None


def _metrics(details: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    """How the log tells of each metric, as SageMaker itself finds them."""
    found = {}
    for item in details.get("AlgorithmSpecification", {}).get("MetricDefinitions", []):
        try:
            pattern = re.compile(item["Regex"])
        except re.error:
            continue  # SageMaker's expressions are Java's
        if pattern.groups:
            found[item["Name"]] = pattern
    return found
