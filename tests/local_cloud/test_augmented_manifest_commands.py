"""AWS's example of training from an augmented manifest, from its first cell to its last, by commands: looked
at, counted, its label found, divided, the request shown, the job followed, its model described.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.loop.__main__ import main
from tests.loop.place import Place
from tests.loop.terminal import at_terminal
from tests.support.cloud import FAKE_IMAGE, LocalCloud
from tests.support.detection import SIDE, put_squares

SETTINGS = {
    "base_network": "resnet-50",
    "use_pretrained_model": "1",
    "mini_batch_size": "8",
    "epochs": "1",
    "learning_rate": "0.001",
    "lr_scheduler_step": "3,6",
    "lr_scheduler_factor": "0.1",
    "optimizer": "rmsprop",
    "momentum": "0.9",
    "weight_decay": "0.0005",
    "overlap_threshold": "0.5",
    "nms_threshold": "0.45",
    "image_shape": str(SIDE),
}


def test_from_a_manifest_to_a_model_by_commands(
    cloud: LocalCloud,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
):
    def run(*command: str) -> str:
        assert main(list(command)) == 0
        return str(capsys.readouterr().out)

    place = Place(cloud, lambda: pytest.fail("nobody is asked"), bucket)
    at_terminal(place, monkeypatch, tmp_path, image=FAKE_IMAGE, poll_seconds=0.1)
    manifest = put_squares(cloud, bucket, "squares", 20)
    body = place.s3.get_object(Bucket=bucket, Key="squares.manifest")["Body"].read()
    metadata = {"type": "groundtruth/object-detection", "class-map": {"0": "square"}}
    lines = [json.loads(line) | {"review-metadata": metadata} for line in body.split(b"\n")]
    text = "".join(
        f"{json.dumps(line)}\n" for line in lines
    )  # with the line feed that others count as a line
    place.s3.put_object(Bucket=bucket, Key="squares.manifest", Body=text.encode())

    assert run("data", "show", manifest).count("source-ref") == 2
    assert run("data", "count", manifest).startswith("20 lines\nreview: 20 labelled\n  class 0    square ")
    names = json.loads(run("data", "attributes", manifest, "--json"))["attribute_names"]
    assert names == ["source-ref", "review"]
    told = run("data", "split", manifest, "--by", "shuffle", "--seed", "1", "--share", "0.2")
    assert "squares-train.manifest: 16 lines" in told

    train = ["train"]
    for part in ("train", "validation"):
        train += [f"--{part}", f"s3://{bucket}/squares-{part}.manifest"]
    for name, value in SETTINGS.items():
        train += ["-p", f"{name}={value}"]
    request = json.loads(run(*train, "--print-request"))
    assert request["HyperParameters"] == SETTINGS | {
        "num_classes": "1",
        "num_training_samples": "16",
        "label_width": "350",
    }
    source = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    assert (source["AttributeNames"], source["S3DataType"]) == (names, "AugmentedManifestFile")

    told = run(*train)
    assert f"training job {request['TrainingJobName']}\n" in told
    described = cloud.client("sagemaker").describe_training_job(TrainingJobName=request["TrainingJobName"])
    assert described["TrainingJobStatus"] == "Completed"
    assert {name: described[name] for name in ("HyperParameters", "InputDataConfig")} == {
        name: request[name] for name in ("HyperParameters", "InputDataConfig")
    }
    assert "  0:square\n" in run("predict", "--describe", "--model", request["TrainingJobName"])
