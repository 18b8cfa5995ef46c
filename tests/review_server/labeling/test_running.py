"""A labeling job from its first batch to its end: whom it asks what, and what is in S3 afterwards."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from include.review_server.db.models import LabelingJob, ObjectItem
from include.review_server.db.statuses import LabelingStatus
from include.review_server.labeling import responses
from include.review_server.work.retries import LONGEST_WAIT
from tests.review_server.labeling.runs import Output, insert_job, lines
from tests.review_server.rig import Person, Rig
from tests.support.cloud import eventually


class Run:
    """A job under test with people of its own."""

    def __init__(self, rig: Rig, objects: list[str], workers: int = 1, **changes: Any) -> None:
        self._rig = rig
        self.name, self.team, self.bucket = rig.name("job"), rig.name("team"), rig.bucket()
        self.people = [rig.worker(self.team) for _ in range(workers)]
        values: dict[str, Any] = {
            "workers_per_item": workers,
            "team": self.team,
            "created_at": rig.clock(),
        } | changes
        self.id = insert_job(rig.review.database, self.name, self.bucket, objects, **values)
        self.output = Output(rig.s3, self.bucket, self.name)
        rig.review.wake()

    def job(self) -> LabelingJob:
        with self._rig.review.database.read() as session:
            return session.get_one(LabelingJob, self.id)

    def until_out(self, count: int) -> None:
        """Wait until so many objects have been offered, all in all."""
        query = select(func.count(ObjectItem.id)).where(ObjectItem.job_id == self.id)

        def offered() -> bool:
            with self._rig.review.database.read() as session:
                return session.scalars(query).one() >= count

        eventually(offered)

    def take(self, person: Person) -> Any:
        reply = person.http.post("/worker/tasks", json={"queue": f"labeling-job/{self.name}"})
        return reply.json() if reply.status_code in (200, 201) else None

    def answer(self, person: Person, verdict: str = "good") -> int:
        """Answer everything that waits for this person; how much it was."""
        count = 0
        while task := self.take(person):
            assert person.do("answer", task, {"verdict": {"label": verdict}}).status_code == 200
            count += 1
        return count

    def work(self) -> None:
        """Everybody answers until the job has ended."""

        def ended() -> bool:
            for person in self.people:
                self.answer(person)
            return self.job().status.is_terminal

        eventually(ended, within=200)

    def set(self, **values: Any) -> None:
        with self._rig.review.database.write() as session:
            job = session.get_one(LabelingJob, self.id)
            for name, value in values.items():
                setattr(job, name, value)
        self._rig.review.wake()

    def until_ended(self) -> LabelingJob:
        eventually(lambda: self.job().status.is_terminal)
        return self.job()


def test_a_random_probe_then_the_rest_in_batches_and_every_line_comes_out_labelled(rig: Rig):
    config = {"MaxConcurrentTaskCount": 12}
    run = Run(rig, lines(30), workers=2, HumanTaskConfig=config)
    run.work()
    job = run.job()
    assert (job.status, job.human_labeled, job.failed) == (LabelingStatus.COMPLETED, 30, 0)
    batches = run.output.objects_by_iteration()
    drawn = set(random.Random(f"000000000000{run.name}").sample(range(30), 10))
    rest = [number for number in range(30) if number not in drawn]
    assert batches == {1: drawn, 2: set(rest[:12]), 3: set(rest[12:])}
    manifest = run.output.manifest()
    assert [line["source"] for line in manifest] == [f"object {number}" for number in range(30)]
    for number, line in enumerate(manifest):
        assert line["verdict"] == {}
        reference = line["verdict-metadata"]["worker-response-ref"]
        key = reference.removeprefix(f"s3://{run.bucket}/gt/{run.name}/")
        assert key.split("/")[3] == str(number)
        answers = run.output.json(key)["answers"]
        assert {one["workerId"] for one in answers} == {f"private.us-east-1.{p.id}" for p in run.people}
    _groups_are_those_of_the_responses(run.output, 30)
    text = run.output.text("manifests/output/output.manifest")
    assert text.count('"price":1.10') == 30, "numbers leave as they came"
    third = [
        json.loads(line)
        for line in run.output.text("annotations/intermediate/3/annotations.json").split("\n")[:-1]
    ]
    assert [int(line["datasetObjectId"]) for line in third] == rest[12:]
    assert all("verdict" in line for line in third)


def _groups_are_those_of_the_responses(output: Output, count: int) -> None:
    """Each object is in one request and its response, of at most 50 objects, under names that differ."""
    requests = output.keys("annotations/consolidated-annotation/consolidation-request/")
    seen: list[int] = []
    for key in requests:
        asked = [int(one["datasetObjectId"]) for one in output.json(key)]
        response = output.json(key.replace("-request/", "-response/"))
        assert [int(one["datasetObjectId"]) for one in response] == asked == sorted(asked)
        assert len(asked) <= 50
        seen += asked
    assert sorted(seen) == list(range(count))
    names = [key.rpartition("/")[2] for key in requests]
    assert len(set(names)) == len(names)


def test_large_answers_are_consolidated_in_groups_that_fit_into_memory(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(responses, "MOST_CHARACTERS", 2 * len('{"verdict":{"label":"good"}}'))
    run = Run(rig, lines(5))
    run.work()
    assert [one["verdict"] for one in run.output.manifest()] == [{}] * 5
    requests = run.output.keys("annotations/consolidated-annotation/consolidation-request/")
    groups = [[int(one["datasetObjectId"]) for one in run.output.json(key)] for key in requests]
    assert sorted(number for group in groups for number in group) == list(range(5))
    assert max(map(len, groups)) <= 2


def test_what_expires_is_labelled_by_the_answers_at_hand_and_fails_without_any(rig: Rig):
    run = Run(rig, lines(4), workers=2, availability_seconds=600)
    run.until_out(4)
    first = run.people[0]
    for _ in range(2):
        task = run.take(first)
        assert first.do("answer", task, {"verdict": {}}).status_code == 200
    rig.clock.advance(601)
    job = run.until_ended()
    assert (job.status, job.human_labeled, job.failed) == (LabelingStatus.COMPLETED, 2, 2)
    manifest = run.output.manifest()
    assert ["verdict" in line for line in manifest] == [True, True, False, False]
    why = manifest[3]["verdict-metadata"]["failure-reason"]
    assert why == "0 of 2 answers had come when the task's availability ended"


def test_an_object_that_all_decline_is_not_sent_again(rig: Rig):
    run = Run(rig, lines(1), workers=2)
    run.people.append(rig.worker(run.team))
    run.until_out(1)
    for person in run.people[:2]:
        assert person.do("decline", run.take(person)).status_code == 200
    assert run.until_ended().failed == 1
    assert run.take(run.people[2]) is None
    assert run.output.manifest()[0]["verdict-metadata"]["failure-reason"].endswith("2 had declined")


@pytest.mark.parametrize(
    ("conditions", "labelled"),
    [({"MaxHumanLabeledObjectCount": 13}, 13), ({"MaxPercentageOfInputDatasetLabeled": 55}, 11)],
)
def test_no_more_go_out_than_a_stopping_condition_allows(rig: Rig, conditions: dict[str, int], labelled: int):
    run = Run(rig, lines(20), StoppingConditions=conditions)
    run.work()
    job = run.job()
    assert (job.status, job.human_labeled, job.failed) == (LabelingStatus.COMPLETED, labelled, 0)
    manifest = run.output.manifest()
    assert sum("verdict" in line for line in manifest) == labelled
    assert run.take(run.people[0]) is None


def test_a_stopped_job_keeps_its_labels_and_lets_people_finish_what_they_hold(rig: Rig):
    run = Run(rig, lines(12), workers=1)
    run.until_out(10)
    ann = run.people[0]
    task = run.take(ann)
    assert ann.do("answer", task, {"verdict": {}}).status_code == 200
    held = run.take(ann)
    run.set(status=LabelingStatus.STOPPING)
    eventually(lambda: run.job().ends_as)
    assert run.job().status is LabelingStatus.STOPPING
    assert ann.do("answer", held, {"verdict": {}}).status_code == 200
    job = run.until_ended()
    assert (job.status, job.human_labeled, job.failed) == (LabelingStatus.STOPPED, 2, 0)
    manifest = run.output.manifest()
    assert len(manifest) == 12
    assert sum("verdict" in line for line in manifest) == 2
    assert sum(list(line) == ["source", "price"] for line in manifest) == 10
    assert run.take(ann) is None


def test_after_thirty_days_a_job_fails_and_keeps_what_it_has(rig: Rig):
    run = Run(rig, lines(11), availability_seconds=2_592_000)
    run.until_out(10)
    ann = run.people[0]
    assert ann.do("answer", run.take(ann), {"verdict": {}}).status_code == 200
    held = run.take(ann)
    run.set(created_at=rig.clock() - timedelta(days=30))
    job = run.until_ended()
    assert job.status is LabelingStatus.FAILED
    assert "30 days" in (job.failure_reason or "")
    assert job.human_labeled == 1
    assert ann.do("answer", held, {"verdict": {}}).status_code == 409


def test_a_manifest_in_another_bucket_that_is_away_holds_up_its_own_job_only(rig: Rig):
    away, run = Run(rig, lines(1)), Run(rig, lines(1))
    away.until_out(1)
    rig.s3.delete_bucket(Bucket=away.bucket)
    assert away.answer(away.people[0]) == 1
    run.work()
    assert away.job().status is LabelingStatus.IN_PROGRESS
    rig.s3.create_bucket(Bucket=away.bucket)
    rig.clock.advance(LONGEST_WAIT.total_seconds())
    assert away.until_ended().status is LabelingStatus.COMPLETED
