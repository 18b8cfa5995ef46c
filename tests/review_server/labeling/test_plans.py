"""No step of a job reads all objects of the job: it would be slower the more there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import event, update

from include.review_server.app import create_review
from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.db.models import DataObject, WorkItem
from include.review_server.db.statuses import ObjectStatus
from include.review_server.labeling.auto.rounds import AutoLabeling
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.steps import labeling_steps
from include.review_server.s3 import ObjectStore
from include.review_server.settings import ReviewSettings
from tests.review_server.labeling.runs import insert_job, lines

_LARGE = re.compile(r"SCAN (data_objects|object_\w+|work_items|item_inputs|tasks|answers)\b")


def test_no_step_reads_what_it_has_nothing_to_do_with(tmp_path: Path):
    nowhere = "http://127.0.0.1:1"  # S3 is not asked about here, and refuses at once
    settings = ReviewSettings(tmp_path, s3_endpoint_url=nowhere, access_key_id="a", secret_access_key="b")
    review = create_review(settings)
    database = review.database
    database.upgrade()
    insert_job(database, "job", "bucket", lines(30), workers_per_item=1)
    asked: dict[str, Any] = {}

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE")) and not many:
            asked[statement] = parameters

    log = JobLog(CloudLogs(settings))
    store = ObjectStore(settings)
    machine = AutoLabeling(database, utc_now, settings, store, log.say)
    arns = Arns(settings.region, settings.account_id)
    advance, offer, consolidate, _ask, _publish = labeling_steps(
        database, utc_now, arns, store, review.functions, machine, log, lambda: None
    )
    advance()
    while offer():
        pass
    _, password = review.accounts.add("ann", "team")
    worker = review.accounts.sign_in("ann", password or "").worker_id
    while taken := review.tasks.take(worker):
        review.tasks.answer(worker, taken[0].id, "{}")
    with database.write() as session:
        session.execute(update(WorkItem).where(WorkItem.queue_id == 1).values(finished_at=utc_now()))
        answered = update(DataObject).where(DataObject.job_id == 1, DataObject.status == ObjectStatus.ASKED)
        session.execute(answered.values(status=ObjectStatus.ANSWERED))
    known = len(asked)
    consolidate()
    assert len(asked) > known
    event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        for statement, parameters in asked.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            found = [row[3] for row in plan if _LARGE.search(row[3])]
            assert not found, f"{found} in {statement}"
