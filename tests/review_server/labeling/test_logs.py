"""What labeling jobs and their workers do is told to CloudWatch Logs, and nobody waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import (
    HumanTaskUi,
    ItemInput,
    LabelingJob,
    Membership,
    ObjectItem,
    Worker,
)
from include.review_server.db.statuses import ItemStatus, LabelingStatus
from include.review_server.labeling import cloud_logs
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.logs import JOB_GROUP, WORKER_GROUP, JobLog, WorkerLog
from include.review_server.settings import ReviewSettings
from include.review_server.work.tasks import Tasks
from tests.support.cloud import LocalCloud, eventually
from tests.support.sagemaker import log_of

ADA = "0123456789abcdef"


@pytest.fixture
def logs(cloud: LocalCloud) -> Iterator[CloudLogs]:
    access_key_id, secret_access_key = cloud.keys()
    settings = ReviewSettings(
        data_dir=Path("unused"),
        logs_endpoint=cloud.endpoint_url,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
    )
    logs = CloudLogs(settings)
    logs.start()
    yield logs
    logs.stop()


def insert_job(database: Database, name: str) -> None:
    """A labeling job whose only object is out, and its worker."""
    now = utc_now()
    with database.write() as session:
        session.add(HumanTaskUi(id=1, name="ui", content="x", content_sha256="0", created_at=now))
        session.add(Worker(id=ADA, name="ada", created_at=now))
        session.flush()
        session.add(Membership(worker_id=ADA, workteam_name="team"))
        session.add(
            LabelingJob(
                id=1, name=name, key_name=name.lower(), status=LabelingStatus.IN_PROGRESS, modified_at=now,
                reference_code="000000000000abcdefghijklmnop", request="{}", label_attribute="box",
                categories="[]", is_open=True, created_at=now, workteam_name="team", human_task_ui_id=1,
                title="t", description="d", workers_per_item=1, availability_seconds=9_999,
                time_limit_seconds=9_999, output_path="s3://bucket/out",
            )
        )  # fmt: skip
        session.flush()
        item = ObjectItem(
            id=1, queue_id=1, job_id=1, number=0, status=ItemStatus.IN_PROGRESS, vacancies=1, created_at=now,
            available_until=now + timedelta(days=365),
        )  # fmt: skip
        session.add(item)
        session.flush()
        session.add(ItemInput(item_id=1, content="{}"))


def test_a_workers_turns_are_told_as_documented(cloud: LocalCloud, database: Database, logs: CloudLogs):
    began = int(time.time())
    insert_job(database, name := f"Birds-{time.time_ns()}")
    database.on_turn = WorkerLog(logs, Arns("eu-west-1", "111122223333"), utc_now).note
    tasks = Tasks(database, utc_now)
    first = tasks.take(ADA)
    assert first is not None
    tasks.give_back(ADA, first[0].id)
    second = tasks.take(ADA)
    assert second is not None
    tasks.answer(ADA, second[0].id, "{}")
    eventually(lambda: len(log_of(cloud, WORKER_GROUP, name)) == 4)
    entries = [json.loads(line) for line in log_of(cloud, WORKER_GROUP, name)]
    kinds = ["TasksAccepted", "TasksReturned", "TasksAccepted", "TasksSubmitted"]
    assert [entry["event_type"] for entry in entries] == kinds
    last = entries[-1]
    submitted = time.strptime(last.pop("task_submitted_time"), "%a %b %d %H:%M:%S UTC %Y")
    assert time.strptime(last.pop("task_accepted_time"), "%a %b %d %H:%M:%S UTC %Y") <= submitted
    assert began <= int(last.pop("event_timestamp")) <= time.time()
    assert last == {
        "worker_id": f"private.eu-west-1.{ADA}",
        "cognito_user_pool_id": "",
        "cognito_sub_id": "",
        "task_returned_time": "",
        "task_declined_time": "",
        "workteam_arn": "arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/team",
        "labeling_job_arn": f"arn:aws:sagemaker:eu-west-1:111122223333:labeling-job/{name.lower()}",
        "work_requester_account_id": "111122223333",
        "job_reference_code": "000000000000abcdefghijklmnop",
        "job_type": "Private",
        "event_type": "TasksSubmitted",
    }


def test_a_job_has_a_stream_of_its_own(cloud: LocalCloud, logs: CloudLogs):
    said = JobLog(logs)
    names = [f"{name}-{time.time_ns()}" for name in ("one", "two")]
    for number in range(150):
        said.say(names[number % 2], "EXPORTED_LABELED_MANIFEST", f"{number}" + "…" * 2_000)
    eventually(lambda: len(log_of(cloud, JOB_GROUP, names[1])) == 75)
    for first, name in enumerate(names):
        entries = [json.loads(line) for line in log_of(cloud, JOB_GROUP, name)]
        assert {entry["event-name"] for entry in entries} == {"EXPORTED_LABELED_MANIFEST"}
        numbers = [int(entry["event-log-message"].rstrip("…")) for entry in entries]
        assert numbers == list(range(first, 150, 2))


def test_what_waited_for_days_goes_out_day_by_day(
    cloud: LocalCloud, logs: CloudLogs, monkeypatch: pytest.MonkeyPatch
):
    """A call whose lines span more than 24 hours is refused, and would be for ever."""
    logs.stop()
    spans: list[int] = []

    def note(params: dict, **_: object) -> None:
        times = [line["timestamp"] for line in params["logEvents"]]
        spans.append(max(times) - min(times))

    logs._logs().meta.events.register("provide-client-params.logs.PutLogEvents", note)
    stream, now = f"days-{time.time_ns()}", time.time()
    for hours in (50, 49, 1, 0):
        monkeypatch.setattr(time, "time", lambda ago=hours: now - ago * 3600)
        logs.say(JOB_GROUP, stream, {"hours": hours})
    monkeypatch.undo()
    logs.start()
    eventually(lambda: len(log_of(cloud, JOB_GROUP, stream)) == 4)
    assert spans
    assert max(spans) < 86_400_000


def test_nobody_waits_for_a_log_that_is_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cloud_logs, "_PAUSE_SECONDS", 3600.0)
    logs = CloudLogs(ReviewSettings(data_dir=Path("unused"), logs_endpoint="http://127.0.0.1:9"))
    logs.start()
    thread = logs._thread
    assert thread is not None
    began = time.monotonic()
    for number in range(30_000):
        logs.say("group", "stream", {"number": number})
    eventually(lambda: logs._is_away)
    logs.stop()
    assert time.monotonic() - began < 60
    eventually(lambda: not thread.is_alive())
