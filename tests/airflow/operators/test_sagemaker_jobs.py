"""SageMaker jobs as tasks: what a retry finds, what a failure says, what is stopped, what is sent again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from include.loop.aws.jobs import Pending
from include.loop.core.errors import JobFailed
from nightloop.operators.challenger import JudgeOperator, PromoteOperator, RegisterOperator
from nightloop.operators.datasets import BuildDatasetOperator
from nightloop.operators.human_review import LISTED, ListBatchOperator, TriageOperator
from nightloop.operators.sagemaker_jobs import (
    BatchInferenceOperator,
    EvaluateModelsOperator,
    IncrementalTrainingOperator,
)
from tests.airflow.place import Place, run
from tests.support.cloud import eventually

DATE = "2026-11-01"


def label_lines(uris: list[str]) -> bytes:
    lines = [
        {
            "source-ref": uri,
            "review": {
                "annotations": [{"class_id": 0, "left": 16, "top": 12, "width": 32, "height": 24}],
                "image_size": [{"width": 64, "height": 48, "depth": 3}],
            },
            "review-metadata": {
                "objects": [{"confidence": 1}],
                "class-map": {"0": "cat"},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": "2026-10-01T00:00:00.000000",
                "job-name": "labels/first",
            },
        }
        for uri in uris
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.fixture
def labelled(place: Place) -> Place:
    """A place with labels for a first model, and one test set."""
    uris = place.put_images("first", 4)
    place.put("initial/train.manifest", label_lines(uris[:2]))
    place.put("initial/validation.manifest", label_lines(uris[2:3]))
    place.put("test/day.manifest", label_lines(uris[3:]))
    place.settings |= {
        "initial": {"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        "test_sets": {"day": "test/day.manifest"},
    }
    place.save()
    return place


def build(place: Place) -> str:
    dataset = place.run(BuildDatasetOperator(task_id="build_dataset", pipeline=place.name, initial=True))
    assert (dataset["train"], dataset["validation"]) == (2, 1)
    return str(dataset["dataset_id"])


def training(place: Place, dataset_id: str, **kwargs: Any) -> IncrementalTrainingOperator:
    return IncrementalTrainingOperator(task_id="train", pipeline=place.name, dataset_id=dataset_id, **kwargs)


def names(task: Any) -> tuple[list[str], list[str]]:
    """What a task has read and written, as it tells OpenLineage: keys below the pipeline's folder."""
    told = task.get_openlineage_facets_on_complete(None)
    inputs, outputs = ([item.name.partition("/")[2] for item in end] for end in (told.inputs, told.outputs))
    return inputs, outputs


def hyperparameters(place: Place, **values: str) -> None:
    place.settings["training"] = {"initial": {"hyperparameters": values}}
    place.save()


def defer(place: Place, task: IncrementalTrainingOperator) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(place.context())
    return deferred.value


def job_of(deferred: TaskDeferred) -> str:
    [name] = deferred.trigger.pending.names
    return str(name)


def running_job(place: Place) -> str | None:
    jobs = place.cloud.client("sagemaker").list_training_jobs(
        NameContains=place.name, StatusEquals="InProgress"
    )
    return next((str(job["TrainingJobName"]) for job in jobs["TrainingJobSummaries"]), None)


def status(place: Place, job: str) -> str:
    described = place.cloud.client("sagemaker").describe_training_job(TrainingJobName=job)
    return str(described["TrainingJobStatus"])


def test_a_first_model_is_trained_measured_judged_and_promoted(labelled: Place) -> None:
    place, pipeline = labelled, labelled.name
    dataset_id = build(place)
    task = training(place, dataset_id)
    trained = place.run(task)
    job = trained["training_job"]
    assert names(task) == ([f"datasets/{dataset_id}/dataset.json"], [f"models/{job}/output/model.tar.gz"])
    measured = place.run(EvaluateModelsOperator(task_id="evaluate", pipeline=pipeline, training_job=job))
    assert measured["score"]["day"]["challenger"] == pytest.approx(1.0)
    assert place.run(JudgeOperator(task_id="gate", pipeline=pipeline, training_job=job))["promote"] is True
    place.run(RegisterOperator(task_id="register", pipeline=pipeline, training_job=job))
    promoted = place.run(PromoteOperator(task_id="promote", pipeline=pipeline, training_job=job))
    assert promoted["promoted"] is True
    assert json.loads(place.read(promoted["champion_uri"]))["training_job"] == job

    # A night with that champion: one image is no image, so the job fails, and only that one is sent again.
    place.put_images(DATE, 3)
    place.put(f"images/dt={DATE}/torn.jpg", b"not an image")
    context = place.context()
    assert run(ListBatchOperator(task_id="list_batch", pipeline=pipeline, batch_date=DATE), context) == [0]
    batch = context["ti"][LISTED]
    assert (batch["images"], batch["champion"]) == (4, job)
    inference = BatchInferenceOperator(task_id="batch_inference", pipeline=pipeline, batch=DATE)
    predicted = place.run(inference)
    assert (predicted["predicted"], predicted["missing"]) == (3, 1)
    [batch_file, champion], [predictions] = names(inference)
    assert (batch_file, champion) == (f"runs/dt={DATE}/batch.json", "champion.json")
    assert predictions.startswith(f"runs/dt={DATE}/predictions")
    assert predicted["jobs"][-1].endswith("-2"), "the missing image was submitted once more"
    before = place.cloud.requests()["CreateTransformJob"]
    assert place.run(BatchInferenceOperator(task_id="again", pipeline=pipeline, batch=DATE)) == predicted
    assert place.cloud.requests()["CreateTransformJob"] == before, "the same date starts no job again"
    triage = TriageOperator(task_id="triage", pipeline=pipeline, batch=DATE, part=0, threshold=1.0)
    triaged = place.run(triage)
    assert (triaged["candidates"], triaged["unreadable"]) == (3, 1)


def test_a_retry_attaches_to_the_job_that_runs(labelled: Place) -> None:
    gate = labelled.cloud.gate(f"{labelled.bucket}-go")
    hyperparameters(labelled, until=gate.name)
    dataset_id = build(labelled)
    first = defer(labelled, training(labelled, dataset_id))
    retry = defer(labelled, training(labelled, dataset_id))
    assert job_of(retry) == job_of(first)
    gate.touch()
    assert labelled.run(training(labelled, dataset_id))["training_job"] == job_of(first)


def test_a_failure_says_what_sagemaker_says_and_the_retry_takes_the_next_number(labelled: Place) -> None:
    mended = labelled.cloud.gate(f"{labelled.bucket}-mended")
    hyperparameters(labelled, fail_without=mended.name, reason="line 7 is no label")
    dataset_id = build(labelled)
    with pytest.raises(JobFailed, match="line 7 is no label") as failure:
        labelled.run(training(labelled, dataset_id))
    mended.touch()
    trained = labelled.run(training(labelled, dataset_id))
    assert trained["attempt"] == 2
    assert trained["training_job"].endswith("-2")
    assert f"{trained['training_job'][:-2]}-1" in str(failure.value)


def test_a_job_that_takes_too_long_is_stopped(labelled: Place) -> None:
    hyperparameters(labelled, until="never")
    task = training(labelled, build(labelled), job_timeout=timedelta(seconds=1))
    job = job_of(defer(labelled, task))
    with pytest.raises(AirflowFailException, match=f"Stopped after 0:00:01, without an end: {job}"):
        labelled.run(task)
    assert eventually(lambda: status(labelled, job) == "Stopped")


def test_killing_the_task_in_the_worker_stops_its_job(labelled: Place) -> None:
    hyperparameters(labelled, until="never")
    dataset_id = build(labelled)
    training(labelled, dataset_id).on_kill()  # before there is a job: nothing to stop
    task = training(labelled, dataset_id)
    job = job_of(defer(labelled, task))
    task.on_kill()
    assert eventually(lambda: status(labelled, job) == "Stopped")
    task.on_kill()  # and once more: it has ended already


def test_where_jobs_take_seconds_the_task_keeps_its_worker_until_they_have_ended(labelled: Place) -> None:
    labelled.environment_settings["airflow"] = {"wait_seconds": 60}
    labelled.save()
    task = training(labelled, build(labelled))
    assert task.execute(labelled.context())["training_job"], "it has not been deferred"


def test_a_task_that_is_killed_while_it_waits_in_its_worker_stops_its_job_and_goes_no_further(
    labelled: Place,
) -> None:
    labelled.environment_settings["airflow"] = {"wait_seconds": 300}
    labelled.save()
    hyperparameters(labelled, until="never")
    task = training(labelled, build(labelled))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(task.execute, labelled.context())
        job = eventually(lambda: running_job(labelled))
        task.on_kill()
        with pytest.raises(AirflowException, match="killed"):
            running.result(60)
    assert eventually(lambda: status(labelled, job) == "Stopped")


def test_a_task_that_is_killed_while_it_creates_its_job_stops_it_too(
    labelled: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    hyperparameters(labelled, until="never")
    task = training(labelled, build(labelled))
    advance = task.advance
    created: list[Any] = []

    def killed_meanwhile(waited_for: Pending | None) -> Any:
        created.append(advance(waited_for))
        task.on_kill()
        return created[0]

    monkeypatch.setattr(task, "advance", killed_meanwhile)
    with pytest.raises(AirflowException, match="killed"):
        task.execute(labelled.context())
    assert eventually(lambda: status(labelled, created[0].names[0]) == "Stopped")


def test_a_job_that_takes_longer_than_that_is_waited_for_without_a_worker(labelled: Place) -> None:
    labelled.environment_settings["airflow"] = {"wait_seconds": 0.1}
    hyperparameters(labelled, until="never")
    task = training(labelled, build(labelled))
    job = job_of(defer(labelled, task))
    task.on_kill()
    assert eventually(lambda: status(labelled, job) == "Stopped")
