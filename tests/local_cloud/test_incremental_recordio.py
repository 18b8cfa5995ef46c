"""SageMaker's example of incremental training, cell by cell: PASCAL VOC to RecordIO, a first training in File
mode, a second one from its model, an endpoint that answers, and its end. Plain boto3, the real algorithm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.loop.__main__ import main
from tests.support.cloud import DETECTION_IMAGE, ROLE, LocalCloud, eventually
from tests.support.detection import SIDE, squares
from tests.support.sagemaker import channel, trained

XML = """<annotation><filename>{name}.jpg</filename><size><width>{side}</width><height>{side}</height>
<depth>3</depth></size><object><name>square</name><difficult>0</difficult><bndbox><xmin>{xmin}</xmin>
<ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object></annotation>"""

FIRST = {
    "base_network": "resnet-50",
    "use_pretrained_model": "1",
    "num_classes": "1",
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
    "label_width": "350",
    "num_training_samples": "16",
}


def make_devkit(root: Path) -> Path:
    """Two years with a trainval set of eight images each, and a test set of four in the first."""
    for year, seed in (("2007", 0), ("2012", 1)):
        sets: dict[str, list[str]] = {"trainval": [], "test": []}
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (root / f"VOC{year}" / folder).mkdir(parents=True)
        for number, (image, label) in enumerate(squares(12 if year == "2007" else 8, seed)):
            name, (box,) = f"{year}_{number:06d}", label["annotations"]
            sets["trainval" if number < 8 else "test"].append(name)
            corners = {
                "xmin": box["left"] + 1,
                "ymin": box["top"] + 1,
                "xmax": box["left"] + box["width"],
                "ymax": box["top"] + box["height"],
            }
            (root / f"VOC{year}/Annotations/{name}.xml").write_text(
                XML.format(name=name, side=SIDE, **corners)
            )
            (root / f"VOC{year}/JPEGImages/{name}.jpg").write_bytes(image)
        for part, names in sets.items():
            if names:
                lines = "".join(f"{name}\n" for name in names)
                (root / f"VOC{year}/ImageSets/Main/{part}.txt").write_text(lines)
    return root


def request(name: str, bucket: str, hyperparameters: dict[str, str], model: str | None) -> dict[str, Any]:
    """The example's estimator as a request."""
    content = {"train": "application/x-recordio", "validation": "application/x-recordio"}
    channels = [
        channel(part, f"s3://{bucket}/demo/{part}", ContentType=kind) for part, kind in content.items()
    ]
    if model:
        channels.append(channel("model", model, ContentType="application/x-sagemaker-model"))
    for each in channels:
        each["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "FullyReplicated"
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": DETECTION_IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/demo/output"},
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 360_000},
        "HyperParameters": hyperparameters,
    }


def test_from_voc_to_an_endpoint_by_way_of_two_trainings(
    cloud: LocalCloud, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    devkit = make_devkit(tmp_path / "VOCdevkit")
    for part, source, chosen in (("train", devkit, "trainval"), ("validation", devkit / "VOC2007", "test")):
        out = tmp_path / f"{part}.rec"
        assert main(["data", "pack", str(source), "--sets", chosen, "--out", str(out)]) == 0
        s3.upload_file(str(out), bucket, f"demo/{part}/{part}.rec")
    assert main(["data", "show", str(tmp_path / "train.lst"), "--limit", "3"]) == 0
    assert "line 3: index 2, VOC2007/JPEGImages/2007_000002.jpg; 1 object: class 0" in capsys.readouterr().out

    sagemaker.create_training_job(**request(f"{bucket}-1", bucket, FIRST, None))
    first = trained(cloud, f"{bucket}-1", within=280)
    assert first["TrainingJobStatus"] == "Completed", first["FailureReason"]
    artifact = first["ModelArtifacts"]["S3ModelArtifacts"]
    again = {
        name: value
        for name, value in FIRST.items()
        if name != "use_pretrained_model" and not name.startswith("lr_scheduler")
    }
    sagemaker.create_training_job(**request(f"{bucket}-2", bucket, again, artifact))
    second = trained(cloud, f"{bucket}-2", within=280)
    assert second["TrainingJobStatus"] == "Completed", second["FailureReason"]
    losses = [
        next(
            item["Value"]
            for item in job["FinalMetricDataList"]
            if item["MetricName"] == "train:cross_entropy"
        )
        for job in (first, second)
    ]
    assert losses[1] < losses[0], "the second training began anew"

    sagemaker.create_model(
        ModelName=bucket,
        PrimaryContainer={
            "Image": DETECTION_IMAGE,
            "ModelDataUrl": second["ModelArtifacts"]["S3ModelArtifacts"],
        },
        ExecutionRoleArn=ROLE,
    )
    variant = {"VariantName": "all", "ModelName": bucket, "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=bucket, ProductionVariants=[variant | {"InstanceType": "ml.m4.xlarge"}]
    )
    sagemaker.create_endpoint(EndpointName=bucket, EndpointConfigName=bucket)

    def status() -> str:
        return str(sagemaker.describe_endpoint(EndpointName=bucket)["EndpointStatus"])

    eventually(lambda: status() != "Creating", within=280)
    assert status() == "InService"
    image, _ = next(squares(1, seed=7))
    reply = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=bucket, ContentType="image/jpeg", Body=image
    )
    found = json.loads(reply["Body"].read())["prediction"]
    assert found
    assert all(len(row) == 6 and row[0] == 0 and 0 <= row[1] <= 1 for row in found)
    sagemaker.delete_endpoint(EndpointName=bucket)
    eventually(
        lambda: bucket not in {item["EndpointName"] for item in sagemaker.list_endpoints()["Endpoints"]}
    )
