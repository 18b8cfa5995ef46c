"""``GET /metrics``: what waits and what was done, read with Prometheus' own parser."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from include.review_server import metrics
from include.review_server.db.models import FlowDefinition
from include.review_server.errors import DatabaseAway
from include.review_server.work.owning import Owning
from tests.review_server.rig import Rig
from tests.support.cloud import eventually

Labels = frozenset[tuple[str, str]]
NONE: Labels = frozenset()


def token_of(rig: Rig) -> Path:
    return rig.review.settings.data_dir / "metrics-token"


def read(rig: Rig) -> dict[tuple[str, Labels], float]:
    """Values by name, without the common beginning, and labels."""
    token = token_of(rig).read_text().strip()
    reply = httpx.get(f"{rig.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert reply.status_code == 200
    return {
        (sample.name.removeprefix("nightloop_review_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def value_of(label: str, key: tuple[str, Labels]) -> str:
    return dict(key[1])[label]


def waiting(told: dict[tuple[str, Labels], float], flow: str) -> list[float]:
    """Open human loops of a flow definition, tasks that wait, and tasks in hand."""
    queue = frozenset({("queue", f"flow-definition/{flow}")})
    return [
        told["open_human_loops", frozenset({("flow_definition", flow)})],
        told["tasks_waiting", queue],
        told["tasks_leased", queue],
    ]


def requests(operation: str, status: int) -> tuple[str, Labels]:
    return "requests_total", frozenset({("operation", operation), ("status", str(status))})


def test_without_the_token_of_the_data_directory_nothing_is_shown(rig: Rig):
    assert stat.S_IMODE(token_of(rig).stat().st_mode) == 0o600
    token = token_of(rig).read_text().strip()
    for sent in (None, f"Bearer {token}x", token, "Bearer", f"Basic {token}"):
        reply = httpx.get(f"{rig.url}/metrics", headers={"Authorization": sent} if sent else {})
        assert reply.status_code == 401
        assert "nightloop_review" not in reply.text


def test_what_waits_is_told_by_flow_definition_and_what_was_done_is_counted(rig: Rig):
    flow, nobodys = rig.flow(), rig.flow()
    before = read(rig)
    loops = [flow.start() for _ in range(3)]
    person = rig.worker(flow.team)
    person.answer()
    flow.until(loops[0], "Completed")
    held = person.take()

    now = read(rig)

    assert waiting(now, flow.name) == [2, 1, 1]
    assert waiting(now, nobodys.name) == [0, 0, 0]
    assert [now[name, NONE] for name in ("outputs_waiting", "events_waiting", "database_away")] == [0, 0, 0]
    assert now["answers_total", NONE] - before["answers_total", NONE] == 1
    assert 0 < now["reviewer_seconds_total", NONE] - before["reviewer_seconds_total", NONE] < 600
    started = requests("StartHumanLoop", 200)
    assert now[started] - before.get(started, 0) == 3
    assert now[requests("POST /worker/tasks/{task_id}/answer", 200)] >= 1
    jobs = {value_of("job", key): value for key, value in now.items() if key[0] == "background_job_ill"}
    assert jobs["Deadlines.end_leases"] == jobs["Deliveries.deliver"] == 0
    assert person.do("return", held).status_code == 200


def test_what_is_paused_declined_complained_of_and_how_long_the_oldest_waits(rig: Rig):
    flow, nobodys = rig.flow(), rig.flow()
    queue = frozenset({("queue", f"flow-definition/{flow.name}")})
    before = read(rig)
    declined = {
        reason: ("tasks_declined", frozenset({("reason", reason)})) for reason in ("BadImage", "NotSaid")
    }
    with rig.clock.stopped():
        loops = [flow.start() for _ in range(3)]
        person = rig.worker(flow.team)
        first = person.take()
        rig.clock.advance(90)
        assert read(rig)["oldest_waiting_seconds", queue] == 90
        person.http.post(f"/worker/tasks/{first['task_id']}/complaint", json={"message": "no such element"})
        person.http.post(f"/worker/tasks/{first['task_id']}/decline", json={"reason": "BadImage"})
        second = person.take()
        person.do("decline", second)
        body = {"answer_content": {}, "active_seconds": 0.2}
        third = person.take()
        rig.clock.advance(5)
        person.http.post(f"/worker/tasks/{third['task_id']}/answer", json=body)
        flow.until(loops[2], "Completed")
    owner = rig.name("owner")
    rig.review.accounts.add(owner, flow.team, True)
    with rig.review.database.read() as session:
        number = session.scalars(select(FlowDefinition.id).where(FlowDefinition.name == flow.name)).one()
    Owning(rig.review.database, rig.clock).pause(number, True, owner)

    now = read(rig)

    assert now["queue_paused", queue] == 1
    assert now["queue_paused", frozenset({("queue", f"flow-definition/{nobodys.name}")})] == 0
    assert now["oldest_waiting_seconds", frozenset({("queue", f"flow-definition/{nobodys.name}")})] == 0
    assert now["complaints", queue] == 1
    assert {name: now[key] - before[key] for name, key in declined.items()} == {"BadImage": 1, "NotSaid": 1}
    assert now["answers_too_fast_total", NONE] - before["answers_too_fast_total", NONE] == 1


def test_labels_are_few_whatever_is_asked_and_however_many_flow_definitions_there_are(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(metrics, "_MOST_QUEUES", 1)
    flows = [rig.flow(), rig.flow()]
    for flow in flows:
        flow.start()
    read(rig)  # which is counted itself, when it has been answered
    before = read(rig)
    for number in range(3):
        httpx.get(f"{rig.url}/no/such/place/{number}")
        for target in (f"Describe{number}", "CreateTrainingJob"):
            httpx.post(f"{rig.url}/", headers={"X-Amz-Target": f"SageMaker.{target}"})
    now = read(rig)
    new = {value_of("operation", key) for key in now.keys() - before.keys() if key[0] == "requests_total"}
    assert new == {"(others)"}
    named = {value_of("flow_definition", key) for key in now if key[0] == "open_human_loops"}
    assert named == {flows[-1].name, "(others)"}
    assert now["tasks_waiting", frozenset({("queue", "(others)")})] >= 1


def test_an_ill_job_and_a_database_that_is_away_are_told(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    flow = rig.flow()
    (lane,) = [lane for lane in rig.review.background._lanes if lane.name == "Deliveries.deliver"]
    ill = "background_job_ill", frozenset({("job", "Deliveries.deliver")})
    with monkeypatch.context() as patch:
        patch.setattr(lane, "_job", lambda: 1 / 0)
        eventually(lambda: read(rig)[ill] == 1)
    eventually(lambda: read(rig)[ill] == 0, within=120)

    def away() -> None:
        raise DatabaseAway("does not answer")

    monkeypatch.setattr(rig.review.database, "read", away)
    now = read(rig)
    assert now["database_away", NONE] == 1
    assert ("open_human_loops", frozenset({("flow_definition", flow.name)})) not in now
