"""An answer can be taken back until it is final, and an answer that was given is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from include.review_server.db.models import HumanLoop
from include.review_server.work.lifecycle import locked_all, settle, settles_now
from tests.review_server.rig import Flow, Person, Rig, read_output, refused
from tests.support.cloud import LocalCloud, eventually
from tests.support.postgresql import PostgreSQL

# The rig's clock is moved over it; the machine's own never gets so far during a test.
_UNDO = 600


@pytest.fixture(scope="module")
def rig(
    cloud: LocalCloud,
    database_kind: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rig]:
    postgresql: PostgreSQL | None = None
    if database_kind == "postgresql":
        postgresql = request.getfixturevalue("postgresql")
    url = postgresql.database() if postgresql else None
    directory = tmp_path_factory.mktemp("review")
    with Rig(cloud, directory, database_url=url, undo_seconds=_UNDO, least_seconds=0.7) as running:
        yield running


def _undo(worker: Person, task: dict[str, Any]) -> Any:
    reply = worker.do("undo", task)
    assert reply.status_code == 200, reply.text
    return reply.json()


def _draft(worker: Person, task: dict[str, Any]) -> Any:
    reply = worker.http.get(f"/worker/tasks/{task['task_id']}/draft")
    assert reply.status_code in (200, 204), reply.text
    return reply.json()["answer_content"] if reply.status_code == 200 else None


def _keep(worker: Person, task: dict[str, Any], content: dict[str, Any]) -> None:
    address = f"/worker/tasks/{task['task_id']}/draft"
    assert worker.http.put(address, json={"answer_content": content}).status_code == 204


def _answers(flow: Flow, name: str) -> list[Any]:
    return [answer["answerContent"] for answer in flow.output(name)["humanAnswers"]]


def test_an_answer_is_final_when_it_can_be_taken_back_no_more(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    reply = worker.do("answer", task, {"a": 1}).json()
    again = worker.do("answer", task, {"a": 1}).json()
    assert reply["status"] == "Answered"
    assert reply["undo_until"] == again["undo_until"] > reply["server_time"]
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"
    assert rig.worker(flow.team).take(flow) is None, "its place is taken"
    rig.clock.advance(_UNDO)
    assert _answers(flow, name) == [{"a": 1}]
    late = worker.do("undo", task)
    assert late.status_code == 409
    assert "final" in late.json()["error"]["message"]


def test_what_was_taken_back_is_in_hand_again_with_its_answer_as_draft(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=900)
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    body = {"answer_content": {"a": 1}, "active_seconds": 0, "comment": "the left one is cut"}
    worker.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body)
    back = _undo(worker, task)
    assert (back["task_id"], back["status"], back["input"]) == (task["task_id"], "InHand", task["input"])
    assert back["comment"] == "the left one is cut"
    assert back["expires_at"] >= task["expires_at"]
    assert _draft(worker, back) == {"a": 1}
    assert _undo(worker, task)["task_id"] == task["task_id"], "a lost reply can be asked for again"
    rig.clock.advance(_UNDO + 1)
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress", "what was taken back does not count"
    worker.do("answer", back, {"a": 2})
    rig.clock.advance(_UNDO)
    assert _answers(flow, name) == [{"a": 2}]


def test_the_task_that_stands_in_the_way_is_set_aside_with_what_was_on_the_page(rig: Rig):
    flow = rig.flow()
    first, second = flow.start(), flow.start()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    task = worker.take(flow)
    address = f"/worker/tasks/{task['task_id']}/answer"
    reply = worker.http.post(address, json={"answer_content": {"a": 1}, "next": {}}).json()
    following = reply["next"]
    assert (following["item"], following["status"]) == (second, "InHand")
    assert following["input"] == {"taskObject": "text"}
    _keep(worker, following, {"b": 1})
    assert _undo(worker, task)["item"] == first
    assert worker.http.get(f"/worker/tasks/{following['task_id']}").json()["status"] == "Returned"
    body = {"answer_content": {"a": 2}, "next": {"queue": f"flow-definition/{flow.name}"}}
    back = worker.http.post(address, json=body).json()["next"]
    assert (back["item"], _draft(worker, back)) == (second, {"b": 1})
    assert other.take(flow) is None


def test_undo_at_once_in_several_tabs_takes_back_once(rig: Rig):
    flow = rig.flow()
    names = [flow.start() for _ in range(2)]
    worker = rig.worker(flow.team)
    task = worker.answer({"a": 1}, flow)
    other = worker.take(flow)
    _keep(worker, other, {"b": 1})
    with ThreadPoolExecutor(4) as tabs:
        replies = list(tabs.map(lambda _: worker.do("undo", task), range(4)))
    assert [(reply.status_code, reply.json()["item"]) for reply in replies] == [(200, names[0])] * 4
    _keep(worker, task, {"a": 2})
    assert _undo(worker, task)["status"] == "InHand"
    assert _draft(worker, task) == {"a": 2}, "a late undo wrote over what was done since"
    # The page of the task that was set aside still has its work: it is told why it must wait.
    refusal = worker.do("again", other)
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "AnotherInHand")
    assert worker.do("answer", task, {"a": 2}).status_code == 200
    again = worker.do("again", other).json()
    assert (again["item"], _draft(worker, again)) == (names[1], {"b": 1})


def test_an_undo_and_the_answer_of_the_task_in_its_way_are_one_after_the_other(rig: Rig):
    flow = rig.flow()
    for _ in range(3):
        flow.start()
    worker = rig.worker(flow.team)
    for _ in range(4):
        task = worker.answer({"a": 1}, flow)
        other = worker.take(flow)
        body = {"answer_content": {"b": 1}, "next": {"queue": other["queue"]}}
        with ThreadPoolExecutor(2) as tabs:
            undone = tabs.submit(worker.do, "undo", task)
            answered = tabs.submit(worker.http.post, f"/worker/tasks/{other['task_id']}/answer", json=body)
        assert undone.result().status_code == 200
        status = worker.http.get(f"/worker/tasks/{other['task_id']}").json()["status"]
        assert (answered.result().status_code, status) in ((200, "Answered"), (409, "Returned"))
        # Whatever came last is in hand, alone; and the one that was taken back is not lost.
        (in_hand,) = worker.http.get("/worker/queue").json()["in_hand"]
        assert in_hand["task_id"] == task["task_id"]
        for each in (task, other):
            worker.do("undo", each)
            assert worker.do("return", each).status_code == 200


def test_what_was_taken_back_while_the_background_looked_is_not_final(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.answer({"a": 1}, flow)
    database, later = rig.review.database, rig.clock() + timedelta(seconds=_UNDO + 1)
    due = select(HumanLoop.id).where(HumanLoop.name == name, settles_now(later))
    with database.read() as session:
        found = list(session.scalars(due))
    assert len(found) == 1
    _undo(worker, task)
    with database.write() as session:
        for item in locked_all(session, found):
            settle(session, item, later)
    assert worker.http.get(f"/worker/tasks/{task['task_id']}").json()["status"] == "InHand"
    assert worker.do("answer", task, {"a": 2}).status_code == 200
    rig.clock.advance(_UNDO)
    assert _answers(flow, name) == [{"a": 2}]


def test_a_draft_is_the_workers_own_and_outlives_the_lease(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=30)
    name = flow.start()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    task = worker.take(flow)
    _keep(worker, task, {"a": "kept"})
    rig.clock.advance(31)
    between = eventually(lambda: other.take(flow))
    assert (between["item"], _draft(other, between)) == (name, None)
    assert other.do("return", between).status_code == 200
    again = worker.take(flow)
    assert (again["item"], again["task_id"] != task["task_id"]) == (name, True)
    assert (_draft(worker, again), _draft(worker, task)) == ({"a": "kept"}, None)


def test_of_two_answers_one_may_be_taken_back_for_as_long_as_the_other_is_missing(rig: Rig):
    flow = rig.flow(TaskCount=2)
    name = flow.start()
    first, second = rig.worker(flow.team), rig.worker(flow.team)
    task = first.answer({"by": "first"}, flow)
    rig.clock.advance(_UNDO + 1)
    latest = first.http.get("/worker/answers", params={"queue": task["queue"]}).json()["answers"]
    assert [(a["task_id"], a["reopenable"], a["undo_until"]) for a in latest] == [
        (task["task_id"], True, None)
    ]
    back = _undo(first, task)
    second.answer({"by": "second"}, flow)
    first.do("answer", back, {"by": "first", "mended": True})
    latest = first.http.get("/worker/answers").json()["answers"]
    assert (latest[0]["item"], latest[0]["reopenable"], latest[0]["undo_until"] is not None) == (
        name,
        True,
        True,
    )
    rig.clock.advance(_UNDO)
    assert _answers(flow, name) == [{"by": "second"}, {"by": "first", "mended": True}]
    assert [a["reopenable"] for a in first.http.get("/worker/answers").json()["answers"]] == [False]
    assert first.http.get("/worker/answers", params={"queue": "flow-definition/x"}).json()["answers"] == []


def test_a_stopped_loop_keeps_the_answer_that_was_not_final_yet(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.answer({"a": 1}, flow)
    assert refused(rig.a2i.delete_human_loop, HumanLoopName=name)[0] == "ValidationException"
    rig.a2i.stop_human_loop(HumanLoopName=name)
    assert worker.do("undo", task).status_code == 409
    flow.until(name, "Stopped")
    output = read_output(rig.s3, flow.loop(name))
    assert [answer["answerContent"] for answer in output["humanAnswers"]] == [{"a": 1}]


def test_a_flow_definition_that_is_deleted_keeps_it_too(rig: Rig):
    flow = rig.flow()
    flow.start()
    rig.worker(flow.team).answer({"a": 1}, flow)
    rig.sagemaker.delete_flow_definition(FlowDefinitionName=flow.name)
    prefix = f"reviews/{flow.name}/"
    listed = eventually(lambda: rig.s3.list_objects_v2(Bucket=flow.bucket, Prefix=prefix).get("Contents"))
    assert len(listed) == 1


def test_an_answer_is_final_when_the_availability_ends(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=60)
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    reply = worker.do("answer", task, {"a": 1}).json()
    assert reply["undo_until"] <= task["expires_at"]
    rig.clock.advance(61)
    assert worker.do("undo", task).status_code == 409
    assert _answers(flow, name) == [{"a": 1}]


def test_an_answer_of_before_the_clock_was_put_back_does_not_wait_for_ever(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    rig.clock.advance(2000)
    worker.answer({"a": 1}, flow)
    rig.clock.advance(-2000)
    assert _answers(flow, name) == [{"a": 1}]


def test_a_stranger_and_an_open_task_have_nothing_to_take_back(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    task = worker.take(flow)
    assert other.do("undo", task).status_code == 404
    assert worker.do("decline", task).status_code == 200
    assert worker.do("undo", task).status_code == 409


def test_an_answer_that_was_hardly_seen_is_refused(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    address = f"/worker/tasks/{task['task_id']}/answer"
    reply = worker.http.post(address, json={"answer_content": {}, "seen_seconds": 0.2})
    assert reply.status_code == 400
    assert "0.7" in reply.json()["error"]["message"]
    assert worker.http.post(address, json={"answer_content": {}, "seen_seconds": 0.7}).status_code == 200
