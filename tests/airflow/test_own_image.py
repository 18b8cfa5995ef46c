"""A training image that shares nothing with SageMaker's object detection but the container contract, from its
first model to one that has learned a night: the environment's adapter is all that the loop is told of it.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from include.loop.core import layout
from include.loop.core.records.models import TrainedModel
from include.loop.lineage.walk import Start, walk
from nightloop.operators.challenger import JudgeOperator, PromoteOperator, RegisterOperator
from nightloop.operators.datasets import BuildDatasetOperator
from nightloop.operators.human_review import ListBatchOperator, TriageOperator
from nightloop.operators.loop_operator import LoopOperator
from nightloop.operators.sagemaker_jobs import (
    BatchInferenceOperator,
    EvaluateModelsOperator,
    IncrementalTrainingOperator,
)
from nightloop.operators.serving import DeployOperator
from tests.airflow.place import Place
from tests.loop.place import NIGHT, box, content
from tests.support.cloud import BLOBS_IMAGE

SIZE = (80, 60)
CLASSES = {"berry": (210, 50, 50), "leaf": (50, 170, 70)}
CLUTTER, GROUND = (60, 80, 200), (200, 200, 200)
ADAPTER: dict[str, Any] = {
    "hyperparameters": {
        "nc": "{num_classes}",
        "names": "{class_names}",
        "max_epochs": "{epochs}",
        "lr0": "{learning_rate}",
        "samples": "{num_training_samples}",
        "warm": "{continues}",
        "tolerance": 40,
    },
    "channels": {
        "format": "coco",
        "train": "pictures",
        "validation": "val_pictures",
        "annotations": "labels",
        "model": "weights",
    },
    "metrics": {"validation:recall": r"recall50=(\S+)", "loss": r"loss=(\S+)"},
    "content_type": "image/jpeg",
    "accept": "application/x-coco-results+json",
    "output": "coco-results",
}


def scenes(count: int, light: float, seed: int) -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    """JPEGs of shapes of two classes among others, and where the shapes are; at night ``light`` is less."""
    dice = random.Random(seed)
    for _ in range(count):
        noise = np.random.default_rng(dice.randrange(1 << 30)).normal(GROUND, 6, (SIZE[1], SIZE[0], 3))
        image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
        draw, boxes = ImageDraw.Draw(image), []
        for column, name in enumerate(dice.sample([*CLASSES, "clutter", dice.choice([*CLASSES])], 3)):
            side, top = dice.randint(12, 20), dice.randint(0, 38)
            left = column * 27 + dice.randint(0, 6)
            corners = (left, top, left + side - 1, top + side - 1)
            (draw.ellipse if name == "berry" else draw.rectangle)(corners, fill=CLASSES.get(name, CLUTTER))
            if name in CLASSES:
                boxes.append(box(name, left, top, side, side))
        body = io.BytesIO()
        image.point(lambda value: int(value * light)).save(body, "JPEG", quality=95)
        yield body.getvalue(), boxes


def manifest(place: Place, folder: str, count: int, light: float, seed: int) -> bytes:
    """Stored scenes, and their labels as an augmented manifest."""
    lines = []
    for number, (body, boxes) in enumerate(scenes(count, light, seed)):
        annotations = [
            {"class_id": [*CLASSES].index(one["label"])} | {k: v for k, v in one.items() if k != "label"}
            for one in boxes
        ]
        size = {"width": SIZE[0], "height": SIZE[1], "depth": 3}
        line = {
            "source-ref": place.put(f"{folder}/{number}.jpg", body),
            "review": {"annotations": annotations, "image_size": [size]},
            "review-metadata": {"creation-date": "2026-10-01T00:00:00.000000", "class-map": {}},
        }
        lines.append(json.dumps(line))
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture
def begun(place: Place) -> Place:
    """Labels by day, and test sets by day and by night."""
    place.put("initial/train.manifest", manifest(place, "initial", 12, 1, 1))
    place.put("initial/validation.manifest", manifest(place, "checked", 4, 1, 2))
    place.put("test/day.manifest", manifest(place, "test/day", 8, 1, 3))
    place.put("test/night.manifest", manifest(place, "test/night", 8, 0.45, 4))
    place.settings |= {
        "classes": [*CLASSES],
        "initial": {"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        "test_sets": {"day": "test/day.manifest", "night": "test/night.manifest"},
        "triage": {"threshold": 0.5, "audit_share": 0, "cap": 10},
        "training": {
            "initial": {"hyperparameters": {"epochs": 6, "learning_rate": 0.5, "optimizer": "adam"}},
            "validation_share": 0.3,
        },
    }
    place.environment_settings |= {
        "image": BLOBS_IMAGE,
        "adapter": ADAPTER,
        "deployment": {"smoke_test_images": 2},
    }
    place.save()
    return place


def learn(place: Place, initial: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """A round up to the champion: its training job, and what evaluation measured, by test set."""

    def run(operator: type[LoopOperator], **arguments: Any) -> dict[str, Any]:
        return dict(place.run(operator(task_id="step", pipeline=place.name, **arguments)))

    built = run(BuildDatasetOperator, initial=initial)
    trained = run(IncrementalTrainingOperator, dataset_id=built["dataset_id"])
    job = trained["training_job"]
    score = run(EvaluateModelsOperator, training_job=job)["score"]
    judged = run(JudgeOperator, training_job=job)
    assert judged["promote"], judged
    run(RegisterOperator, training_job=job)
    assert run(PromoteOperator, training_job=job)["promoted"]
    return place.cloud.client("sagemaker").describe_training_job(TrainingJobName=job), score


def test_another_image_learns_by_day_is_asked_about_at_night_and_learns_from_the_answers(
    begun: Place,
) -> None:
    place = begun
    first, score = learn(place, initial=True)
    assert first["HyperParameters"] == {
        "nc": "2", "names": '["berry", "leaf"]', "max_epochs": "6", "lr0": "0.5", "samples": "12",
        "warm": "0", "tolerance": "40",
    }  # fmt: skip
    channels = {one["ChannelName"]: one["DataSource"]["S3DataSource"] for one in first["InputDataConfig"]}
    assert {name: one["S3DataType"] for name, one in channels.items()} == {
        "pictures": "ManifestFile", "val_pictures": "ManifestFile", "labels": "S3Prefix",
    }  # fmt: skip
    metrics = {one["MetricName"]: one["Value"] for one in first["FinalMetricDataList"]}
    assert metrics["validation:recall"] == pytest.approx(1)
    assert score["day"]["challenger"] > 0.9
    assert score["night"]["challenger"] < 0.3, "nobody has shown it the night"
    job = first["TrainingJobName"]
    curves = place.storage.read_json(layout.curves_file(job))["epochs"]
    assert [one["epoch"] for one in curves] == list(range(6))
    assert curves[0]["loss"] > curves[-1]["loss"]
    assert TrainedModel.read(place.storage, job).shape["num_classes"] == "2"

    shown = {}
    for number, (body, boxes) in enumerate(scenes(10, 0.45, 5)):
        shown[place.put(f"images/dt={NIGHT}/{number}.jpg", body)] = boxes
    place.set_up_review()
    place.run(ListBatchOperator(task_id="list_batch", pipeline=place.name, batch_date=NIGHT))
    predicted = place.run(BatchInferenceOperator(task_id="predict", pipeline=place.name, batch=NIGHT))
    assert (predicted["predicted"], predicted["missing"]) == (10, 0)
    triaged = place.run(TriageOperator(task_id="triage", pipeline=place.name, batch=NIGHT, part=0))
    assert (triaged["candidates"], triaged["unreadable"]) == (10, 0)
    labels = place.night(respond=lambda task: content(*shown[task["taskObject"]], size=SIZE))
    assert (labels.labels, labels.quarantined) == (10, 0)

    further, score = learn(place)
    assert {name: further["HyperParameters"][name] for name in ("warm", "lr0")} == {
        "warm": "1",
        "lr0": "0.05",
    }
    weights = next(one for one in further["InputDataConfig"] if one["ChannelName"] == "weights")
    assert weights["DataSource"]["S3DataSource"]["S3Uri"] == first["ModelArtifacts"]["S3ModelArtifacts"]
    assert score["night"]["challenger"] > 0.9 > 0.3 > score["night"]["champion"]
    assert score["day"]["challenger"] > 0.9, "what its parent has learned is kept"

    steps = walk(place.workspace, Start(training_job=further["TrainingJobName"]))
    assert steps["training_job"]["manifest"].endswith("/coco/train.images.json")
    assert steps["training_job"]["parent"] == job
    assert steps["answers"], "and from there to the people"

    served = DeployOperator(task_id="deploy", pipeline=place.name, training_job=further["TrainingJobName"])
    assert place.run(served)["checked"] == 2, "the endpoint says what evaluation saw"
