"""What a worker is offered, in which order, and what is counted and shown before it is taken."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from include.review_server.db.models import FlowDefinition, HumanLoop, WorkItem, WorkQueue
from include.review_server.errors import Forbidden
from tests.review_server.rig import Flow, Person, Rig


def _ahead(worker: Person, flow: Flow, **body: Any) -> Any:
    reply = worker.http.post("/worker/tasks/ahead", json={"queue": f"flow-definition/{flow.name}"} | body)
    assert reply.status_code in (200, 204), reply.text
    return reply.json() if reply.status_code == 200 else None


def _queue(worker: Person, flow: Flow) -> dict[str, Any]:
    queues: list[dict[str, Any]] = worker.http.get("/worker/queue").json()["queues"]
    return next(queue for queue in queues if queue["queue"] == f"flow-definition/{flow.name}")


def _set_queue(rig: Rig, flow: Flow, **values: Any) -> None:
    with rig.review.database.write() as session:
        queue = session.scalars(select(WorkQueue).where(WorkQueue.id == _queue_id(rig, flow))).one()
        for name, value in values.items():
            setattr(queue, name, value)


def _queue_id(rig: Rig, flow: Flow) -> int:
    with rig.review.database.read() as session:
        return session.scalars(select(FlowDefinition.id).where(FlowDefinition.name == flow.name)).one()


def _reserve(rig: Rig, loop: str, worker_id: str) -> None:
    with rig.review.database.write() as session:
        of_loop = select(HumanLoop.__table__.c.id).where(HumanLoop.__table__.c.name == loop)
        session.execute(
            update(WorkItem)
            .where(WorkItem.id.in_(of_loop))
            .values(reserved_for=worker_id)
            .execution_options(synchronize_session=False)
        )


def test_counts_are_true_for_each_worker(rig: Rig):
    flow = rig.flow(TaskCount=2)
    for _ in range(5):
        flow.start()
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    ann.answer(flow=flow)
    ann.take(flow)
    ben.take(flow)
    names = ("waiting", "held_elsewhere", "open", "done_today", "is_paused")
    seen = [tuple(_queue(worker, flow)[name] for name in names) for worker in (ann, ben)]
    assert seen == [(3, 1, 5, 1, False), (4, 1, 5, 0, False)]
    tomorrow = {"since": "2100-01-01T00:00:00Z"}
    (queue,) = ann.http.get("/worker/queue", params=tomorrow).json()["queues"]
    assert queue["done_today"] == 0
    assert ann.http.get("/worker/queue", params={"since": "today"}).status_code == 400


def test_a_paused_queue_offers_nothing_and_keeps_what_is_in_hand(rig: Rig):
    flow = rig.flow()
    flow.start()
    name = flow.start()
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    task = ann.take(flow)
    _set_queue(rig, flow, is_paused=True)
    assert (ben.take(flow), _ahead(ben, flow)) == (None, None)
    assert (_queue(ben, flow)["waiting"], _queue(ben, flow)["is_paused"]) == (0, True)
    assert ann.do("answer", task, {}).status_code == 200
    _set_queue(rig, flow, is_paused=False)
    assert ben.take(flow)["item"] == name


def test_the_queue_of_the_highest_priority_comes_first(rig: Rig):
    older, urgent = rig.flow(), rig.flow()
    older.start()
    name = urgent.start()
    worker = rig.worker(older.team, urgent.team)
    _set_queue(rig, urgent, priority=5)
    first = worker.http.get("/worker/queue").json()["queues"][0]
    assert first["queue"] == f"flow-definition/{urgent.name}"
    assert worker.take()["item"] == name


def test_what_is_kept_for_somebody_is_offered_to_nobody_else(rig: Rig):
    flow = rig.flow()
    name = flow.start(content={"answeredBefore": ["0" * 16]})
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    _reserve(rig, name, ann.id)
    assert ben.take(flow) is None
    task = ann.take(flow)
    assert task["item"] == name
    ann.do("decline", task)
    assert ben.take(flow)["item"] == name, "who declines gives it free"


def test_what_was_kept_for_somebody_who_left_is_for_everybody(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    _reserve(rig, name, ann.id)
    rig.review.accounts.remove(ann.name)
    assert ben.take(flow)["item"] == name


def test_two_workers_fetch_different_items_ahead_and_get_them(rig: Rig):
    flow = rig.flow()
    names = [flow.start() for _ in range(5)]
    ann, ben, cid = (rig.worker(flow.team) for _ in range(3))
    ann.take(flow)
    ben.take(flow)
    of_ann, of_ben = _ahead(ann, flow), _ahead(ben, flow)
    assert [of_ann["item"], of_ben["item"]] == names[2:4]
    assert _ahead(ann, flow)["item_hint"] == of_ann["item_hint"], "asked again"
    assert ann.http.get(of_ann["frame"]).status_code == 200
    assert ben.http.get(of_ann["frame"]).status_code == 403
    assert cid.take(flow)["item"] == names[4], "others' hints come last"
    task = ben.http.get("/worker/queue").json()["in_hand"][0]
    body = {"answer_content": {}, "next": {"queue": task["queue"], "prefer": of_ben["item_hint"]}}
    reply = ben.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body).json()
    assert reply["next"]["item"] == of_ben["item"]
    assert _ahead(ben, flow) is None, "what is left is in others' pages"
    assert cid.answer(flow=flow)["item"] == names[4]
    assert cid.take(flow)["item"] == of_ann["item"], "a hint holds nothing"


def test_a_hint_that_is_gone_or_no_hint_at_all_gives_the_next(rig: Rig):
    flow = rig.flow()
    names = [flow.start() for _ in range(7)]
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    hint = _ahead(ann, flow)["item_hint"]
    ben.http.post("/worker/tasks", json={"prefer": hint})
    for number, prefer in enumerate((hint, "", "x", "-1", "9" * 40, "²"), 1):
        task = ann.http.post("/worker/tasks", json={"prefer": prefer}).json()
        assert task["item"] == names[number]
        ann.do("answer", task, {})
    assert ann.http.post("/worker/tasks", json={"prefer": 7}).status_code == 400


def test_what_is_fetched_ahead_is_shown_while_it_is_offered(rig: Rig):
    flow = rig.flow()
    flow.start(content={"taskObject": "ahead"})
    ann, ben = rig.worker(flow.team), rig.worker(flow.team)
    stranger = rig.worker(rig.flow().team)
    ahead = rig.review.tasks.ahead(ann.id)
    assert ahead is not None
    shown = rig.review.tasks.ahead_input
    assert shown(ann.id, ahead.item_id).input == '{"taskObject": "ahead"}'
    with pytest.raises(Forbidden):
        shown(stranger.id, ahead.item_id)
    ann.take(flow)
    assert shown(ann.id, ahead.item_id).queue_id == _queue_id(rig, flow)
    for worker, item in ((ben, ahead.item_id), (ann, 0)):
        with pytest.raises(Forbidden):
            shown(worker.id, item)
