"""A labeling job that people have really answered: how it goes, and what its labels are worth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from include.loop.analysis.costs import Prices
from include.loop.analysis.progress import Counted, Progress, read_progress, tell
from include.loop.analysis.publishing import publish
from include.loop.analysis.sources import Sources
from include.loop.nightly import review_setup
from tests.loop.analysis.jobs import TRUE, boxes, drawn
from tests.loop.place import Place, picture
from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.support.cloud import eventually


def label(place: Place, *answers: Any) -> str:
    """Have three pictures labelled by so many people, each of whom always says the same; the job's name."""
    job, team = f"job-{place.bucket[-12:]}", place.team
    review_setup.setup_bucket(place.workspace)
    review_setup.setup_workteam(place.workspace)
    people = [place.rig.worker(team) for _ in answers]
    sources = [place.put(f"in/{n}.jpg", picture(100 + n)) for n in range(3)]
    put_files(place.s3, place.bucket, [json.dumps({"source-ref": one}) for one in sources], ("nut", "bolt"))
    request = labeling_request(job, place.bucket, team=team)
    request["HumanTaskConfig"]["NumberOfHumanWorkersPerDataObject"] = len(answers)
    place.control.create_labeling_job(**request)

    def ended() -> bool:
        for person, answer in zip(people, answers, strict=True):
            while True:
                reply = person.http.post("/worker/tasks", json={"queue": f"labeling-job/{job}"})
                if reply.status_code not in (200, 201):
                    break
                assert person.do("answer", reply.json(), answer).status_code == 200
        described = place.control.describe_labeling_job(LabelingJobName=job)
        assert described["LabelingJobStatus"] != "Failed", described
        return bool(described["LabelingJobStatus"] == "Completed")

    eventually(ended, within=200)
    return job


def add_auto_labeling(place: Place, job: str) -> str:
    """What a twelfth iteration by machine writes, and the log of the model that it trained."""
    below = f"s3://{place.bucket}/gt/{job}"
    line = json.dumps(boxes("s3://b/x", TRUE[:1], human="no"))
    output = "".join(f"{n} {line}\n" for n in (12, 13, 14)) + '15 no label\n16 {"box-metadata": 5}\n'
    place.storage.write(f"{below}/activelearning/12/xyz/auto_annotator_output.txt", output.encode())
    training_job = f"{job}-12"
    place.storage.write(f"{below}/training/12/xyz/{training_job}/output/model.tar.gz", b"x")
    stream = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": f"{training_job}/algo-1-1"}
    logs = place.cloud.client("logs")
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # of another test's training job
        logs.create_log_group(logGroupName=stream["logGroupName"])
    logs.create_log_stream(**stream)
    messages: Iterable[str] = (
        "INFO Final configuration: {u'epochs': u'2', u'num_training_samples': u'980'}",
        *(f"#quality_metric: host=algo-1, epoch={n}, validation mAP <score>=(0.{n + 1})" for n in range(2)),
    )
    now = int(time.time() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": text} for text in messages])
    return training_job


def progress_of(place: Place, job: str) -> Progress:
    logs = place.cloud.client("logs")
    return read_progress(place.control, place.storage, job, Prices(), seconds=60, logs=logs)


def test_a_job_that_people_have_answered_is_counted_by_iteration_and_judged(place: Place) -> None:
    job = label(place, drawn(*TRUE), drawn(TRUE[0]))
    found = progress_of(place, job)
    assert (found.status, found.counters["HumanLabeled"]) == ("Completed", 3)
    assert [(item.number, item.human.objects, item.machine) for item in found.iterations] == [
        (1, 3, Counted())
    ]
    assert found.costs.total == pytest.approx(3 * 0.08 + 6 * 0.036)

    described = place.control.describe_labeling_job(LabelingJobName=job)
    page = publish(place.storage, Sources.of_job(described), "index.html", title=job)
    # One of them has drawn one of two boxes: every pair of answers agrees by half.
    assert (page.labels, page.human, page.mean_score) == (3, 3, 0.5)
    numbers = json.loads(place.storage.read("index.json"))
    assert [item["answers"] for item in numbers["workers"]] == [3, 3]
    assert all(item["seconds"] is not None for item in numbers["workers"])
    assert numbers["iterations"] == {"1": 3}

    training_job = add_auto_labeling(place, job)
    # A file that was written twice, and one that is damaged.
    responses = f"s3://{place.bucket}/gt/{job}/annotations/consolidated-annotation/consolidation-response"
    (first, *_) = place.storage.list(f"{responses}/iteration-1/")
    place.storage.write(f"{responses}/iteration-1/2099-01-01_00:00:00.json", place.storage.read(first.uri))
    place.storage.write(f"{responses}/iteration-12/2099-01-01_00:00:01.json", b"[")
    found = progress_of(place, job)
    assert [(item.number, item.human.objects, item.machine) for item in found.iterations] == [
        (1, 3, Counted()),
        (12, 0, Counted(3, 3)),
    ]
    assert found.costs.machine == pytest.approx(3 * 0.08)
    (curve,) = found.curves
    assert (curve.iteration, curve.samples, curve.scores) == (12, 980, (0.1, 0.2))
    (problem,) = found.problems
    assert "is not JSON" in problem
    assert f"model of iteration 12 ({training_job}, 980 images): validation mAP 0.100 0.200" in tell(found)
