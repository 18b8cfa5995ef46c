"""The local cloud, review server and S3 in one process, is killed again and again while a labeling job runs.

``NIGHTLOOP_CLOUD_KILLS=20`` kills it more often than the four times of every run, at more kinds of moments.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import Consolidation, Delivery, LabelingJob, ObjectItem, Task
from include.review_server.db.statuses import LabelingStatus, TaskStatus
from include.review_server.labeling.stages import not_offered
from include.review_server.people.accounts import Accounts
from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.review_server.labeling.killed import FUNCTION
from tests.review_server.labeling.runs import Output
from tests.review_server.rig import CORS, MEMBERS, Person
from tests.support.cloud import LocalCloud, eventually

PEOPLE = ("ann", "ben")
OBJECTS = 24
BUCKET = "drill"


def _open_group(session: Session, job: LabelingJob) -> object:
    query = select(Consolidation.id).where(Consolidation.job_id == job.id, Consolidation.ended_at.is_(None))
    return session.scalars(query.limit(1)).first()


def _in_hand(session: Session, job: LabelingJob) -> object:
    query = select(Task.id).where(Task.queue_id == job.id, Task.status == TaskStatus.IN_HAND)
    return session.scalars(query.limit(1)).first()


def _unwritten_answers(session: Session, job: LabelingJob) -> object:
    query = select(Delivery.item_id).join(ObjectItem, ObjectItem.id == Delivery.item_id)
    return session.scalars(query.where(ObjectItem.job_id == job.id).limit(1)).first()


# What a job is seen to be at when the cloud is killed.
MOMENTS: dict[str, Callable[[Session, LabelingJob], object]] = {
    "initializing": lambda session, job: job.status is LabelingStatus.INITIALIZING,
    "offering": lambda session, job: session.scalars(not_offered(job.id).limit(1)).first() is not None,
    "answering": _in_hand,
    "consolidating": _open_group,
    "writing answers": _unwritten_answers,
    "publishing": lambda session, job: job.changes != job.published,
    "ending": lambda session, job: job.ends_as is not None and not job.status.is_terminal,
}


class Drill:
    """A cloud that is killed, and the people who go on with its labeling jobs whatever happens to it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.database = Database(f"sqlite:///{cloud.data / 'review.db'}")
        self._random = random.Random(11)
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=CORS)
        sources = [f"s3://{BUCKET}/images/{number}.png" for number in range(OBJECTS)]
        put_files(s3, BUCKET, [json.dumps({"source-ref": source}) for source in sources])
        cloud.client("sagemaker").create_workteam(
            WorkteamName="reviewers", Description="d", MemberDefinitions=MEMBERS
        )
        accounts = Accounts(self.database, utc_now)
        made = [(name, accounts.add(name, "reviewers")[1]) for name in PEOPLE]
        self.people = [Person(cloud.review_url, name, password or "") for name, password in made]
        # (job, worker, object, task) as they were shown, and those of them whose answers were accepted.
        self.shown: list[tuple[str, str, int, str]] = []
        self.accepted: list[tuple[str, str, int, str]] = []
        self.kills = Counter[str]()

    def run(self, name: str, batch: int, moments: list[str]) -> list[dict[str, Any]]:
        """Run a job to its end, killed at these moments; the lines of its output."""
        request = labeling_request(name, BUCKET, attribute="said")
        task = request["HumanTaskConfig"]
        del request["LabelCategoryConfigS3Uri"], task["PreHumanTaskLambdaArn"]
        task["AnnotationConsolidationConfig"] = {"AnnotationConsolidationLambdaArn": FUNCTION}
        task |= {"NumberOfHumanWorkersPerDataObject": len(PEOPLE), "MaxConcurrentTaskCount": batch}
        self.cloud.client("sagemaker").create_labeling_job(**request)
        done = threading.Event()
        threads = [threading.Thread(target=self._work, args=(name, person, done)) for person in self.people]
        for thread in threads:
            thread.start()
        try:
            for moment in moments:
                self._kill(name, moment)
            eventually(
                lambda: self._job(name)["LabelingJobStatus"] not in ("Initializing", "InProgress"), within=300
            )
        finally:
            done.set()
            for thread in threads:
                thread.join()
        job = self._job(name)
        assert (job["LabelingJobStatus"], job["LabelCounters"]["HumanLabeled"]) == ("Completed", OBJECTS)
        return Output(self.cloud.client("s3"), BUCKET, name).manifest()

    def _job(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.cloud.client("sagemaker").describe_labeling_job(LabelingJobName=name)
        return described

    def _kill(self, name: str, moment: str) -> None:
        def has_come() -> bool:
            with self.database.read() as session:
                job = session.scalars(select(LabelingJob).where(LabelingJob.name == name)).one()
                assert not job.status.is_terminal, f"the job has ended and was never seen {moment}"
                return bool(MOMENTS[moment](session, job))

        eventually(has_come, within=300, pause=0.003)
        time.sleep(self._random.uniform(0, 0.01))
        self.cloud.kill()
        self.cloud.start()
        self.kills[moment] += 1

    def _work(self, name: str, person: Person, done: threading.Event) -> None:
        while not done.is_set():
            try:
                if not self._turn(name, person):
                    done.wait(0.1)
            except httpx.TransportError:
                done.wait(0.1)  # the cloud is gone: what became of the answer, the next task shows

    def _turn(self, name: str, person: Person) -> bool:
        task = person.take()
        if task is None:
            return False
        number = int(re.findall(r"(\d+)\.png", task["input"]["source-ref"])[0])
        turn = (name, person.name, number, task["task_id"])
        self.shown.append(turn)
        reply = person.do("answer", task, {"said": f"{person.name} of {number}"})
        assert reply.status_code == 200, reply.text
        self.accepted.append(turn)
        return True


@pytest.mark.timeout(900)
def test_kills_of_the_cloud_lose_no_answer_ask_nothing_twice_and_change_no_label(tmp_path: Path):
    moments = _moments(int(os.environ.get("NIGHTLOOP_CLOUD_KILLS", "4")))
    batch = 6 if len(moments) <= 4 else 2
    option = ("--labeling-function", "joined=tests.review_server.labeling.killed:joined")
    with LocalCloud(tmp_path / "cloud", *option) as cloud:
        drill = Drill(cloud)
        calm = drill.run("calm", batch, [])
        killed = drill.run("killed", batch, moments)
        assert drill.kills == Counter(moments)
        assert _comparable(killed) == _comparable(calm)

        turns = {turn for turn in drill.shown if turn[0] == "killed"}
        assert len(turns) == OBJECTS * len(PEOPLE), "each is asked about each object, in one turn"
        assert max(Counter(drill.accepted).values()) == 1
        everything = sorted(
            (person.id, f"{person.name} of {number}") for person in drill.people for number in range(OBJECTS)
        )
        output = Output(cloud.client("s3"), BUCKET, "killed")
        kept = [
            (answer["workerId"].rpartition(".")[2], answer["answerContent"]["said"])
            for key in output.keys("annotations/worker-response/")
            for answer in output.json(key)["answers"]
        ]
        assert sorted(kept) == everything
        drill.database.close()


def _moments(kills: int) -> list[str]:
    """So many of them: the first and the last of a job's life, and the others in turns between."""
    first, *others, last = MOMENTS
    between = others if kills > 4 else ["offering", "consolidating"]
    return [first, *(between * kills)[: kills - 2], last]


def _comparable(lines: list[dict[str, Any]]) -> list[str]:
    """The lines without what differs from job to job: its name, times, and who answered within a second."""
    moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+")
    fast = re.compile(r', "answered-too-fast": \[[^]]*\]')
    texts = [fast.sub("", moment.sub("TIME", json.dumps(line))) for line in lines]
    return [re.sub(r'"(calm|killed)"', "JOB", text) for text in texts]
