"""Taking, answering and giving back, as a signed-in worker's program meets it over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain

import httpx
import pytest

from include.review_server.errors import UnknownTask
from tests.review_server.rig import Flow, Person, Rig
from tests.support.cloud import eventually


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_taken_task_carries_the_input_and_a_lease_by_the_servers_clock(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=900)
    name = flow.start(content={"taskObject": "s3://photos/1.txt", "labels": ["cat"]})
    task = rig.worker(flow.team).take()
    assert task["item"] == name
    assert task["queue"] == f"flow-definition/{flow.name}"
    assert (task["title"], task["description"]) == ("Check the boxes", "Mend what is wrong")
    assert task["input"] == {"taskObject": "s3://photos/1.txt", "labels": ["cat"]}
    assert (_time(task["expires_at"]) - _time(task["accepted_at"])).total_seconds() == 900
    assert _time(task["server_time"]) >= _time(task["accepted_at"])


def test_nothing_to_do_is_an_empty_reply(rig: Rig):
    flow = rig.flow()
    worker = rig.worker(flow.team)
    assert worker.http.post("/worker/tasks").status_code == 204


def test_asking_again_gives_the_task_in_hand(rig: Rig):
    flow = rig.flow()
    flow.start()
    flow.start()
    worker = rig.worker(flow.team)
    first = worker.http.post("/worker/tasks")
    again = worker.http.post("/worker/tasks")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["task_id"] == again.json()["task_id"]


def test_two_tabs_at_once_hold_one_place(rig: Rig):
    flow = rig.flow(TaskCount=3)
    for _ in range(5):
        flow.start()
    worker = rig.worker(flow.team)
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda _: worker.take(flow), range(8)))
    assert len({task["task_id"] for task in tasks}) == 1


def test_the_queue_tells_what_waits_and_for_how_long(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=3_600)
    for _ in range(3):
        flow.start()
    worker = rig.worker(flow.team)
    task = worker.take()
    queue = worker.http.get("/worker/queue").json()
    assert [(f["queue"], f["waiting"]) for f in queue["queues"]] == [(f"flow-definition/{flow.name}", 2)]
    left = _time(queue["queues"][0]["available_until"]) - _time(queue["server_time"])
    assert 3_500 < left.total_seconds() <= 3_600
    assert [t["task_id"] for t in queue["in_hand"]] == [task["task_id"]]


def test_each_loop_is_answered_by_distinct_workers_however_many_ask_at_once(rig: Rig):
    flow = rig.flow(TaskCount=2)
    names = [flow.start() for _ in range(24)]
    workers = [rig.worker(flow.team) for _ in range(8)]

    def work(worker: Person) -> list[str]:
        done = []
        while task := worker.take(flow):
            assert worker.do("answer", task, {"by": worker.name}).status_code == 200
            done.append(task["item"])
        return done

    with ThreadPoolExecutor(len(workers)) as pool:
        done = list(pool.map(work, workers))
    assert sorted(chain.from_iterable(done)) == sorted(names * 2)
    for name in names:
        answers = flow.output(name)["humanAnswers"]
        assert len({answer["workerId"] for answer in answers}) == 2
    assert flow.in_flight() == 0


def test_an_expired_lease_is_refused_and_offered_again(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=30)
    name = flow.start()
    slow, other = rig.worker(flow.team), rig.worker(flow.team)
    task = slow.take(flow)
    assert other.take(flow) is None
    rig.clock.advance(31)
    late = slow.do("answer", task, {"a": 1})
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "TaskNotInHand"
    again = eventually(lambda: other.take(flow))
    assert again["item"] == name
    assert again["task_id"] != task["task_id"]
    assert other.do("answer", again, {"a": 2}).status_code == 200
    assert [a["answerContent"] for a in flow.output(name)["humanAnswers"]] == [{"a": 2}]


def test_a_worker_may_take_an_own_expired_or_returned_task_again(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=30)
    name = flow.start()
    worker = rig.worker(flow.team)
    worker.take(flow)
    rig.clock.advance(31)
    second = worker.take(flow)
    assert second["item"] == name
    assert worker.do("return", second).status_code == 200
    assert worker.do("return", second).status_code == 200, "a lost reply can be asked for again"
    assert worker.take(flow)["item"] == name


def test_a_declined_task_goes_to_someone_else_for_good(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    picky, other = rig.worker(flow.team), rig.worker(flow.team)
    assert picky.do("decline", picky.take(flow)).status_code == 200
    assert picky.take(flow) is None
    assert other.answer(flow=flow)["item"] == name


def test_a_draft_is_kept_until_the_task_ends(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    task = worker.take(flow)
    draft = f"/worker/tasks/{task['task_id']}/draft"
    assert worker.http.get(draft).status_code == 204
    for content in ({"a": 1}, {"a": "é", "b": [1.50]}):
        assert worker.http.put(draft, json={"answer_content": content}).status_code == 204
    assert worker.http.get(draft).json()["answer_content"] == {"a": "é", "b": [1.50]}
    assert worker.http.put(draft, json={"answer_content": []}).status_code == 400
    assert other.http.get(draft).status_code == 404
    assert other.http.put(draft, json={"answer_content": {}}).status_code == 404
    assert worker.do("return", task).status_code == 200
    assert worker.http.get(draft).status_code == 204
    assert worker.http.put(draft, json={"answer_content": {}}).status_code == 409


def test_a_question_is_asked_again_of_others_as_long_as_one_is_left(rig: Rig):
    flow = rig.flow(TaskCount=2)
    ann, ben, cid = (rig.worker(flow.team) for _ in range(3))
    again = flow.start(content={"taskObject": "text", "answeredBefore": [ann.id, ben.id, "somebody"]})
    other = flow.start()
    assert ann.take()["item"] == other
    ann.do("give-back", ann.take())
    assert cid.take()["item"] == again
    # Of the two who are wanted one is missing, and nobody else could be the other.
    assert ben.answer()["item"] == again
    assert cid.answer()["item"] == again
    answers = flow.output(again)["humanAnswers"]
    assert [answer["workerId"] for answer in answers] == [ben.id, cid.id]


def test_whoever_is_alone_is_asked_again_at_once(rig: Rig):
    flow = rig.flow()
    ann = rig.worker(flow.team)
    rig.review.accounts.invite(rig.name("worker"), flow.team)  # has not come yet
    name = flow.start(content={"answeredBefore": [ann.id]})
    assert ann.http.get("/worker/queue").json()["queues"][0]["waiting"] == 1
    assert ann.answer()["item"] == name


def test_when_the_others_do_not_come_for_half_of_the_time_anybody_may_answer(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=1000)
    ann, _ = rig.worker(flow.team), rig.worker(flow.team)
    flow.start(content={"answeredBefore": [ann.id]})
    assert ann.take() is None
    rig.clock.advance(501)
    assert ann.take() is not None


def test_an_input_that_means_something_else_keeps_nobody_away(rig: Rig):
    flow = rig.flow()
    worker = rig.worker(flow.team)
    for content in (
        [{"answeredBefore": 1}],
        {"answeredBefore": None},
        {"answeredBefore": {"a": 1}},
        {"answeredBefore": [None, 3, ["x"], "é" * 99, "0" * 17, "\u0000"]},
    ):
        name = flow.start(content=content)
        assert worker.answer()["item"] == name


def test_an_answer_counts_once_however_often_it_is_sent(rig: Rig):
    flow = rig.flow(TaskCount=2)
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    assert worker.do("answer", task, {"a": 1}).status_code == 200
    assert worker.do("answer", task, {"a": 1}).status_code == 200
    other = worker.do("answer", task, {"a": 2})
    assert other.status_code == 409
    assert "Answered" in other.json()["error"]["message"]
    assert worker.take(flow) is None, "the second answer must be another person's"
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not json",
        b"[]",
        b'{"answer_content": null}',
        b'{"answer_content": []}',
        b'{"answer_content": "{}"}',
        b'{"answer_content": {"score": NaN}}',
        b'{"answer_content": {"score": 1e999}}',
        b'\xff{"answer_content": {}}',
    ],
)
def test_an_answer_that_is_no_json_object_is_refused_with_the_reason(rig: Rig, held, body: bytes):
    worker, task = held
    reply = worker.http.post(
        f"/worker/tasks/{task['task_id']}/answer", content=body, headers={"content-type": "application/json"}
    )
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "BadAnswer"
    assert reply.json()["error"]["message"]
    assert worker.http.get(f"/worker/tasks/{task['task_id']}").json()["status"] == "InHand"


@pytest.fixture(scope="module")
def held(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    return worker, worker.take(flow)


def test_a_form_of_another_site_cannot_answer(held):
    worker, task = held
    address = f"/worker/tasks/{task['task_id']}/answer"
    body = '{"answer_content": {}}'
    as_form = worker.http.post(address, content=body, headers={"content-type": "text/plain"})
    assert as_form.status_code == 400
    for token in ("", "guessed", "ä"):
        without = worker.http.post(
            address, json={"answer_content": {}}, headers={"x-csrf-token": token.encode()}
        )
        assert without.status_code == 403


def test_a_body_beyond_the_limit_is_refused(held):
    worker, task = held
    huge = b'{"answer_content": {"a": "' + b"x" * (16 * 1024 * 1024) + b'"}}'
    reply = worker.http.post(
        f"/worker/tasks/{task['task_id']}/answer", content=huge, headers={"content-type": "application/json"}
    )
    assert reply.status_code == 413
    assert "16777216 bytes" in reply.json()["error"]["message"]


def test_a_worker_sees_nothing_of_others(rig: Rig, held):
    _, task = held
    colleague_flow = rig.flow()
    stranger = rig.worker(colleague_flow.team)
    for action in ("answer", "decline", "return"):
        assert stranger.do(action, task, {"a": 1}).status_code == 404
    assert stranger.http.get(f"/worker/tasks/{task['task_id']}").status_code == 404
    assert stranger.take() is None
    queue = stranger.http.get("/worker/queue").json()
    assert [q["queue"] for q in queue["queues"]] == [f"flow-definition/{colleague_flow.name}"]
    asked = stranger.http.post("/worker/tasks", json={"queue": task["queue"]})
    assert asked.status_code == 404


def test_an_ended_task_shows_no_input_any_more(rig: Rig):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    task = worker.answer(flow=flow)
    shown = worker.http.get(f"/worker/tasks/{task['task_id']}").json()
    assert shown["status"] == "Answered"
    assert "input" not in shown


def test_signing_in_needs_name_and_password_and_gives_a_guarded_cookie(rig: Rig):
    flow = rig.flow()
    worker = rig.worker(flow.team)
    for name, password in ((worker.name, "wrong"), ("nobody", "wrong"), (worker.name, "")):
        reply = httpx.post(f"{rig.url}/worker/session", json={"name": name, "password": password})
        assert reply.status_code == 401
        assert reply.json()["error"]["message"] == "wrong name or password"
    for body in ({}, {"name": worker.name}, {"name": 1, "password": 2}):
        assert httpx.post(f"{rig.url}/worker/session", json=body).status_code == 400
    assert httpx.get(f"{rig.url}/worker/queue").status_code == 401
    _, password = rig.review.accounts.reset(worker.name)
    assert worker.http.get("/worker/queue").status_code == 401, "a new password ends every session"
    reply = httpx.post(f"{rig.url}/worker/session", json={"name": worker.name, "password": password})
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_session_ends_by_signing_out_and_by_itself(rig: Rig):
    flow = rig.flow()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    cookies = dict(worker.http.cookies)
    assert worker.http.delete("/worker/session").status_code == 204
    stolen = httpx.get(f"{rig.url}/worker/queue", cookies=cookies)
    assert stolen.status_code == 401
    rig.clock.advance(13 * 3600)
    assert other.http.get("/worker/queue").status_code == 401


def test_a_removed_member_gives_the_task_back_and_is_signed_out(rig: Rig):
    flow: Flow = rig.flow()
    name = flow.start()
    leaver, stayer = rig.worker(flow.team), rig.worker(flow.team)
    assert leaver.take(flow)
    rig.review.accounts.remove(leaver.name)
    assert leaver.http.get("/worker/queue").status_code == 401
    assert stayer.take(flow)["item"] == name


def test_one_answer_is_asked_for_once_when_everybody_asks_at_once(rig: Rig):
    flow = rig.flow(TaskCount=1)
    names = [flow.start() for _ in range(30)]
    workers = [rig.worker(flow.team) for _ in range(3)]

    def work(worker: Person) -> list[str]:
        done = []
        while task := worker.take(flow):
            assert worker.do("answer", task, {"by": worker.name}).status_code == 200
            done.append(task["item"])
        return done

    with ThreadPoolExecutor(len(workers)) as pool:
        assert sorted(chain.from_iterable(pool.map(work, workers))) == sorted(names)
    assert {len(flow.output(name)["humanAnswers"]) for name in names} == {1}


def test_active_time_is_the_workers_as_far_as_the_servers_clock_allows(rig: Rig):
    flow = rig.flow(TaskCount=3)
    name = flow.start()
    for active in (12.25, 9e300, -3):
        worker = rig.worker(flow.team)
        with rig.clock.stopped():
            task = worker.take(flow)
            rig.clock.advance(60)
            rig.review.tasks.answer(worker.id, task["task_id"], "{}", active)
    spent = [answer["timeSpentInSeconds"] for answer in flow.output(name)["humanAnswers"]]
    assert spent[0] == 12.25
    assert spent[1] == 60
    assert spent[2] == 0


def test_a_task_whose_time_ran_out_may_be_taken_again_unless_somebody_else_has_it(rig: Rig):
    flow = rig.flow(TaskTimeLimitInSeconds=30)
    name = flow.start()
    slow, other = rig.worker(flow.team), rig.worker(flow.team)
    again = rig.review.tasks.take_again
    task = slow.take(flow)
    rig.clock.advance(31)
    new = again(slow.id, task["task_id"])
    assert new is not None
    assert (new.item, new.id != task["task_id"]) == (name, True)
    assert again(slow.id, new.id) == new, "it is in hand"
    rig.clock.advance(31)
    eventually(lambda: other.take(flow))
    assert again(slow.id, new.id) is None
    with pytest.raises(UnknownTask):
        again(other.id, new.id)
    other.answer(flow=flow)
    assert again(slow.id, new.id) is None


def test_a_name_with_a_nul_is_no_fault_of_the_server(rig: Rig):
    worker = rig.worker(rig.name("team"))
    asked = [worker.http.get(path) for path in ("/worker/tasks/%00", "/work/%00")]
    asked.append(worker.http.post("/worker/tasks", json={"queue": "\0"}))
    assert {reply.status_code for reply in asked} <= {400, 404}
