"""A server that is killed at any point of a labeling job goes on where it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import LabelingJob
from include.review_server.db.statuses import LabelingStatus
from include.review_server.people.accounts import Accounts
from tests.review_server.labeling.killed import FUNCTION, STEPS, settings
from tests.review_server.labeling.runs import Output, insert_job, lines
from tests.support.cloud import ROOT, LocalCloud

PEOPLE = ("ann", "ben")
OBJECTS = 38


@pytest.mark.timeout(900)
def test_a_kill_at_any_step_of_a_job_asks_nothing_twice_loses_no_answer_and_changes_no_output(
    cloud: LocalCloud, tmp_path: Path
):
    killed, statuses = _run(cloud, tmp_path / "killed", STEPS)
    assert statuses == [-signal.SIGKILL] * len(STEPS) + [0], "it died at every step, and then ended"
    calm, _ = _run(cloud, tmp_path / "calm", ())
    assert _comparable(killed) == _comparable(calm)

    journal = [json.loads(line) for line in (tmp_path / "killed" / "journal").read_text().split("\n")[:-1]]
    accepted = [(name, shown) for what, name, shown, _ in journal if what == "accepted"]
    assert len(set(accepted)) == len(accepted), "what was accepted is not asked again"
    turns = {(name, shown, task) for what, name, shown, task in journal if what == "took"}
    assert max(Counter((name, shown) for name, shown, _ in turns).values()) == 1, "one turn for each person"
    responses = [killed.json(key)["answers"] for key in killed.keys("annotations/worker-response/")]
    said = [answer["answerContent"]["said"] for answers in responses for answer in answers]
    assert sorted(said) == sorted(
        f"{name} of object {number}" for name in PEOPLE for number in range(OBJECTS)
    )
    assert {f"{name} of {shown}" for name, shown in accepted} <= set(said)

    requests = killed.keys("annotations/consolidated-annotation/consolidation-request/")
    asked = [int(one["datasetObjectId"]) for key in requests for one in killed.json(key)]
    assert sorted(asked) == list(range(OBJECTS)), "each object is consolidated once"
    answered = [
        key.replace("-response/", "-request/")
        for key in killed.keys("annotations/consolidated-annotation/consolidation-response/")
    ]
    assert answered == requests


def _run(cloud: LocalCloud, data: Path, steps: tuple[str, ...]) -> tuple[Output, list[int]]:
    """A job of two people in a data directory of its own, and the exit statuses of its lives."""
    s3, keys = cloud.client("s3"), cloud.keys()
    bucket = cloud.make_bucket(str(data))
    data.mkdir()
    database = Database(settings(data, cloud.endpoint_url, keys).database)
    database.upgrade()
    accounts = Accounts(database, utc_now)
    for name in PEOPLE:
        accounts.add(name, "team")
    config = {
        "MaxConcurrentTaskCount": 7,
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": FUNCTION},
    }
    job_id = insert_job(
        database, "drill", bucket, lines(OBJECTS), workers_per_item=len(PEOPLE), HumanTaskConfig=config
    )
    environment = cloud.env() | {"AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1]}
    lives = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.review_server.labeling.killed",
            data,
            cloud.endpoint_url,
            *steps,
            "end",
        ],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=400,
    )
    with database.read() as session:
        job = session.get_one(LabelingJob, job_id)
        assert (job.status, job.human_labeled) == (LabelingStatus.COMPLETED, OBJECTS)
    database.close()
    return Output(s3, bucket, "drill"), [int(status) for status in lives.stdout.split()]


def _comparable(output: Output) -> list[Any]:
    """What a job wrote, without times and who was fast: lines of the manifests, and which keys there are."""
    time = re.compile(r"\d{4}-\d\d-\d\d[T_]\d\d:\d\d:\d\d(\.\d+)?")
    fast = re.compile(r',"answered-too-fast":\[[^]]*\]')
    manifests = ["manifests/output/output.manifest", *output.keys("annotations/intermediate/")]
    texts = [fast.sub("", time.sub("TIME", output.text(key))) for key in manifests]
    return [texts, sorted(time.sub("TIME", key) for key in output.keys("annotations/worker-response/"))]
