"""The page of one item, against people who would fill it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.review_server import jsontext
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, HumanLoop, Task, Worker
from include.review_server.db.statuses import ItemStatus, TaskStatus
from include.review_server.portal.owner_item import _indented, _turns
from tests.review_server.rig import insert_flow


def test_giving_back_again_and_again_hides_nobodys_answer(database: Database):
    insert_flow(database, id=1)
    now = utc_now()
    with database.write() as session:
        session.add_all(Worker(id=16 * name, name=name, created_at=now) for name in "ab")
        session.add(
            HumanLoop(
                id=1, queue_id=1, name="loop", input_sha256="0", status=ItemStatus.IN_PROGRESS, vacancies=1,
                created_at=now, available_until=now + timedelta(days=1),
            )
        )  # fmt: skip
        session.flush()
        for turn in range(301):
            answered = turn == 150
            at = now + timedelta(seconds=turn)
            session.add(
                Task(
                    id=f"{turn:032x}", item_id=1, queue_id=1, worker_id=16 * ("b" if answered else "a"),
                    status=TaskStatus.ANSWERED if answered else TaskStatus.RETURNED,
                    accepted_at=at, expires_at=at, ended_at=at,
                )
            )  # fmt: skip
        session.flush()
        session.add(Answer(task_id=f"{150:032x}", content='{"verdict":{"label":"good"}}'))
    with database.read() as session:
        turns = list(_turns(session, 1))
    assert [turn.said.words for turn in turns if turn.said] == ["good"]
    assert turns == sorted(turns, key=lambda turn: turn.accepted_at)
    assert turns[-1].accepted_at > turns[0].accepted_at + timedelta(seconds=100), "the newest beside it"


def test_an_answer_nested_deeply_is_no_page_of_spaces():
    nested: Any = [0] * 50_000
    for _ in range(80):
        nested = [nested]
    text = jsontext.dump({"deep": nested})
    assert _indented({"deep": nested}, text) == text
    assert _indented({"a": [1]}, '{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
