"""Requests as SDKs send them: what changes nothing here is kept and named, the rest is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape

from include.local_cloud.control import request_members
from include.local_cloud.control.request_members import Does, Members, Refused
from tests.local_cloud.control.test_endpoints import settled
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud, eventually
from tests.support.sagemaker import (
    log_of,
    make_model,
    trained,
    training_request,
    transform_request,
    transformed,
)

TABLES = {
    "CreateTrainingJob": request_members.TRAINING_JOB,
    "CreateTransformJob": request_members.TRANSFORM_JOB,
    "CreateModel": request_members.MODEL,
    "CreateEndpointConfig": request_members.ENDPOINT_CONFIG,
    "CreateEndpoint": request_members.ENDPOINT,
}
# What sagemaker<3 and SDK v3 send by themselves or on request, and what they would show of it.
TRAINING_EXTRAS: dict[str, Any] = {
    "DebugHookConfig": {"S3OutputPath": "s3://b/debug", "CollectionConfigurations": []},
    "DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "image"}],
    "TensorBoardOutputConfig": {"S3OutputPath": "s3://b/board"},
    "ExperimentConfig": {"ExperimentName": "nightly"},
    "ProfilerConfig": {"S3OutputPath": "s3://b/profile", "DisableProfiler": False},
    "ProfilerRuleConfigurations": [{"RuleConfigurationName": "p", "RuleEvaluatorImage": "image"}],
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "RemoteDebugConfig": {"EnableRemoteDebug": True},
    "InfraCheckConfig": {"EnableInfraCheck": True},
}
LOCAL = "in the local cloud"


def differences(members: Members, shape: Shape, path: str = "") -> Iterator[str]:
    if isinstance(shape, ListShape):
        shape = shape.member
    assert isinstance(shape, StructureShape)
    for member in shape.members.keys() ^ members.keys():
        yield path + member
    for member, does in members.items():
        if not isinstance(does, Does | Refused):
            yield from differences(does, shape.members[member], f"{path}{member}.")


@pytest.mark.parametrize("operation", TABLES)
def test_every_member_of_the_service_model_has_been_decided(cloud: LocalCloud, operation: str) -> None:
    model = cloud.client("sagemaker").meta.service_model.operation_model(operation)
    assert list(differences(TABLES[operation], model.input_shape)) == []


def test_what_changes_no_result_is_kept_described_and_named_once(cloud: LocalCloud, bucket: str) -> None:
    request = training_request(f"{bucket}-job", bucket, **TRAINING_EXTRAS)
    cloud.client("sagemaker").create_training_job(**request)

    job = trained(cloud, f"{bucket}-job")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert {member: job.get(member) for member in TRAINING_EXTRAS} == TRAINING_EXTRAS
    log = log_of(cloud, "/aws/sagemaker/TrainingJobs", f"{bucket}-job/")
    named = [line for line in log if LOCAL in line]
    assert named == [
        f"[sagemaker logs]: {', '.join(sorted(TRAINING_EXTRAS))} have no effect in the local cloud"
    ]


def test_what_is_switched_off_or_empty_is_not_worth_a_line(cloud: LocalCloud, bucket: str) -> None:
    off = {
        "InfraCheckConfig": {"EnableInfraCheck": False},
        "ProfilerConfig": {"DisableProfiler": True},
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        "DebugRuleConfigurations": [],
    }
    cloud.client("sagemaker").create_training_job(**training_request(f"{bucket}-job", bucket, **off))

    job = trained(cloud, f"{bucket}-job")

    assert job["ProfilerConfig"] == {"DisableProfiler": True}
    log = log_of(cloud, "/aws/sagemaker/TrainingJobs", f"{bucket}-job/")
    assert log == ["started", "score=0.5", "score=0.75"]


def test_a_transform_job_and_an_endpoint_say_it_in_their_logs(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-m"
    capture = {"DestinationS3Uri": f"s3://{bucket}/captured"}
    model = make_model(cloud, bucket, name)
    cloud.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"a")
    extras: dict[str, Any] = {"DataCaptureConfig": capture, "ExperimentConfig": {"ExperimentName": "nightly"}}
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, model, **extras))
    options = [{"CaptureMode": "Input"}]
    captured = capture | {"EnableCapture": True, "InitialSamplingPercentage": 10, "CaptureOptions": options}
    variant = {
        "VariantName": "main",
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "EnableSSMAccess": True,
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=captured
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    job = transformed(cloud, f"{bucket}-t")
    assert {member: job.get(member) for member in extras} == extras
    assert settled(cloud, name)["EndpointStatus"] == "InService"
    described = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["DataCaptureConfig"] == captured

    def said(group: str, prefix: str) -> list[str]:
        return [line for line in log_of(cloud, f"/aws/sagemaker/{group}", prefix) if LOCAL in line]

    assert said("TransformJobs", f"{bucket}-t/") == [
        "[sagemaker logs]: DataCaptureConfig, ExperimentConfig have no effect in the local cloud"
    ]
    expected = [
        "[sagemaker logs]: DataCaptureConfig, ProductionVariants.EnableSSMAccess have no effect in the local "
        "cloud"
    ]
    assert eventually(lambda: said(f"Endpoints/{name}", "main/")) == expected
    sagemaker.delete_endpoint(EndpointName=name)


def test_what_would_change_results_is_refused_with_the_reason(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    model = make_model(cloud, bucket, f"{bucket}-m")
    train = training_request(f"{bucket}-job", bucket)
    specification = train["AlgorithmSpecification"]
    transform = transform_request(f"{bucket}-t", bucket, model)
    config = {
        "EndpointConfigName": f"{bucket}-c",
        "ProductionVariants": [{"VariantName": "main", "ModelName": model, "InstanceType": "ml.m5.large"}],
    }
    asynchronous = {"OutputConfig": {"S3OutputPath": f"s3://{bucket}/async"}}
    container = {"Image": FAKE_IMAGE, "Mode": "MultiModel"}
    serverless = {
        "BaseModelArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/a/Model/b",
        "JobType": "FineTuning",
    }
    for create, request, said in (
        (sagemaker.create_training_job, train | {"ServerlessJobConfig": serverless}, "ServerlessJobConfig"),
        (
            sagemaker.create_training_job,
            train | {"AlgorithmSpecification": specification | {"ContainerEntrypoint": ["bash"]}},
            "AlgorithmSpecification.ContainerEntrypoint",
        ),
        (
            sagemaker.create_transform_job,
            transform | {"TransformOutput": transform["TransformOutput"] | {"AssembleWith": "Line"}},
            "TransformOutput.AssembleWith",
        ),
        (
            sagemaker.create_model,
            {"ModelName": f"{bucket}-n", "PrimaryContainer": container, "ExecutionRoleArn": ROLE},
            "PrimaryContainer.Mode",
        ),
        (
            sagemaker.create_endpoint_config,
            config | {"AsyncInferenceConfig": asynchronous},
            "AsyncInferenceConfig",
        ),
    ):
        with pytest.raises(ClientError) as error:
            create(**request)
        detail = error.value.response["Error"]
        assert detail["Code"] == "ValidationException"
        assert detail["Message"].startswith(f"{said} is not available in the local cloud: ")
