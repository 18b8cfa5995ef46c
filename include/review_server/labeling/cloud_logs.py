"""Lines on their way to CloudWatch Logs: taken at once from any thread, sent by one of our own.

Nobody waits for a log. While it is away, lines wait in memory; the oldest are dropped when there are too
many, and a process that is killed takes along what it had not sent. What must not be lost is in the database.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.review_server.settings import OF_AWS, ReviewSettings

log = logging.getLogger(__name__)

_SEND_SECONDS = 0.5
_PAUSE_SECONDS = 10.0  # after a failure, before the next try
_STOP_SECONDS = 5.0
_WAITING = 20_000
_DAY = 86_400_000  # milliseconds
_AT_ONCE = 100  # PutLogEvents takes 10,000 events, and 1 MiB


class _Line(NamedTuple):
    group: str
    stream: str
    timestamp: int
    message: str


class CloudLogs:
    """CloudWatch Logs at the endpoint of the settings; without one, what is said goes nowhere."""

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings = settings
        self._lines: deque[_Line] = deque(maxlen=_WAITING)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: Any = None
        self._is_away = False

    def say(self, group: str, stream: str, message: dict[str, Any]) -> None:
        """Take one line, a JSON object of a few thousand characters at most. Never waits, never raises."""
        if self._settings.logs_endpoint is not None:
            # By the real clock: a service refuses what is said to be of another day.
            self._lines.append(_Line(group, stream, int(time.time() * 1000), json.dumps(message)))

    def start(self) -> None:
        if self._settings.logs_endpoint is not None and self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="review-cloud-logs", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send what waits, for some seconds at most."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join(_STOP_SECONDS)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(_SEND_SECONDS)
            while self._lines:
                if not self._sent():
                    self._stopping.wait(_PAUSE_SECONDS)
                    break

    def _sent(self) -> bool:
        """Send the oldest lines. False when they are still to be sent."""
        batch = [self._lines[index] for index in range(min(_AT_ONCE, len(self._lines)))]
        try:
            # A sort that keeps the order of equals: what is of one stream stays in its order.
            for (group, stream, _), lines in groupby(sorted(batch, key=_place), _place):
                self._put(group, stream, list(lines))
        except (BotoCoreError, ClientError) as error:
            if not self._is_away:
                log.warning("log lines of labeling jobs cannot be sent, they are tried again: %s", error)
            self._is_away = True
            return False
        self._is_away = False
        for line in batch:
            # Unless it was pushed out meanwhile, by lines that came while these were being sent.
            if self._lines and self._lines[0] is line:
                self._lines.popleft()
        return True

    def _put(self, group: str, stream: str, lines: Sequence[_Line]) -> None:
        logs = self._logs()
        place = {"logGroupName": group, "logStreamName": stream}
        lines = sorted(lines, key=lambda line: line.timestamp)  # two threads may have been this close
        events = [{"timestamp": line.timestamp, "message": line.message} for line in lines]
        try:
            logs.put_log_events(**place, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=group)
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(**place)
            logs.put_log_events(**place, logEvents=events)

    def _logs(self) -> Any:
        if self._client is None:
            endpoint = self._settings.logs_endpoint
            self._client = boto3.session.Session(
                aws_access_key_id=self._settings.access_key_id,
                aws_secret_access_key=self._settings.secret_access_key,
                region_name=self._settings.region,
            ).client(
                "logs",
                endpoint_url=None if endpoint == OF_AWS else endpoint,
                config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
            )
        return self._client


def _place(line: _Line) -> tuple[str, str, int]:
    """Lines of one place go out together, and none with those of another day: a call that spans more than 24
    hours is refused, so that a log that was away for longer would never be caught up with.
    """
    return line.group, line.stream, line.timestamp // _DAY
