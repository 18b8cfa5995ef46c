"""What a training job has written, line by line, also while it still writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class TrainingLog:
    """The log of one job, or of its first machine only. Errors of botocore are the caller's: logs are no part
    of a result.
    """

    def __init__(self, logs: CloudWatchLogsClient, training_job: str, *, first_machine: bool = False) -> None:
        self._logs, self._prefix = logs, f"{training_job}/{'algo-1-' if first_machine else ''}"
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> Iterator[str]:
        """What has come in since the last call, at first everything; of several machines the oldest stream
        first (``<job>/algo-1-<start in ms>``).
        """
        pages = self._logs.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, logStreamNamePrefix=self._prefix
        )
        streams = sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
        for stream in streams:
            while True:
                known = self._tokens.get(stream)
                token: dict[str, Any] = {"nextToken": known} if known else {}
                page = self._logs.get_log_events(
                    logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True, **token
                )
                yield from (event["message"] for event in page["events"])
                self._tokens[stream] = page["nextForwardToken"]
                # A page may be empty though more follow: the end is where the token stays the same.
                if self._tokens[stream] == known:
                    break
