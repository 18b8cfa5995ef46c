"""The tables, their migrations, and that questions asked often are answered from an index."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, select

from include.review_server.app import Review, create_review
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import Answer, Base, FlowDefinition, HumanLoop, ItemInput, Worker
from include.review_server.db.statuses import ItemStatus
from include.review_server.people.accounts import Accounts
from include.review_server.settings import ReviewSettings
from include.review_server.work.tasks import Tasks
from tests.review_server.rig import insert_flow

_GROWING = ["work_items", "human_loops", "tasks", "answers", "item_inputs", "deliveries", "worker_sessions"]


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_servers_that_start_together_migrate_once(database_url: str):
    databases = [Database(database_url) for _ in range(6)]
    threads = [threading.Thread(target=database.upgrade) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with databases[0].engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    for database in databases:
        database.close()


def test_the_migrations_lead_back_and_forth_with_the_data_in_place(database: Database):
    _, password = Accounts(database, utc_now).add("ann", "team")
    worker = Accounts(database, utc_now).sign_in("ann", password or "").worker_id
    insert_flow(database)
    tasks, now = Tasks(database, utc_now), utc_now()
    with database.write() as session:
        session.add_all(
            HumanLoop(
                name=name,
                queue_id=session.scalars(select(FlowDefinition.id)).one(),
                status=ItemStatus.IN_PROGRESS,
                vacancies=1,
                created_at=now,
                available_until=now + timedelta(hours=1),
                input_sha256="0",
            )
            for name in ("a", "b", "c")
        )
        session.flush()
        session.add_all(
            ItemInput(item_id=loop.id, content="{}") for loop in session.scalars(select(HumanLoop))
        )
    for answer in ('{"x": 1}', None):
        taken = tasks.take(worker)
        assert taken
        if answer:
            tasks.answer(worker, taken[0].id, answer)
    for revision in ("0001", "head"):
        database.migrate(revision)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        if database.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert [member.name for member in Accounts(database, utc_now).members()] == ["ann"]
    assert [(task.item, task.queue) for task in tasks.in_hand(worker)] == [("b", "flow-definition/flow")]
    (queue,) = tasks.queue(worker)
    assert queue.waiting == 1
    with database.read() as session:
        assert session.scalars(select(Answer.content)).one() == '{"x": 1}'


def test_what_a_reading_session_changes_is_thrown_away(database: Database):
    with database.read() as session:
        session.add(Worker(id="0" * 16, name="nobody", created_at=utc_now()))
        session.flush()
    assert Accounts(database, utc_now).members() == []
    with database.read() as session:
        assert session.get(Worker, "0" * 16) is None


def test_no_question_of_a_worker_or_a_caller_scans_a_table(tmp_path: Path):
    review = create_review(ReviewSettings(data_dir=tmp_path))
    review.database.upgrade()
    plans = _plans_of_everything(review)
    assert len(plans) > 15
    for statement, steps in plans.items():
        for step in steps:
            # Tables of at most a hundred rows may be scanned; those that grow with loops and people may not.
            for table in (
                "work_items",
                "human_loops",
                "tasks",
                "answers",
                "item_inputs",
                "deliveries",
                "worker_sessions",
            ):
                assert not step.startswith(f"SCAN {table}") or "INDEX" in step, f"{step}\n{statement}"
        assert not any("TEMP B-TREE FOR ORDER BY" in s for s in steps if "work_items" in statement), statement


def _plans_of_everything(review: Review) -> dict[str, list[str]]:
    """Run every hot path once on a small database and ask SQLite how it would do each statement."""
    seen: dict[str, tuple] = {}

    @event.listens_for(review.database.engine, "before_cursor_execute")
    def remember(_connection, _cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.setdefault(statement, parameters)

    _, password = review.accounts.add("ann", "team")
    worker = review.accounts.sign_in("ann", password or "")
    insert_flow(review.database)
    runtime, arn = review.runtime, "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/flow"
    for name in ("a", "b", "c"):
        start = {"HumanLoopName": name, "FlowDefinitionArn": arn, "HumanLoopInput": {"InputContent": "{}"}}
        runtime.start_human_loop(start)
        runtime.start_human_loop(start)
    for order in ("Ascending", "Descending"):
        params = {"FlowDefinitionArn": arn, "SortOrder": order, "MaxResults": 1}
        token = runtime.list_human_loops(params)["NextToken"]
        runtime.list_human_loops(params | {"NextToken": token})
    review.accounts.session(worker.token)
    review.tasks.queue(worker.worker_id)
    for _ in range(3):
        taken = review.tasks.take(worker.worker_id)
        assert taken
        review.tasks.answer(worker.worker_id, taken[0].id, "{}")
    review.tasks.in_hand(worker.worker_id)
    runtime.describe_human_loop({"HumanLoopName": "a"})
    review.deadlines.end_leases()
    review.deadlines.end_availability()
    review.flow_jobs.delete()
    event.remove(review.database.engine, "before_cursor_execute", remember)
    plans = {}
    with review.database.engine.connect() as connection:
        for statement, parameters in seen.items():
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans[statement] = [row[3] for row in rows]
    return plans
