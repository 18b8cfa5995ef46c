from __future__ import annotations

import json

from include.loop.core.clients import Clients
from include.loop.training.follow import follow
from tests.support.cloud import DETECTION_IMAGE, ROLE, LocalCloud
from tests.support.detection import detection_request, put_squares
from tests.support.sagemaker import log_of, trained, transform_request, transformed, unpacked


def test_the_real_algorithm_learns_from_pipes_and_serves(cloud: LocalCloud, bucket: str) -> None:
    """SageMaker's image URI, augmented manifests over pipes, documented log lines, metrics and answers."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    train = put_squares(cloud, bucket, "train", 16)
    validation = put_squares(cloud, bucket, "in", 4, seed=1)
    sagemaker.create_training_job(**detection_request(f"{bucket}-job", bucket, train, validation, 16))

    job = trained(cloud, f"{bucket}-job", within=280)

    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    metrics = {item["MetricName"]: item["Value"] for item in job["FinalMetricDataList"]}
    assert metrics["train:progress"] == 100
    assert 0 <= metrics["validation:mAP"] <= 1
    assert job["AlgorithmSpecification"]["MetricDefinitions"]
    log = log_of(cloud, "/aws/sagemaker/TrainingJobs", f"{bucket}-job/")
    assert any("validation mAP <score>=(" in line for line in log)
    told: list[str] = []
    clients = Clients(lambda service, review: cloud.client(service))
    assert follow(clients, f"{bucket}-job", 0.1, told.append).completed
    assert any("validation:mAP " in line for line in told), "whoever watches the job sees no metric"
    assert list((cloud.data / "cache" / "object-detection").rglob("*-cache")), "the next job compiles again"
    archive = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert "hyperparams.json" in unpacked(cloud, archive)

    sagemaker.create_model(
        ModelName=f"{bucket}-m",
        PrimaryContainer={"Image": DETECTION_IMAGE, "ModelDataUrl": archive},
        ExecutionRoleArn=ROLE,
    )
    s3.put_object(Bucket=bucket, Key="in/broken.jpg", Body=b"no image at all")
    sagemaker.create_transform_job(**transform_request(f"{bucket}-t", bucket, f"{bucket}-m"))
    batch = transformed(cloud, f"{bucket}-t", within=280)

    assert batch["TransformJobStatus"] == "Failed"
    assert (
        f"1 of 5 objects have no output, the first is s3://{bucket}/in/broken.jpg" in batch["FailureReason"]
    )
    outputs = s3.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    assert [item["Key"] for item in outputs] == [f"out/{number}.jpg.out" for number in range(4)]
    answer = json.loads(s3.get_object(Bucket=bucket, Key="out/0.jpg.out")["Body"].read())
    assert all(len(row) == 6 for row in answer["prediction"])
