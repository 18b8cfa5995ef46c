"""What people may take back, give away, say and look at, against those who mean it ill: undo and reopening,
owners' hands in the work, complaints and comments, on both databases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.review_server.rig import Flow, Person, Rig
from tests.support.cloud import LocalCloud, eventually
from tests.support.postgresql import PostgreSQL

_UNDO = 600


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(
    cloud: LocalCloud, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("review")
    if request.param == "sqlite":
        with Rig(cloud, directory, undo_seconds=_UNDO) as running:
            yield running
        return
    with (
        PostgreSQL() as cluster,
        Rig(cloud, directory, database_url=cluster.database(), undo_seconds=_UNDO) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def owner(rig: Rig) -> Person:
    name = rig.name("owner")
    password = rig.review.accounts.add(name, rig.name("team"), True)[1]
    assert password is not None
    return Person(rig.url, name, password)


def _act(owner: Person, flow: Flow, action: str, **fields: str) -> int:
    token = {"csrf_token": owner.http.headers["x-csrf-token"]}
    return owner.http.post(f"/owner/flows/{flow.name}/{action}", data=token | fields).status_code


def test_what_is_kept_for_somebody_who_leaves_this_team_alone_is_for_everybody(rig: Rig, owner: Person):
    flow, other = rig.flow(), rig.flow()
    flow.start()
    ada = rig.worker(flow.team)
    bo = rig.worker(flow.team, other.team)
    task = ada.take(flow)
    assert _act(owner, flow, "reassign", task=task["task_id"], worker=bo.id) == 303
    assert ada.take(flow) is None
    rig.review.accounts.remove(bo.name, other.team)
    assert ada.take(flow) is None, "bo may still take it"
    rig.review.accounts.add(bo.name, other.team)
    rig.review.accounts.remove(bo.name, flow.team)
    assert ada.take(flow) is not None


def test_nothing_is_kept_for_somebody_who_has_a_place_at_it(rig: Rig, owner: Person):
    flow = rig.flow(TaskCount=2)
    flow.start()
    ada, bo, cleo = [rig.worker(flow.team) for _ in range(3)]
    held, also = ada.take(flow), bo.take(flow)
    assert _act(owner, flow, "reassign", task=held["task_id"], worker=bo.id) == 400
    assert bo.do("answer", also, {"a": 1}).status_code == 200
    assert _act(owner, flow, "release", task=held["task_id"]) == 303
    assert cleo.take(flow) is not None


def test_an_answer_that_was_taken_back_outlives_an_owners_release(rig: Rig, owner: Person):
    flow = rig.flow()
    flow.start()
    ada = rig.worker(flow.team)
    task = ada.take(flow)
    ada.do("answer", task, {"a": 1})
    assert _act(owner, flow, "release", task=task["task_id"]) == 400, "nobody holds it"
    assert ada.do("undo", task).status_code == 200
    assert _act(owner, flow, "release", task=task["task_id"]) == 303
    again = ada.take(flow)
    draft = ada.http.get(f"/worker/tasks/{again['task_id']}/draft")
    assert draft.json()["answer_content"] == {"a": 1}


def test_tabs_that_answer_take_back_and_take_at_once_lose_nothing(rig: Rig):
    flow = rig.flow(TaskCount=2)
    names = [flow.start() for _ in range(4)]
    people = [rig.worker(flow.team) for _ in range(2)]
    for _ in names:
        tasks = [person.take(flow) for person in people]
        with ThreadPoolExecutor(8) as tabs:
            asked = []
            for person, task in zip(people, tasks, strict=True):
                for action in ("answer", "undo", "answer", "undo"):
                    asked.append(tabs.submit(person.do, action, task, {"a": person.name}))
                asked.append(tabs.submit(person.take, flow))
        replies = [one.result() for one in asked]
        statuses = [reply.status_code for reply in replies if hasattr(reply, "status_code")]
        assert set(statuses) <= {200, 409}, statuses
        for person, task in zip(people, tasks, strict=True):
            # Whatever won: one's last word is taken, and counts once.
            if person.do("answer", task, {"a": person.name}).status_code != 200:
                assert person.do("again", task).status_code in (200, 201, 409)
                eventually(partial(_finish, person, flow))
        for person in people:
            while (more := person.take(flow)) is not None and more["item"] == tasks[0]["item"]:
                person.do("answer", more, {"a": person.name})
    rig.clock.advance(_UNDO)
    for name in names:
        said = [answer["answerContent"]["a"] for answer in flow.output(name)["humanAnswers"]]
        assert sorted(said) == sorted(person.name for person in people)


def _finish(person: Person, flow: Flow) -> bool:
    task = person.take(flow)
    return task is None or person.do("answer", task, {"a": person.name}).status_code == 200


def test_nobody_undoes_sees_or_complains_of_what_is_another_persons(rig: Rig):
    flow, other = rig.flow(), rig.flow()
    flow.start(content={"secret": "for ada alone"})
    ada, eve = rig.worker(flow.team), rig.worker(other.team)
    hint = ada.http.post("/worker/tasks/ahead", json={}).json()["item_hint"]
    taken = eve.http.post("/worker/tasks", json={"prefer": hint})
    assert taken.status_code == 204
    assert (
        eve.http.post("/worker/tasks/ahead", json={"queue": f"flow-definition/{flow.name}"}).status_code
        == 204
    )
    task = ada.take(flow)
    place = f"/worker/tasks/{task['task_id']}"
    ada.do("answer", task, {"a": 1})
    for method, path, body in [
        ("POST", "/undo", {}),
        ("POST", "/complaint", {"message": "x"}),
        ("GET", "/draft", None),
        ("GET", "", None),
        ("POST", "/again", {}),
        ("POST", "/decline", {"reason": "Other"}),
    ]:
        assert eve.http.request(method, place + path, json=body).status_code == 404, path
    assert eve.http.post("/worker/tasks/ahead", json={"task_id": task["task_id"]}).status_code == 404
    listed = eve.http.get("/worker/answers", params={"queue": f"flow-definition/{flow.name}"}).json()
    assert listed["answers"] == []
    without = {"x-csrf-token": ""}
    assert ada.http.post(f"{place}/undo", headers=without, json={}).status_code == 403
    assert ada.http.post("/worker/tasks/ahead", headers=without, json={}).status_code == 403


_ODD = "\ud800 \0 \u202eevil\u202c <b onclick=alert(1)> =1+1 \r\n {{ x }} \U0001f600"


def test_odd_words_are_shown_as_words(rig: Rig, owner: Person):
    flow = rig.flow()
    names = [flow.start() for _ in range(2)]
    ada = rig.worker(flow.team)
    task = ada.take(flow)
    place = f"/worker/tasks/{task['task_id']}"

    def post(path: str, body: Any) -> int:
        headers = {"content-type": "application/json"}
        return ada.http.post(place + path, content=json.dumps(body), headers=headers).status_code

    assert post("/complaint", {"message": _ODD}) in (204, 400)
    assert post("/complaint", {"message": "x" * 1_000_000}) in (204, 400, 413)
    assert post("/complaint", {"message": "\u202e" * 1000}) == 204
    messages: list[Any] = ["", " \0 ", 5, None, [], {"a": 1}]
    for message in messages:
        assert post("/complaint", {"message": message}) in (204, 400)
    assert post("/answer", {"answer_content": {"a": _ODD}, "comment": _ODD, "seen_seconds": 5}) == 200
    assert post("/undo", {}) == 200
    assert post("/decline", {"reason": "Other", "comment": "=" + _ODD[3:]}) == 200
    rows = [ada.take(flow)]
    assert ada.http.post(
        f"/worker/tasks/{rows[0]['task_id']}/answer",
        content=json.dumps({"answer_content": {"a\ud800": _ODD, "b": 1e308}, "comment": _ODD}),
        headers={"content-type": "application/json"},
    ).status_code in (200, 400)
    for path in (
        "",
        "/now",
        "/answers",
        "/answers?status=declined",
        "/answers?order=apart",
        "/answers.csv",
        "/answers.json",
    ):
        reply = owner.http.get(f"/owner/flows/{flow.name}{path}")
        assert reply.status_code == 200, path
        if not path.endswith(("csv", "json")):
            assert "<b onclick" not in reply.text
    json.loads(owner.http.get(f"/owner/flows/{flow.name}/answers.json").content)
    rig.a2i.stop_human_loop(HumanLoopName=names[0])
    assert len(flow.until(names[0], "Stopped").get("FailureReason", "")) <= 1024


@pytest.mark.parametrize(
    "body",
    [
        '{"answer_content": {}, "seen_seconds": -1' + "0" * 400 + "}",
        '{"answer_content": {}, "seen_seconds": -1e400}',
        '{"answer_content": {}, "active_seconds": -1' + "0" * 400 + "}",
        '{"answer_content": {}, "next": {"prefer": "99999999999999999999999"}, "comment": 5}',
        '{"answer_content": {}, "next": []}',
    ],
)
def test_odd_numbers_are_refused_or_taken_as_bounds(rig: Rig, body: str):
    flow = rig.flow()
    flow.start()
    ada = rig.worker(flow.team)
    place = f"/worker/tasks/{ada.take(flow)['task_id']}/answer"
    headers = {"content-type": "application/json"}
    assert ada.http.post(place, content=body, headers=headers).status_code in (200, 400)


def test_names_that_no_database_has_are_not_found(rig: Rig, owner: Person):
    ada = rig.worker(rig.flow().team)
    for path in ("/undo", "/complaint", "/answer", "/decline", "/again"):
        body = {"message": "x", "answer_content": {}}
        assert ada.http.post(f"/worker/tasks/%00{path}", json=body).status_code in (400, 404), path
    assert ada.http.get("/worker/answers?queue=%00").status_code == 200
    assert ada.http.get("/worker/queue?since=9999-12-31T23:59:59Z").status_code in (200, 400)
    assert ada.http.get("/worker/queue?since=0001-01-01T00:00:00Z").status_code in (200, 400)
    assert ada.http.post("/worker/tasks", json={"queue": "\0", "prefer": "\0"}).status_code in (204, 404)
    for path in (
        "flows/%00", "labeling-jobs/%00", "templates/hosts?ui=%00", "templates/hosts?job=%00",
        "templates/hosts?ui=%ED%A0%80", "flows/%ED%A0%80",
    ):  # fmt: skip
        assert owner.http.get(f"/owner/{path}").status_code in (400, 404), path
    form = {"csrf_token": owner.http.headers["x-csrf-token"], "allow": "cdn.example.org"}
    for name in ("%00", "%ED%A0%80"):
        assert owner.http.post(f"/owner/templates/hosts?ui={name}", data=form).status_code in (400, 404)
