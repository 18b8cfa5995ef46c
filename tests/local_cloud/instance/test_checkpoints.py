from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import LocalCloud, eventually
from tests.support.detection import detection_request, put_squares
from tests.support.sagemaker import log_of, trained, training_request, unpacked

GROUP = "/aws/sagemaker/TrainingJobs"


def names(cloud: LocalCloud, bucket: str) -> list[str]:
    """What lies in S3 below ``ck/``."""
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="ck/")
    return [item["Key"].removeprefix("ck/") for item in listed.get("Contents", [])]


def saved(cloud: LocalCloud, bucket: str) -> dict[str, bytes]:
    """What S3 has below ``ck/``; nothing of what is being replaced while it is looked at."""
    s3 = cloud.client("s3")
    found = {}
    for name in names(cloud, bucket):
        with suppress(s3.exceptions.NoSuchKey):
            found[name] = s3.get_object(Bucket=bucket, Key=f"ck/{name}")["Body"].read()
    return found


@pytest.fixture
def gate(cloud: LocalCloud, bucket: str) -> Iterator[Path]:
    """Jobs go on when it exists: after the test at the latest, so that none takes the next one's place."""
    yield cloud.gate(bucket)
    cloud.gate(bucket).touch()


def counting(name: str, bucket: str, gate: Path, **changes: Any) -> dict[str, Any]:
    settings = {"do": "count", "until": gate.name} | changes.pop("settings", {})
    config = {"CheckpointConfig": {"S3Uri": f"s3://{bucket}/ck"}}
    return training_request(name, bucket, HyperParameters=settings, **config | changes)


def instance_of(job: str) -> psutil.Process:
    (found,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if {"include.local_cloud.instance", job} <= set(process.info["cmdline"] or [])
    )
    return found


def test_a_job_goes_on_from_what_was_saved_while_it_ran(cloud: LocalCloud, bucket: str, gate: Path) -> None:
    """A machine that is lost takes nothing along; a later job finds what the earlier one left."""
    sagemaker = cloud.client("sagemaker")
    cloud.client("s3").put_object(Bucket=bucket, Key="ck-other/count", Body=b"90")
    sagemaker.create_training_job(**counting(f"{bucket}-1", bucket, gate))
    eventually(lambda: saved(cloud, bucket) == {"a/count": b"1", "b1": b""})
    eventually(lambda: "going on from 0" in log_of(cloud, GROUP, bucket))

    instance_of(f"{bucket}-1").kill()
    eventually(lambda: saved(cloud, bucket) == {"a/count": b"2", "b2": b""})
    gate.touch()
    assert trained(cloud, f"{bucket}-1")["TrainingJobStatus"] == "Completed"
    sagemaker.create_training_job(**counting(f"{bucket}-2", bucket, gate))
    job = trained(cloud, f"{bucket}-2")

    assert job["CheckpointConfig"] == {"S3Uri": f"s3://{bucket}/ck"}
    assert saved(cloud, bucket) == {"a/count": b"3", "b3": b""}
    said = [line for line in log_of(cloud, GROUP, bucket) if "going on" in line]
    assert said == ["going on from 0", "going on from 1", "going on from 2"]


def test_a_failed_job_leaves_its_checkpoints_where_it_was_told_to(
    cloud: LocalCloud, bucket: str, gate: Path
) -> None:
    gate.touch()
    request = counting(
        f"{bucket}-job",
        bucket,
        gate,
        settings={"checkpoints": "mine/here", "epochs": "not a number"},
        CheckpointConfig={"S3Uri": f"s3://{bucket}/ck/", "LocalPath": "/opt/ml/mine/here"},
    )
    cloud.client("s3").put_object(Bucket=bucket, Key="in/1", Body=b"x")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in"}
    request["InputDataConfig"] = [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    cloud.client("sagemaker").create_training_job(**request)
    assert trained(cloud, f"{bucket}-job")["TrainingJobStatus"] == "Failed"
    assert saved(cloud, bucket) == {"a/count": b"1", "b1": b""}


def test_a_key_that_leads_out_of_the_directory_fails_the_job(
    cloud: LocalCloud, bucket: str, gate: Path
) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="ck/../../input/config/x", Body=b"evil")
    cloud.client("sagemaker").create_training_job(**counting(f"{bucket}-job", bucket, gate))
    reason = trained(cloud, f"{bucket}-job")["FailureReason"]
    assert reason.startswith("ClientError: ")
    assert "would be written outside of its directory" in reason


@pytest.mark.parametrize(
    "config",
    [
        {"S3Uri": "https://b/ck"},
        {"S3Uri": "s3://b/ck", "LocalPath": "/tmp/ck"},
        {"S3Uri": "s3://b/ck", "LocalPath": "/opt/ml"},
        {"S3Uri": "s3://b/ck", "LocalPath": "/opt/ml/model"},
        {"S3Uri": "s3://b/ck", "LocalPath": "/opt/ml/../ml2"},
    ],
)
def test_a_place_that_is_none_for_checkpoints_is_refused(
    cloud: LocalCloud, bucket: str, config: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="CheckpointConfig: ") as error:
        cloud.client("sagemaker").create_training_job(
            **training_request(f"{bucket}-job", bucket, CheckpointConfig=config)
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_stopped_detection_job_keeps_its_model_and_the_next_goes_on_after_its_epoch(
    cloud: LocalCloud, bucket: str
) -> None:
    sagemaker = cloud.client("sagemaker")
    train, validation = (put_squares(cloud, bucket, name, 8) for name in ("train", "validation"))
    first, second = (
        detection_request(f"{bucket}-{number}", bucket, train, validation, 8)
        | {"CheckpointConfig": {"S3Uri": f"s3://{bucket}/ck"}}
        for number in (1, 2)
    )
    for request in (first, second):
        request["HyperParameters"] |= {"epochs": "100000"}
    sagemaker.create_training_job(**first)

    def newest() -> int:
        return max(
            (int(name[11:17]) for name in names(cloud, bucket) if name[-11:] == "safetensors"), default=0
        )

    assert eventually(newest, within=280)
    sagemaker.stop_training_job(TrainingJobName=f"{bucket}-1")
    job = trained(cloud, f"{bucket}-1", within=280)
    assert job["TrainingJobStatus"] == "Stopped"
    assert "hyperparams.json" in unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"])
    epoch = newest()

    sagemaker.create_training_job(**second)
    going_on = f"continuing after epoch {epoch}, from a checkpoint"
    eventually(lambda: going_on in "\n".join(log_of(cloud, GROUP, f"{bucket}-2")), within=280)
    eventually(lambda: newest() > epoch, within=280)
    sagemaker.stop_training_job(TrainingJobName=f"{bucket}-2")
    job = trained(cloud, f"{bucket}-2", within=280)
    assert "hyperparams.json" in unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"])


def test_what_a_spot_job_and_a_warm_pool_ask_for_is_described(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    asked = {
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-0a1"], "Subnets": ["subnet-0b2"]},
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models", "KmsKeyId": "alias/nightloop"},
    }
    resources = training_request("", bucket)["ResourceConfig"] | {"VolumeKmsKeyId": "alias/nightloop"}
    spot = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    warm = {"KeepAlivePeriodInSeconds": 600}
    sagemaker.create_training_job(
        **training_request(
            f"{bucket}-spot",
            bucket,
            EnableManagedSpotTraining=True,
            StoppingCondition=spot,
            ResourceConfig=resources,
            **asked,
        )
    )
    sagemaker.create_training_job(
        **training_request(f"{bucket}-warm", bucket, ResourceConfig=resources | warm)
    )
    job = trained(cloud, f"{bucket}-spot")
    assert {name: job[name] for name in asked} == asked
    assert (job["EnableManagedSpotTraining"], job["StoppingCondition"]) == (True, spot)
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]
    assert job["ResourceConfig"] == resources
    assert "WarmPoolStatus" not in job
    job = trained(cloud, f"{bucket}-warm")
    assert job["WarmPoolStatus"] == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}

    for changes, said in (
        ({"EnableManagedSpotTraining": True, "StoppingCondition": spot}, "cannot be used with managed spot"),
        ({"ResourceConfig": resources | {"KeepAlivePeriodInSeconds": 3601}}, "at most 3600"),
    ):
        request = training_request("no", bucket, ResourceConfig=resources | warm)
        with pytest.raises(ClientError, match=said):
            sagemaker.create_training_job(**request | changes)


def test_a_spot_job_that_has_waited_too_long_is_stopped(cloud: LocalCloud, bucket: str, gate: Path) -> None:
    sagemaker = cloud.client("sagemaker")
    for number in range(3):  # as many as run at once
        settings = {"do": "sleep", "until": gate.name}
        sagemaker.create_training_job(
            **training_request(f"{bucket}-{number}", bucket, HyperParameters=settings)
        )
    for number in range(3):
        trained(cloud, f"{bucket}-{number}", "Training")
    spot = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    sagemaker.create_training_job(
        **training_request(f"{bucket}-spot", bucket, EnableManagedSpotTraining=True, StoppingCondition=spot)
    )
    job = trained(cloud, f"{bucket}-spot")
    gate.touch()
    for number in range(3):  # the next test's jobs find a place
        trained(cloud, f"{bucket}-{number}")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert json.dumps([item["Status"] for item in job["SecondaryStatusTransitions"]]).count("Training") == 0
