"""SageMaker's SDK v3, which is one of our own dependencies: it trains, hosts and transforms here as there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import run_steps
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud, eventually
from tests.support.sagemaker import log_of, unpacked

# Several minutes on a busy machine: the SDK looks at an endpoint twice a minute, and loads models in between.
pytestmark = pytest.mark.timeout(900)


def test_model_trainer_and_model_builder_work_and_clean_up(
    cloud: LocalCloud, bucket: str, tmp_path: Path
) -> None:
    prefix, folder = bucket, tmp_path / "data"
    folder.mkdir()
    at = f"s3://sagemaker-us-east-1-000000000000/{prefix}/data"
    (folder / "0.jpg").write_bytes(b"picture")
    (folder / "train.manifest").write_text(json.dumps({"source-ref": f"{at}/0.jpg", "review": {"label": 1}}))

    found, printed = run_steps(
        Path(sys.executable), "sdk3.py", cloud, tmp_path, prefix=prefix, folder=str(folder), image=FAKE_IMAGE
    )

    assert found["status"] == "Completed"
    assert found["role"] == ROLE
    seen = json.loads(unpacked(cloud, found["artifact"])["seen.json"])["seen"]
    assert seen["train"] == [["picture", json.dumps({"label": 1})]]
    assert seen["files"] == {"0.jpg": 7, "train.manifest": (folder / "train.manifest").stat().st_size}
    log = log_of(cloud, "/aws/sagemaker/TrainingJobs", f"{found['job']}/")
    told = [line for line in printed.partition("=== trained")[0].split("\n") if line in log]
    assert told == log == ["started", "score=0.5", "score=0.75"]
    assert (found["answer"]["bytes"], found["answer"]["content_type"]) == (7, "image/jpeg")
    listed = cloud.client("s3").list_objects_v2(Bucket=found["bucket"], Prefix=f"{prefix}/out/")["Contents"]
    assert [item["Key"].rpartition("/")[2] for item in listed] == ["0.jpg.out", "train.manifest.out"]
    sagemaker = cloud.client("sagemaker")
    eventually(lambda: not sagemaker.list_endpoints(NameContains=prefix)["Endpoints"])
    assert sagemaker.list_endpoint_configs(NameContains=prefix)["EndpointConfigs"] == []
    assert sagemaker.list_models(NameContains=prefix)["Models"] == []
    assert "amazonaws.com" not in printed.replace(FAKE_IMAGE, "")
