"""What a job does with auto-labeling's next step, and with a probe that failed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from include.review_server.arns import Arns
from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import DataObject, LabelingJob, ObjectLabel
from include.review_server.db.statuses import LabelingStatus, ObjectStatus
from include.review_server.labeling.auto.steps import AskPeople, Done, Label, Step, Wait
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.logs import JobLog
from include.review_server.labeling.machine import MachineSteps
from include.review_server.labeling.running import LabelingRuns
from include.review_server.settings import ReviewSettings
from tests.review_server.labeling.runs import insert_job, lines

PROBE = random.Random("000000000000job").sample(range(40), 10)
ARNS = Arns("us-east-1", "000000000000")
AUTOMATED: dict[str, Any] = {"LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": "arn:x"}}


class Planned:
    """Takes the steps of a list, as a learner would whose decisions are these."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)

    def next_step(self, job: JobView) -> Step:
        return self._steps.pop(0)

    def stop(self, job: JobView) -> None:
        """Nothing of it runs."""


class Case:
    """A job with auto-labeling, whose probe is answered at once."""

    def __init__(self, data: Path, *steps: Step, **changes: Any) -> None:
        settings = ReviewSettings(data_dir=data)
        self.database = Database(settings.database)
        self.database.upgrade()
        self.id = insert_job(self.database, "job", "bucket", lines(40), **(AUTOMATED | changes))
        say = JobLog(CloudLogs(settings))
        self.advance = LabelingRuns(self.database, utc_now, ARNS, say, lambda: None).advance
        self.ask = MachineSteps(self.database, utc_now, ARNS, Planned(*steps), lambda: None).ask
        self.advance()

    def ended_as(self, status: ObjectStatus, *numbers: int) -> None:
        """What is out has come to this."""
        with self.database.write() as session:
            out = update(DataObject).where(DataObject.status == ObjectStatus.ASKED)
            if numbers:
                out = out.where(DataObject.number.in_(numbers))
            session.execute(out.values(status=status))

    def numbers(self, status: ObjectStatus) -> list[int]:
        with self.database.read() as session:
            query = select(DataObject.number).where(DataObject.status == status)
            return list(session.scalars(query.order_by(DataObject.number)))

    def job(self) -> LabelingJob:
        with self.database.read() as session:
            return session.get_one(LabelingJob, self.id)


def test_the_learner_chooses_after_the_probe_and_labels_what_has_no_label(tmp_path: Path):
    label = {"verdict": 1, "verdict-metadata": {"human-annotated": "no"}}
    waiting, labelled = [n for n in range(40) if n not in PROBE], sorted({0, 1, *PROBE[:3]})
    case = Case(tmp_path, AskPeople(waiting[-3:]), Label(3, dict.fromkeys(labelled, label)), Wait(), Done())
    assert case.numbers(ObjectStatus.ASKED) == sorted(PROBE)
    assert not case.ask(), "people are at work"
    case.ended_as(ObjectStatus.LABELED)
    assert not case.advance(), "from here on the learner chooses"
    assert case.ask()
    assert case.numbers(ObjectStatus.ASKED) == waiting[-3:]
    case.ended_as(ObjectStatus.LABELED)
    assert case.ask()
    job, by_machine = case.job(), [n for n in labelled if n in waiting]
    assert (job.machine_labeled, job.iteration) == (len(by_machine), 2)
    with case.database.read() as session:
        stored = session.scalars(select(ObjectLabel).order_by(ObjectLabel.number)).all()
    assert [(one.number, json.loads(one.content)) for one in stored] == [(n, label) for n in by_machine]
    assert not case.ask(), "a training job runs"
    assert not case.ask(), "and is not asked about again at once"
    assert case.job().ends_as is None


@pytest.mark.parametrize(("failed", "ends_as"), [(1, None), (2, LabelingStatus.FAILED)])
def test_a_job_with_auto_labeling_fails_when_more_than_a_tenth_of_its_probe_has(
    tmp_path: Path, failed: int, ends_as: LabelingStatus | None
):
    case = Case(tmp_path)
    case.ended_as(ObjectStatus.FAILED, *case.numbers(ObjectStatus.ASKED)[:failed])
    case.ended_as(ObjectStatus.LABELED)
    case.advance()
    job = case.job()
    assert job.ends_as is ends_as
    assert ("more than 10% of the first objects" in (job.failure_reason or "")) == bool(ends_as)


def test_the_learner_sends_no_more_to_people_than_a_stopping_condition_allows(tmp_path: Path):
    waiting = [n for n in range(40) if n not in PROBE]
    conditions = {"MaxHumanLabeledObjectCount": 14}
    case = Case(tmp_path, AskPeople(waiting), StoppingConditions=conditions)
    case.ended_as(ObjectStatus.LABELED)
    with case.database.write() as session:
        session.get_one(LabelingJob, case.id).human_labeled = 10
    assert case.ask()
    assert case.numbers(ObjectStatus.ASKED) == waiting[:4]


def test_a_fault_in_one_jobs_step_holds_up_no_other_job(tmp_path: Path):
    case = Case(tmp_path)
    with case.database.write() as session:
        faulty = session.get_one(LabelingJob, case.id)
        faulty.request, faulty.iteration = json.dumps({"HumanTaskConfig": 7}), 0
        session.execute(update(DataObject).values(status=ObjectStatus.UNLABELED, iteration=None))
    other = insert_job(case.database, "other", "bucket", lines(1), **AUTOMATED)
    with pytest.raises(AttributeError):
        case.advance()
    with case.database.read() as session:
        assert session.get_one(LabelingJob, other).iteration == 1, "its batch is out"
