"""A job is made once; who comes later attaches, and only a failed or stopped one is followed by another."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.aws.jobs import (
    JobStatus,
    Pending,
    ResourceKind,
    attach_or_create,
    create,
    failure,
    has_ended,
    latest,
    stop,
    stop_operation,
)
from include.loop.core.errors import JobFailed, JobRejected
from tests.loop.place import Place
from tests.support.cloud import FAKE_IMAGE, ROLE

TRAINING: Final = ResourceKind.TRAINING
TRANSFORM: Final = ResourceKind.TRANSFORM


@pytest.fixture
def stem(place: Place) -> str:
    return f"{place.bucket}-x"


def request_of(place: Place, **hyperparameters: str) -> dict:
    return {
        "AlgorithmSpecification": {"TrainingImage": FAKE_IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": hyperparameters,
        "OutputDataConfig": {"S3OutputPath": f"s3://{place.bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def run(place: Place, stem: str, waited_for: Pending | None = None, **hyperparameters: str):
    return attach_or_create(
        place.sagemaker, TRAINING, stem, lambda: request_of(place, **hyperparameters), waited_for
    )


def test_a_completed_job_is_found_again_and_not_repeated(place: Place, stem: str):
    job = run(place, stem)
    assert (job.name, job.attempt) == (f"{stem}-1", 1)
    place.wait(Pending(TRAINING, (job.name,)))
    again = run(place, stem)
    assert (again.name, again.completed) == (job.name, True)
    assert again.seconds > 0
    found = latest(place.sagemaker, TRAINING, stem)
    assert found is not None
    assert found.name == job.name


def test_a_running_job_is_attached_to(place: Place, stem: str):
    job = run(place, stem, do="sleep")
    assert run(place, stem).name == job.name
    assert create(place.sagemaker, TRAINING, stem, 1, request_of(place)).name == job.name  # a lost race
    stop(place.sagemaker, Pending(TRAINING, (job.name,)))
    place.wait(Pending(TRAINING, (job.name,)))
    stop(place.sagemaker, Pending(TRAINING, (job.name,)))  # ended jobs are left alone


def test_the_failure_that_was_waited_for_is_raised_and_the_next_try_is_the_next_attempt(
    place: Place, stem: str
):
    job = run(place, stem, do="fail", reason="out of luck")
    waited = Pending(TRAINING, (job.name,))
    place.wait(waited)
    with pytest.raises(JobFailed, match=f"training job {job.name} failed: .*out of luck"):
        run(place, stem, waited_for=waited)
    second = run(place, stem)
    assert (second.name, second.attempt) == (f"{stem}-2", 2)
    place.wait(Pending(TRAINING, (second.name,)))
    assert run(place, stem, waited_for=Pending(TRAINING, (second.name,))).completed


def test_a_stopped_job_is_followed_by_another_attempt(place: Place, stem: str):
    job = run(place, stem, do="sleep")
    waited = Pending(TRAINING, (job.name,))
    stop(place.sagemaker, waited)
    place.wait(waited)
    with pytest.raises(JobFailed, match="stopped"):
        run(place, stem, waited_for=waited)
    assert run(place, stem).attempt == 2


def test_a_request_that_the_algorithm_refuses_is_fatal(place: Place, stem: str):
    job = run(place, stem, do="fail", reason="ClientError: image_shape is too small")
    waited = Pending(TRAINING, (job.name,))
    place.wait(waited)
    found = latest(place.sagemaker, TRAINING, stem)
    assert found is not None
    expected = JobRejected if found.reason.startswith("ClientError") else JobFailed
    assert isinstance(failure(found), expected)


@given(st.sampled_from(list(ResourceKind)), st.lists(st.text()), st.text())
def test_what_is_waited_for_survives_a_triggers_arguments(kind, names, aim):
    pending = Pending(kind, tuple(names), aim)
    assert Pending.from_dict(json.loads(json.dumps(pending.to_dict()))) == pending


def test_every_name_that_a_kind_gives_is_one_of_the_api(place: Place):
    operations, model = place.sagemaker.meta.method_to_api_mapping, place.sagemaker.meta.service_model
    for kind in ResourceKind:
        described = model.operation_model(operations[kind.describe_operation])
        assert kind.name_field in described.input_shape.required_members
        assert kind.status_field in described.output_shape.members
    for name, kind in ((stop_operation(TRAINING), TRAINING), (stop_operation(TRANSFORM), TRANSFORM)):
        assert model.operation_model(operations[name]).input_shape.required_members == [kind.name_field]


def test_every_status_either_ends_or_goes_on():
    ended = {status for status in JobStatus if has_ended(TRAINING, {"TrainingJobStatus": status.value})}
    assert ended == {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED}


@pytest.mark.parametrize(
    ("status", "ended"),
    [("Creating", False), ("Updating", False), ("Deleting", False), ("InService", True), ("Failed", True)],
)
def test_an_endpoint_is_waited_for_until_its_change_is_over(status: str, ended: bool):
    assert has_ended(ResourceKind.ENDPOINT, {"EndpointStatus": status}) is ended


def test_an_endpoint_is_not_stopped():
    nobody: Any = None  # nothing is asked
    stop(nobody, Pending(ResourceKind.ENDPOINT, ("live",)))
