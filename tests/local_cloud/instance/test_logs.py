"""The log of a container that says too much, or what CloudWatch does not take: it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.local_cloud.instance import logs
from include.local_cloud.instance.faults import ClientFault


class Refusing:
    """A cloud that takes requests of up to a mebibyte, as CloudWatch Logs does."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def call(self, service: str, request: Callable[[Any], object], what: str) -> object:
        return request(self)

    class exceptions:
        ResourceNotFoundException = ResourceAlreadyExistsException = KeyError

    def create_log_group(self, **_: str) -> None: ...

    def create_log_stream(self, **_: str) -> None: ...

    def put_log_events(self, logEvents: list[dict[str, Any]], **to: str) -> None:
        if (
            to["logGroupName"] == "refuse"
            or len(json.dumps(logEvents)) > 1 << 20
            or any("refuse" in event["message"] for event in logEvents)
        ):
            raise ClientFault("too large, or refused")
        self.said += [event["message"] for event in logEvents]


def test_a_cloud_that_takes_nothing_holds_no_job_up() -> None:
    with logs.LogStream(Refusing(), "refuse", "stream") as log:  # type: ignore[arg-type]
        for _ in range(3):
            log.say("refuse")
            log._send()


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}", "\0"])
def test_a_burst_of_long_lines_arrives_whole(letter: str) -> None:
    cloud = Refusing()
    with logs.LogStream(cloud, "group", "stream") as log:  # type: ignore[arg-type]
        for _ in range(300):
            log.say(letter * 8_000)
        log.say("later")
    assert cloud.said == [letter * 8_000] * 300 + ["later"]


def test_what_is_refused_ends_nothing_and_is_counted() -> None:
    cloud = Refusing()
    with logs.LogStream(cloud, "group", "stream") as log:  # type: ignore[arg-type]
        log.say("refuse this")
        log._send()
        log.say("later")
    assert "later" in cloud.said
    assert any(line.startswith("[local cloud] 1 lines are not here") for line in cloud.said)


def test_a_flood_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_WAITING", 10)
    monkeypatch.setattr(logs, "_SEND_SECONDS", 60)
    cloud = Refusing()
    with logs.LogStream(cloud, "group", "stream") as log:  # type: ignore[arg-type]
        for number in range(50):
            log.say(str(number))
    assert cloud.said == [*map(str, range(10)), cloud.said[-1]]
    assert cloud.said[-1].startswith("[local cloud] 40 lines are not here")
