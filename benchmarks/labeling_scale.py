"""What a labeling job costs as its data set grows: reading it, each step of its run, and memory.

    python -m benchmarks.labeling_scale --objects 1000 10000 100000

For each size a server of its own, SQLite, and one local cloud for S3. The manifest is read as the server
reads it; then statements fill the tables as if all but the last five hundred objects had been labelled by two
people each, and the next batch goes out. Times are the processor's, of the server's own functions without
HTTP and without what S3 does. Memory is the process's own (VmHWM): how far it rose while the manifest was
read and while output.manifest was written.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from include.review_server.app import Review, create_review
from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.labeling.auto.rounds import AutoLabeling
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.steps import labeling_steps
from include.review_server.s3 import ObjectStore
from include.review_server.settings import ReviewSettings
from tests.support.cloud import ROLE, LocalCloud, eventually

NAME, BUCKET, TEAM = "scale", "scale", "team"
OPEN, CALLS = 500, 300
LABELS = {"labels": [{"label": "good"}, {"label": "bad"}]}
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-classifier name="crowd-classifier" categories="{{ task.input.labels | to_json | escape }}"
header="h"><classification-target>{{ task.input.taskObject }}</classification-target>
</crowd-classifier></crowd-form>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument(
        "--one", nargs=4, metavar=("OBJECTS", "S3_URL", "KEY", "SECRET"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_measured(int(options.one[0]), *options.one[1:])))
        return
    with tempfile.TemporaryDirectory(prefix="nightloop-cloud-") as data, LocalCloud(Path(data)) as cloud:
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        columns = [_in_process(cloud, objects) for objects in options.objects]
    print(f"{'':34}" + "".join(f"{objects:>14,}" for objects in options.objects))
    for row in columns[0]:
        print(f"{row:34}" + "".join(f"{column[row]:>14}" for column in columns))


def _in_process(cloud: LocalCloud, objects: int) -> dict[str, str]:
    """Each size in a process of its own: what one has read into memory is no other's."""
    _write_inputs(cloud.client("s3"), objects)
    command = [sys.executable, "-m", "benchmarks.labeling_scale", "--one", str(objects)]
    ran = subprocess.run(  # noqa: S603 (this module)
        [*command, cloud.endpoint_url, *cloud.keys()], stdout=subprocess.PIPE, text=True, check=True
    )
    measured: dict[str, str] = json.loads(ran.stdout.split("\n")[-2])
    return measured


def _write_inputs(s3: Any, objects: int) -> None:
    lines = [
        json.dumps({"source": f"What is said about object {number}, in a sentence or two.", "batch": "b7"})
        for number in range(objects)
    ]
    for key, body in (
        ("input.manifest", "\n".join(lines)),
        ("labels.json", json.dumps(LABELS)),
        ("ui.html", TEMPLATE),
    ):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def _measured(objects: int, s3_url: str, key: str, secret: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="nightloop-scale-") as data:
        review = create_review(
            ReviewSettings(
                data_dir=Path(data), s3_endpoint_url=s3_url, access_key_id=key, secret_access_key=secret
            )
        )
        review.start()
        try:
            seconds, risen = _initialize(review)
        finally:
            review.stop()
        _fill(review, objects)
        found = {"manifest read, s": f"{seconds:.1f}", "memory risen by reading, MB": f"{risen:.0f}"}
        return found | _run(review)


def _initialize(review: Review) -> tuple[float, float]:
    control: Any = review.control
    control.create_workteam(
        {
            "WorkteamName": TEAM,
            "Description": "d",
            "MemberDefinitions": [{"OidcMemberDefinition": {"Groups": [TEAM]}}],
        }
    )
    function = "arn:aws:lambda:us-east-1:432418664414:function:"
    request = {
        "LabelingJobName": NAME,
        "LabelAttributeName": "verdict",
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{BUCKET}/input.manifest"}}},
        "OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/gt"},
        "RoleArn": ROLE,
        "LabelCategoryConfigS3Uri": f"s3://{BUCKET}/labels.json",
        "HumanTaskConfig": {
            "WorkteamArn": Arns("us-east-1", "000000000000").workteam(TEAM),
            "UiConfig": {"UiTemplateS3Uri": f"s3://{BUCKET}/ui.html"},
            "PreHumanTaskLambdaArn": f"{function}PRE-TextMultiClass",
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": f"{function}ACS-TextMultiClass"
            },
            "TaskTitle": "t",
            "TaskDescription": "d",
            "NumberOfHumanWorkersPerDataObject": 2,
            "TaskTimeLimitInSeconds": 600,
            "MaxConcurrentTaskCount": OPEN,
        },
    }
    before = _memory(reset=True)
    began = time.process_time()
    control.create_labeling_job(request)

    def status() -> str | None:
        reply = control.describe_labeling_job({"LabelingJobName": NAME})
        if reply["LabelingJobStatus"] == "Failed":
            raise SystemExit(reply["FailureReason"])
        return reply["LabelingJobStatus"] if reply["LabelingJobStatus"] == "InProgress" else None

    eventually(status, within=3_600)
    return time.process_time() - began, _memory() - before


def _fill(review: Review, objects: int) -> None:
    """As if all objects but the last had been labelled by two people, in batches."""
    for name in ("ben", "cat"):
        review.accounts.add(name, TEAM)
    workers = {member.name: member.worker_id for member in review.accounts.members()}
    now = int(utc_now().timestamp() * 1000)
    values = {"ended": objects - OPEN, "now": now, "open": OPEN, **workers}
    with review.database.write() as session:
        for statement in _FILL:
            session.execute(text(statement), values)
    with review.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :ended - 1) "
_LABEL = (
    '{"verdict":0,"verdict-metadata":{"confidence":0.95,"job-name":"labeling-job/scale","class-name":"good",'
    '"human-annotated":"yes","creation-date":"2026-02-11T09:14:03.120551",'
    '"type":"groundtruth/text-classification"}}'
).replace(":", "\\:")
# The probe that has gone out meanwhile is put back first. The texts are of this file.
_ITEMS = "id, kind, queue_id, status, vacancies, created_at, available_until, finished_at"
_TASKS = "id, item_id, queue_id, worker_id, status, accepted_at, expires_at, ended_at"
_FILL = (
    "DELETE FROM item_inputs",
    "DELETE FROM object_items",
    "DELETE FROM work_items",
    "UPDATE data_objects SET status = 'Unlabeled', iteration = NULL",
    "UPDATE data_objects SET status = 'Labeled', iteration = 1 + number / :open WHERE number < :ended",
    f"INSERT INTO object_labels (job_id, number, content) {_NUMBERS} SELECT 1, i, '{_LABEL}' FROM n",  # noqa: S608
    f"INSERT INTO work_items ({_ITEMS}) {_NUMBERS} SELECT i + 1, 'LabelingJob', 1, 'Completed', 0, :now, "  # noqa: S608
    ":now + 864000000, :now FROM n",
    f"INSERT INTO object_items (id, job_id, number) {_NUMBERS} SELECT i + 1, 1, i FROM n",  # noqa: S608
    f"INSERT INTO item_inputs (item_id, content) {_NUMBERS} SELECT i + 1, '{{}}' FROM n",  # noqa: S608
    *(
        statement
        for name in ("ben", "cat")
        for statement in (
            f"INSERT INTO tasks ({_TASKS}) {_NUMBERS} SELECT '{name}' || i, i + 1, 1, :{name}, "  # noqa: S608
            "'Answered', :now, :now, :now FROM n",
            f"INSERT INTO answers (task_id, content) {_NUMBERS} SELECT '{name}' || i, "  # noqa: S608
            '\'{"crowd-classifier"\\: {"label"\\: "good"}}\' FROM n',
        )
    ),
    "UPDATE labeling_jobs SET iteration = 1 + :ended / :open, human_labeled = :ended, changes = :ended, "
    "published_iteration = :ended / :open",
)


def _run(review: Review) -> dict[str, str]:
    control: Any = review.control
    settings, arns = review.settings, Arns("us-east-1", "000000000000")
    store, log = ObjectStore(settings), JobLog(CloudLogs(settings))
    machine = AutoLabeling(review.database, utc_now, settings, store, log.say)
    advance, offer, consolidate, _ask_machine, publish = labeling_steps(
        review.database, utc_now, arns, store, review.functions, machine, log, lambda: None
    )
    found = {"next batch, ms": _once(advance)}
    times: dict[str, list[float]] = {"50 objects offered, ms": []}
    while _timed(times["50 objects offered, ms"], offer):
        pass
    workers = {member.name: member.worker_id for member in review.accounts.members()}
    for name in ("first page of jobs, ms", "queue, ms", "next task, ms", "answer, ms"):
        times[name] = []
    content = json.dumps({"crowd-classifier": {"label": "good"}})
    for _ in range(CALLS):
        for worker in workers.values():
            _timed(
                times["first page of jobs, ms"],
                lambda: control.list_labeling_jobs({"MaxResults": 100}),
            )
            _timed(times["queue, ms"], lambda: review.tasks.queue(worker))  # noqa: B023 (called at once)
            taken = _timed(times["next task, ms"], lambda: review.tasks.take(worker))  # noqa: B023
            _timed(times["answer, ms"], lambda: review.tasks.answer(worker, taken[0].id, content))  # noqa: B023
    while review.deliveries.deliver():
        pass
    times["50 objects consolidated, ms"] = []
    while _timed(times["50 objects consolidated, ms"], consolidate):
        pass
    found |= {name: f"{1000 * statistics.median(seconds[:-1]):.1f}" for name, seconds in times.items()}
    before = _memory(reset=True)
    found["output.manifest written, ms"] = _once(publish)
    found["memory risen by writing, MB"] = f"{_memory() - before:.0f}"
    return found


def _once(call: Callable[[], object]) -> str:
    seconds: list[float] = []
    _timed(seconds, call)
    return f"{1000 * seconds[0]:.0f}"


def _timed(seconds: list[float], call: Callable[[], Any]) -> Any:
    """Of processor time: what else the machine does meanwhile, and how fast its disk is, is not the job's."""
    began = time.process_time()
    result = call()
    seconds.append(time.process_time() - began)
    return result


def _memory(reset: bool = False) -> float:
    """The most memory that this process had since the last reset, in MB."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().split("\n")
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    main()
