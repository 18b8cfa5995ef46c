"""A tiny set for the real object-detection algorithm: bright squares on dark ground, learned in seconds.

``put_squares`` writes images and an augmented manifest to S3, from ``squares``; ``detection_request`` is a
training request for them that the real algorithm finishes quickly.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageDraw

from tests.support.cloud import DETECTION_IMAGE, ROLE, LocalCloud
from tests.support.sagemaker import channel

SIDE = 96


def squares(count: int, seed: int = 0) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """JPEGs with one square each, and their labels as object detection reads them."""
    dice = random.Random(seed)
    for _ in range(count):
        image = Image.new("RGB", (SIDE, SIDE), (20, 20, 30))
        side = dice.randint(24, 40)
        left, top = dice.randint(0, SIDE - side), dice.randint(0, SIDE - side)
        ImageDraw.Draw(image).rectangle((left, top, left + side - 1, top + side - 1), fill=(230, 220, 90))
        body = io.BytesIO()
        image.save(body, "JPEG")
        box = {"class_id": 0, "left": left, "top": top, "width": side, "height": side}
        size = {"width": SIDE, "height": SIDE, "depth": 3}
        yield body.getvalue(), {"annotations": [box], "image_size": [size]}


def put_squares(cloud: LocalCloud, bucket: str, name: str, count: int, seed: int = 0) -> str:
    """``count`` images with one square each, below ``{name}/``; returns the URI of their manifest."""
    s3, lines = cloud.client("s3"), []
    for number, (image, review) in enumerate(squares(count, seed)):
        s3.put_object(Bucket=bucket, Key=f"{name}/{number}.jpg", Body=image)
        lines.append({"source-ref": f"s3://{bucket}/{name}/{number}.jpg", "review": review})
    s3.put_object(Bucket=bucket, Key=f"{name}.manifest", Body="\n".join(map(json.dumps, lines)).encode())
    return f"s3://{bucket}/{name}.manifest"


def detection_request(name: str, bucket: str, train: str, validation: str, count: int) -> dict[str, Any]:
    """One epoch at 96 pixels, fed by pipes from augmented manifests as on AWS."""
    inputs = [
        channel(
            part,
            uri,
            "AugmentedManifestFile",
            AttributeNames=["source-ref", "review"],
            InputMode="Pipe",
            RecordWrapperType="RecordIO",
            ContentType="application/x-recordio",
        )
        for part, uri in (("train", train), ("validation", validation))
    ]
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": DETECTION_IMAGE, "TrainingInputMode": "Pipe"},
        "RoleArn": ROLE,
        "InputDataConfig": inputs,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {
            "num_classes": "1",
            "num_training_samples": str(count),
            "image_shape": str(SIDE),
            "epochs": "1",
            "mini_batch_size": "8",
            "label_width": "350",
            "use_pretrained_model": "0",
        },
    }
