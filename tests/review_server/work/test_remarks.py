"""What workers and their pages say beside their answers: reasons, comments, complaints."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from include.review_server.db.models import Complaint, FlowDefinition, Task
from include.review_server.work.complaints import MOST_OF_A_QUEUE, complain
from tests.review_server.rig import Flow, Person, Rig


def _decline(worker: Person, task: dict[str, Any], **body: Any) -> httpx.Response:
    return worker.http.post(f"/worker/tasks/{task['task_id']}/decline", json=body)


def _complain(worker: Person, task: dict[str, Any], message: Any) -> httpx.Response:
    return worker.http.post(f"/worker/tasks/{task['task_id']}/complaint", json={"message": message})


def _complaints(rig: Rig, flow: Flow) -> list[tuple[str, int]]:
    query = (
        select(Complaint.message, Complaint.times)
        .join(FlowDefinition, FlowDefinition.id == Complaint.queue_id)
        .where(FlowDefinition.name == flow.name)
        .order_by(Complaint.id)
    )
    with rig.review.database.read() as session:
        return [(row.message, row.times) for row in session.execute(query)]


def test_a_failed_loop_says_who_declined_and_why(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=60)
    name = flow.start()
    people = [rig.worker(flow.team) for _ in range(4)]
    said: tuple[dict[str, str], ...] = (
        {"reason": "BadImage", "comment": "half is missing"},
        {"reason": "NotSure"},
        {},
        {"reason": "NotSure"},
    )
    for person, body in zip(people, said, strict=True):
        assert _decline(person, person.take(flow), **body).status_code == 200
    rig.clock.advance(61)
    loop = flow.until(name, "Failed")
    assert loop["FailureReason"] == (
        "0 of 1 answers had come when the task's availability ended; declined by 4: bad image, not sure (2); "
        '"half is missing"'
    )


def test_long_comments_do_not_make_a_reason_too_long(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=60)
    name = flow.start()
    for _ in range(12):
        worker = rig.worker(flow.team)
        _decline(worker, worker.take(flow), reason="Other", comment="é" * 1000)
    rig.clock.advance(61)
    assert len(flow.until(name, "Failed")["FailureReason"]) <= 1024


@pytest.mark.parametrize(
    "body", [{"reason": "Bored"}, {"reason": 1}, {"reason": []}, {"comment": 1}, {"comment": "x" * 1001}]
)
def test_a_reason_or_comment_that_is_none_is_refused(rig: Rig, body: dict[str, Any]):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    reply = _decline(worker, worker.take(flow), **body)
    assert reply.status_code == 400
    assert next(iter(body)) in reply.json()["error"]["message"]


def test_a_comment_with_an_answer_is_kept_beside_it_and_not_in_a2is_output(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    body = {"answer_content": {"a": 1}, "comment": " is a \0 fox a dog? "}
    assert worker.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body).status_code == 200
    (latest,) = worker.http.get("/worker/answers").json()["answers"]
    assert latest["comment"] == "is a  fox a dog?"
    with rig.review.database.read() as session:
        assert session.get_one(Task, task["task_id"]).comment == "is a  fox a dog?"
    (answer,) = flow.output(name)["humanAnswers"]
    assert answer["answerContent"] == {"a": 1}
    assert "comment" not in answer


def test_the_same_complaint_counts_and_is_one_row(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    for message in ("no <crowd-lens>", "no <crowd-lens>", "x" * 5000, "\0nul"):
        assert _complain(worker, task, message).status_code == 204
    for wrong in ("", "  ", None, 7):
        assert _complain(worker, task, wrong).status_code == 400
    assert _complaints(rig, flow) == [("no <crowd-lens>", 2), ("x" * 1000, 1), ("nul", 1)]
    stranger = rig.worker(flow.team)
    assert _complain(stranger, task, "mine").status_code == 404


def test_a_page_that_does_not_stop_complaining_is_not_listened_to(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    with rig.clock.stopped():
        said = [_complain(worker, task, f"number {number}") for number in range(31)]
        assert [reply.status_code for reply in said] == [204] * 30 + [429]
        assert said[-1].headers["retry-after"] == "60"
        rig.clock.advance(61)
        assert _complain(worker, task, "again").status_code == 204


def test_a_queue_keeps_the_newest_complaints(rig: Rig):
    flow = rig.flow()
    with rig.review.database.write() as session:
        queue = session.scalars(select(FlowDefinition.id).where(FlowDefinition.name == flow.name)).one()
        for number in range(MOST_OF_A_QUEUE + 3):
            complain(session, queue, f"number {number}", rig.clock())
    said = [message for message, _ in _complaints(rig, flow)]
    assert said == [f"number {number}" for number in range(3, MOST_OF_A_QUEUE + 3)]
