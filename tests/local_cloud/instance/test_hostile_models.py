"""Wherever a model comes from S3 into a process here, a bad archive ends the job with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.local_cloud.control.test_endpoints import settled
from tests.support.archives import ATTACKS
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud
from tests.support.detection import detection_request, put_squares
from tests.support.sagemaker import channel, trained, transform_request, transformed

ATTACK = {attack.name: attack for attack in ATTACKS}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def put(cloud: LocalCloud, bucket: str, attack: str, canary: Path) -> str:
    body = ATTACK[attack].archive({"hyperparams.json": b"{}"}, canary)
    cloud.client("s3").put_object(Bucket=bucket, Key="m/model.tar.gz", Body=body)
    return f"s3://{bucket}/m/model.tar.gz"


def make_model(cloud: LocalCloud, bucket: str, url: str) -> Any:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model(
        ModelName=f"{bucket}-m",
        PrimaryContainer={"Image": FAKE_IMAGE, "ModelDataUrl": url},
        ExecutionRoleArn=ROLE,
    )
    return sagemaker


@pytest.mark.parametrize("attack", ["a path upwards", "a pickle as safetensors"])
def test_an_endpoint_fails_with_what_is_wrong(
    cloud: LocalCloud, bucket: str, attack: str, canary: Path
) -> None:
    url = put(cloud, bucket, attack, canary)
    sagemaker, name = make_model(cloud, bucket, url), f"{bucket}-e"
    variant = {"VariantName": "main", "ModelName": f"{bucket}-m", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant | {"InstanceType": "ml.m5.large"}]
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    endpoint = settled(cloud, name)
    assert endpoint["EndpointStatus"] == "Failed"
    said = f"Variant main: ClientError: {url} is refused as a model archive: "
    assert endpoint["FailureReason"].startswith(said)
    assert ATTACK[attack].said in endpoint["FailureReason"]
    assert not canary.exists()
    sagemaker.delete_endpoint(EndpointName=name)


@pytest.mark.parametrize("attack", ["a symlink", "a bomb"])
def test_a_transform_job_fails_with_what_is_wrong(
    cloud: LocalCloud, bucket: str, attack: str, canary: Path
) -> None:
    url = put(cloud, bucket, attack, canary)
    cloud.client("s3").put_object(Bucket=bucket, Key="in/a.jpg", Body=b"image")
    sagemaker = make_model(cloud, bucket, url)
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, f"{bucket}-m"))
    job = transformed(cloud, f"{bucket}-t")
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"ClientError: {url} is refused as a model archive: ")
    assert ATTACK[attack].said in job["FailureReason"]


def test_a_training_job_does_not_go_on_from_it(cloud: LocalCloud, bucket: str, canary: Path) -> None:
    url = put(cloud, bucket, "a pickle", canary)
    train, validation = (put_squares(cloud, bucket, name, 8) for name in ("train", "validation"))
    request = detection_request(f"{bucket}-job", bucket, train, validation, 8)
    request["InputDataConfig"].append(
        channel("model", url, InputMode="File", ContentType="application/x-sagemaker-model")
    )
    cloud.client("sagemaker").create_training_job(**request)
    job = trained(cloud, f"{bucket}-job", within=280)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: model.tar.gz is refused as a model archive: ")
    assert ATTACK["a pickle"].said in job["FailureReason"]
    assert not canary.exists()
