from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import ECHO_IMAGE, ROLE, LocalCloud, eventually


def request(name: str, bucket: str, **changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": ECHO_IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": r"score=(\S+)"}],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    } | changes


def finished(cloud: LocalCloud, name: str) -> dict[str, Any]:
    sagemaker = cloud.client("sagemaker")

    def ended() -> dict[str, Any] | None:
        job = sagemaker.describe_training_job(TrainingJobName=name)
        return job if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return eventually(ended)


def unpacked(cloud: LocalCloud, uri: str) -> dict[str, bytes]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def test_a_job_runs_and_leaves_artifacts_metrics_transitions_and_a_log(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="in/a/1.txt", Body=b"one")
    sagemaker = cloud.client("sagemaker")
    channel = {
        "ChannelName": "train",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}},
    }
    sagemaker.create_training_job(
        **request(f"{bucket}-job", bucket, InputDataConfig=[channel], HyperParameters={"epochs": "1"})
    )

    job = finished(cloud, f"{bucket}-job")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{bucket}/models/{bucket}-job/output/model.tar.gz"
    seen = json.loads(unpacked(cloud, uri)["seen.json"])
    assert seen["seen"] == {"train": {"a/1.txt": 3}}
    assert [item["Status"] for item in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert all(item["StatusMessage"] and item["EndTime"] for item in job["SecondaryStatusTransitions"])
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("score", 0.75)
    assert job["TrainingEndTime"] >= job["TrainingStartTime"] >= job["CreationTime"]
    logs = cloud.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{bucket}-job/algo-1-")[
        "logStreams"
    ]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    assert [event["message"] for event in events["events"]] == ["started", "score=0.5", "score=0.75"]


def test_a_failed_container_gives_its_reason(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("sagemaker").create_training_job(
        **request(f"{bucket}-job", bucket, HyperParameters={"do": "fail", "reason": "no boxes in the data"})
    )

    job = finished(cloud, f"{bucket}-job")

    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no boxes in the data, exit code: 3"


def test_a_name_is_used_once(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_training_job(**request(f"{bucket}-job", bucket))
    with pytest.raises(ClientError) as refused:
        sagemaker.create_training_job(**request(f"{bucket}-job", bucket))
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
