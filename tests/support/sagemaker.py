"""What tests ask of SageMaker, said shortly: requests of the fake algorithm, and waiting for their ends."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud, eventually

OURS = "[local cloud] "
ENDED = ("Completed", "Failed", "Stopped")


def training_request(name: str, bucket: str, **changes: Any) -> dict[str, Any]:
    """A CreateTrainingJob request for the fake algorithm; ``changes`` replace whole members."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": FAKE_IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": r"score=(\S+)"}],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    } | changes


def channel(name: str, uri: str, data_type: str = "S3Prefix", **changes: Any) -> dict[str, Any]:
    """An input channel; ``AttributeNames`` in ``changes`` go to the data source, where they belong."""
    source = {"S3DataType": data_type, "S3Uri": uri}
    if names := changes.pop("AttributeNames", None):
        source["AttributeNames"] = names
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}} | changes


def transform_request(name: str, bucket: str, model: str, **changes: Any) -> dict[str, Any]:
    """A CreateTransformJob request from ``s3://bucket/in/`` to ``s3://bucket/out``."""
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}},
            "ContentType": "application/x-image",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", "Accept": "application/json"},
        "TransformResources": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1},
    } | changes


def detector(quality: float) -> bytes:
    """The model.tar.gz of the fake algorithm that is served as a detector of this quality."""
    return _archive("seen.json", json.dumps({"hyperparameters": {"quality": quality}}).encode())


def _archive(name: str, body: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(body)
        tar.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def make_model(cloud: LocalCloud, bucket: str, name: str, **environment: str) -> str:
    """A model of the fake algorithm with one file of weights; returns its name."""
    archive = _archive("weights.bin", b"")
    cloud.client("s3").put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=archive)
    cloud.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={
            "Image": FAKE_IMAGE,
            "ModelDataUrl": f"s3://{bucket}/{name}/model.tar.gz",
            "Environment": environment,
        },
        ExecutionRoleArn=ROLE,
    )
    return name


def trained(cloud: LocalCloud, name: str, *statuses: str, within: float = 240) -> dict[str, Any]:
    """The training job, once it is in one of these statuses (default: ended)."""
    sagemaker = cloud.client("sagemaker")

    def reached() -> dict[str, Any] | None:
        job: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
        wanted = (job["TrainingJobStatus"], job["SecondaryStatus"])
        return job if set(wanted) & set(statuses or ENDED) else None

    return eventually(reached, within=within)


def transformed(cloud: LocalCloud, name: str, *statuses: str, within: float = 240) -> dict[str, Any]:
    """The transform job, once it is in one of these statuses (default: ended)."""
    sagemaker = cloud.client("sagemaker")

    def reached() -> dict[str, Any] | None:
        job: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName=name)
        return job if job["TransformJobStatus"] in (statuses or ENDED) else None

    return eventually(reached, within=within)


def unpacked(cloud: LocalCloud, uri: str) -> dict[str, bytes]:
    """The files of a model archive in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                found[member.name] = file.read()
    return found


def log_of(cloud: LocalCloud, group: str, prefix: str) -> list[str]:
    """All lines of the streams of one job, stream by stream; none of those in which the cloud says what this
    machine lacks.
    """
    logs = cloud.client("logs")
    lines: list[str] = []
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    for stream in logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]:
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )
        lines += [line for event in events["events"] if not (line := event["message"]).startswith(OURS)]
    return lines
