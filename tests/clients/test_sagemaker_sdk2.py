"""Amazon's tutorials, step by step, by ``sagemaker<3``: the SDK that they were written for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import run_steps
from tests.support.cloud import DETECTION_IMAGE, FAKE_IMAGE, ROLE, LocalCloud
from tests.support.detection import squares
from tests.support.sagemaker import log_of

# Several minutes on a busy machine: the SDK looks at an endpoint twice a minute, and loads models in between.
pytestmark = pytest.mark.timeout(900)
GROUP = "/aws/sagemaker/TrainingJobs"


def lay_out(folder: Path, bucket: str, name: str, count: int, seed: int) -> None:
    """Images and their augmented manifest, as they will lie below ``s3://bucket/data/``."""
    lines = []
    for number, (image, review) in enumerate(squares(count, seed)):
        (folder / f"{name}-{number}.jpg").write_bytes(image)
        lines.append({"source-ref": f"s3://{bucket}/data/{name}-{number}.jpg", "a2i-retraining": review})
    (folder / f"{name}.manifest").write_text("\n".join(map(json.dumps, lines)))


def shown(cloud: LocalCloud, job: str, printed: str) -> tuple[list[str], list[str]]:
    """The lines of the job's log, and those of them that the client printed, as often as it did."""
    log = log_of(cloud, GROUP, f"{job}/algo-1-")
    return log, [line for line in printed.split("\n") if line in set(log)]


def test_the_tutorials_learn_go_on_host_predict_and_clean_up(
    cloud: LocalCloud, bucket: str, sagemaker2: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    sagemaker = cloud.client("sagemaker")
    left = models(sagemaker)  # by a try that failed
    lay_out(folder, bucket, "train", 16, seed=0)
    lay_out(folder, bucket, "validation", 2, seed=1)

    found, printed = run_steps(
        sagemaker2, "sdk2_detection.py", cloud, tmp_path, bucket=bucket, folder=str(folder), count=16
    )

    assert found["image"] == DETECTION_IMAGE
    log, seen = shown(cloud, found["second"], printed.partition("=== the second job")[2])
    assert seen == log, "fit(logs=True) prints each line once"
    assert any("validation mAP <score>=(" in line for line in log)
    # The SDK asks for the status every 30 s, and reads once more 10 s later: 40 s on a quiet machine.
    assert found["returned"] - found["ended"] < 180
    assert {"train:progress", "train:cross_entropy", "validation:mAP"} <= set(found["metrics"])
    assert found["raw"] == found["parsed"]
    assert all(len(row) == 6 for row in found["parsed"]["prediction"])
    names = [f"s3://{bucket}/predictions/validation-{number}.jpg.out" for number in range(2)]
    assert found["outputs"] == names
    (channel,) = [
        channel
        for channel in sagemaker.describe_training_job(TrainingJobName=found["second"])["InputDataConfig"]
        if channel["ChannelName"] == "model"
    ]
    assert f"/{found['first']}/output/" in channel["DataSource"]["S3DataSource"]["S3Uri"]
    assert sagemaker.list_endpoint_configs(NameContains=bucket)["EndpointConfigs"] == []
    assert models(sagemaker) == left


def models(sagemaker: Any) -> set[str]:
    """The SDK names models after their image."""
    found = sagemaker.list_models(NameContains="object-detection-20")["Models"]
    return {model["ModelName"] for model in found}


def test_a_notebook_that_names_no_bucket_and_no_role_trains(
    cloud: LocalCloud, sagemaker2: Path, tmp_path: Path
) -> None:
    metadata, picture = tmp_path / "metadata.json", tmp_path / "a.jpg"
    metadata.write_text(json.dumps({"ExecutionRoleArn": ROLE}))
    picture.write_bytes(b"picture")

    found, printed = run_steps(
        sagemaker2,
        "sdk2_defaults.py",
        cloud,
        tmp_path,
        image=FAKE_IMAGE,
        picture=str(picture),
        metadata=str(metadata),
    )

    assert found["bucket"] == "sagemaker-us-east-1-000000000000"
    assert found["role"] == found["default_role"] == ROLE
    assert found["experiment"]["ExperimentName"] == "nightly"
    assert found["debug"]["S3OutputPath"].startswith(f"s3://{found['bucket']}/notebook/output")
    assert found["metrics"] == [{"metric_name": "score", "value": 0.625}]
    job = found["model_data"].split("/")[-3]
    log, seen = shown(cloud, job, printed)
    assert seen == log
    assert log[1:] == ["started", "score=0.5", "score=0.75"]
    assert "HTTPSConnectionPool" not in printed, "the SDK asked Amazon for something"
