"""The CloudWatch log stream of one container.

Takes lines from any thread, sends them every half second, and makes the group and the stream when they are
not there. A cloud that is away for a moment gets the lines when it is back. A container that says more than
can be sent loses the rest, which is counted in the log; no line ends the stream.
"""

from __future__ import annotations

import contextlib
import json
import time
from functools import partial
from typing import Any

from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.instance.stream import Stream

_SEND_SECONDS = 0.5
_BATCH = 1_000  # PutLogEvents allows 10,000 events and 1 MiB
_BATCH_BYTES = 900_000  # as JSON, in which a character may take six
_WAITING = 20_000  # lines that wait to be sent
_MAX_LINE = 8_000


class LogStream(Stream):
    """Takes lines by ``say``."""

    def __init__(self, cloud: Cloud, group: str, stream: str) -> None:
        super().__init__(cloud, "log", _SEND_SECONDS)
        self._group, self._stream = group, stream
        self._lines: list[tuple[int, str]] = []
        self._exists = False
        self._lost = 0

    def say(self, line: str) -> None:
        with self._guard:
            if len(self._lines) >= _WAITING:
                self._lost += 1
                return
            self._lines.append((int(time.time() * 1000), line[:_MAX_LINE] or " "))

    def _send(self) -> None:
        with self._guard:
            if self._lost:
                said = f"[local cloud] {self._lost} lines are not here: more was said than could be sent"
                self._lines.append((int(time.time() * 1000), said))
                self._lost = 0
        while batch := self._next():
            events = [{"timestamp": moment, "message": line} for moment, line in batch]
            try:
                self._cloud.call("logs", partial(self._put, events), self._group)
            except ClientFault:
                with self._guard:
                    self._lost += len(batch)

    def _next(self) -> list[tuple[int, str]]:
        """The next lines to send, as many as one request may have."""
        with self._guard:
            count = size = 0
            for _, line in self._lines[:_BATCH]:
                size += len(json.dumps(line)) + 64
                if count and size > _BATCH_BYTES:
                    break
                count += 1
            batch, self._lines = self._lines[:count], self._lines[count:]
            return batch

    def _put(self, events: list[dict[str, Any]], logs: Any) -> None:
        if not self._exists:
            self._make(logs)
        place = {"logGroupName": self._group, "logStreamName": self._stream}
        try:
            logs.put_log_events(**place, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            # Somebody deleted it while the job ran.
            self._make(logs)
            logs.put_log_events(**place, logEvents=events)

    def _make(self, logs: Any) -> None:
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=self._group)
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._exists = True
