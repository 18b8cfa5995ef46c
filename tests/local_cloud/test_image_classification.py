from __future__ import annotations

import json
from typing import Any

import pytest

from tests.algorithms.image_classification.jobs import framed, packed, pictures
from tests.support.cloud import CLASSIFICATION_IMAGE, ROLE, LocalCloud
from tests.support.sagemaker import channel, log_of, trained, training_request, transform_request, transformed


def manifest_channel(cloud: LocalCloud, bucket: str, name: str, count: int) -> dict[str, Any]:
    """A Pipe channel of so many pictures, shuffled anew for each epoch."""
    s3, lines = cloud.client("s3"), []
    for number, (image, kind) in enumerate(pictures(count)):
        s3.put_object(Bucket=bucket, Key=f"in/{number}.jpg", Body=image)
        lines.append({"source-ref": f"s3://{bucket}/in/{number}.jpg", "colour": kind})
    s3.put_object(Bucket=bucket, Key=f"{name}.manifest", Body="\n".join(map(json.dumps, lines)).encode())
    return channel(
        name,
        f"s3://{bucket}/{name}.manifest",
        "AugmentedManifestFile",
        AttributeNames=["source-ref", "colour"],
        InputMode="Pipe",
        RecordWrapperType="RecordIO",
        ContentType="application/x-recordio",
        ShuffleConfig={"Seed": 3},
    )


def record_channel(cloud: LocalCloud, bucket: str, name: str, count: int) -> dict[str, Any]:
    """A File channel of one .rec file."""
    records = [packed(kind, number, image) for number, (image, kind) in enumerate(pictures(count, start=50))]
    cloud.client("s3").put_object(Bucket=bucket, Key=f"{name}/a.rec", Body=framed(records))
    return channel(name, f"s3://{bucket}/{name}/", InputMode="File", ContentType="application/x-recordio")


def test_image_classification_learns_from_pipe_and_file_and_answers_in_a_batch(
    cloud: LocalCloud, bucket: str
) -> None:
    """SageMaker's image URI, both modes in one job, documented metrics, and a line for each image."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    inputs = [manifest_channel(cloud, bucket, "train", 12), record_channel(cloud, bucket, "validation", 6)]
    settings = {
        "num_classes": "3", "num_training_samples": "12", "image_shape": "3,32,32", "resize": "32",
        "num_layers": "18", "mini_batch_size": "6", "epochs": "2", "learning_rate": "0.01",
        "optimizer": "adam",
    }  # fmt: skip
    job = training_request(
        f"{bucket}-job",
        bucket,
        AlgorithmSpecification={"TrainingImage": CLASSIFICATION_IMAGE, "TrainingInputMode": "File"},
        InputDataConfig=inputs,
        HyperParameters=settings,
    )
    sagemaker.create_training_job(**job)
    done = trained(cloud, f"{bucket}-job", within=280)

    assert done["TrainingJobStatus"] == "Completed", done["FailureReason"]
    metrics = {item["MetricName"]: item["Value"] for item in done["FinalMetricDataList"]}
    assert set(metrics) == {"train:accuracy", "validation:accuracy"}
    log = log_of(cloud, "/aws/sagemaker/TrainingJobs", f"{bucket}-job/")
    assert any("validation: 6 images, per class 2, 2, 2; 0 records skipped" in line for line in log)

    sagemaker.create_model(
        ModelName=f"{bucket}-m",
        PrimaryContainer={
            "Image": CLASSIFICATION_IMAGE,
            "ModelDataUrl": done["ModelArtifacts"]["S3ModelArtifacts"],
        },
        ExecutionRoleArn=ROLE,
    )
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, f"{bucket}-m"))
    batch = transformed(cloud, f"{bucket}-t", within=280)

    assert batch["TransformJobStatus"] == "Completed", batch["FailureReason"]
    text = s3.get_object(Bucket=bucket, Key="out/11.jpg.out")["Body"].read().decode()
    scores = json.loads(text)["prediction"]
    assert len(scores) == 3
    assert sum(scores) == pytest.approx(1, abs=1e-6)
