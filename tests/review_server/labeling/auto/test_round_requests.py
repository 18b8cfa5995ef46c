"""What a round asks SageMaker for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.algorithms.image_classification import hyperparameters as image_classification
from include.algorithms.object_detection import hyperparameters as object_detection
from include.local_cloud.settings import SMALL_MODELS
from include.review_server.labeling.auto.algorithms import CLASSIFICATION, DETECTION
from include.review_server.labeling.auto.records import Labelled
from include.review_server.labeling.auto.requests import Round, learning_split, pieces
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.layout import Layout
from include.review_server.labeling.task_types import TASK_TYPES
from include.review_server.settings import ReviewSettings
from tests.support.cloud import ROLE


def made(region: str = "us-east-1", **resources: Any) -> Round:
    config = {"LabelingJobAlgorithmSpecificationArn": "x", "LabelingJobResourceConfig": resources}
    request = {
        "RoleArn": ROLE,
        "OutputConfig": {"S3OutputPath": "s3://out/gt/", "KmsKeyId": "key"},
        "HumanTaskConfig": {},
        "LabelingJobAlgorithmsConfig": config,
    }
    job = JobView(
        id=1,
        name="nuts",
        arn="arn:aws:sagemaker:us-east-1:000000000000:labeling-job/nuts",
        request=request,
        task_type=TASK_TYPES["BoundingBox"],
        label_attribute="box",
        categories=("nut", "bolt"),
        iteration=3,
        objects=2000,
        human_labeled=0,
        machine_labeled=0,
        output=Layout.of("s3://out/gt/", "nuts"),
        reference_code="code",
    )
    return Round(job, 4, DETECTION, ReviewSettings(data_dir=Path(), region=region))


def boxes(number: int, count: int) -> Labelled:
    annotations = [{"class_id": 0, "left": 1, "top": 1, "width": 5, "height": 5}] * count
    return Labelled(number, f"s3://in/{number}.jpg", {"box": {"annotations": annotations}})


def test_what_judges_is_never_learned_from_nor_an_image_without_boxes() -> None:
    chosen = learning_split(made(), [boxes(n, n % 3) for n in range(300)], judging=range(100))
    learned = {channel: {item.number for item in items} for channel, items in chosen.items()}
    assert learned["train"] | learned["validation"] == {n for n in range(100, 300) if n % 3}
    assert not learned["train"] & learned["validation"]
    assert 10 < len(learned["validation"]) < 50


def test_a_model_to_begin_with_takes_the_place_of_the_pretrained_one() -> None:
    chosen = {"train": [boxes(1, 100), boxes(2, 1)], "validation": [boxes(3, 1)]}
    resources: dict[str, Any] = {
        "VolumeKmsKeyId": "volume",
        "VpcConfig": {"SecurityGroupIds": ["sg"], "Subnets": ["s"]},
    }
    first = made(**resources).training_request(chosen, None)
    assert [channel["ChannelName"] for channel in first["InputDataConfig"]] == ["train", "validation"]
    settings = first["HyperParameters"]
    assert settings["use_pretrained_model"] == "1"
    # Room for the fullest image, and no batch larger than what there is.
    assert (settings["label_width"], settings["mini_batch_size"], settings["num_classes"]) == (
        "502",
        "2",
        "2",
    )
    assert first["OutputDataConfig"] == {
        "S3OutputPath": "s3://out/gt/nuts/training/4/model",
        "KmsKeyId": "key",
    }
    assert first["ResourceConfig"]["VolumeKmsKeyId"] == "volume"
    assert first["VpcConfig"] == resources["VpcConfig"]

    further = made("ap-south-1").training_request(chosen, "s3://a/model.tar.gz")
    channel = further["InputDataConfig"][-1]
    assert channel["ChannelName"] == "model"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == "s3://a/model.tar.gz"
    assert further["HyperParameters"]["use_pretrained_model"] == "0"
    assert further["ResourceConfig"]["InstanceType"] == "ml.p2.8xlarge"


@pytest.mark.parametrize("place", [{}, SMALL_MODELS], ids=["sagemaker", "local cloud"])
def test_both_algorithms_take_their_hyperparameters(place: dict[str, dict[str, str]]) -> None:
    detection = DETECTION.settings(2, 7, 3, place.get("object-detection", {}))
    boxes_of = object_detection.parse_hyperparameters(detection)
    assert (boxes_of.num_classes, boxes_of.mini_batch_size) == (2, 7)
    classification = CLASSIFICATION.settings(2, 40, 0, place.get("image-classification", {}))
    assert image_classification.parse_hyperparameters(classification).num_training_samples == 40


def test_images_of_two_buckets_are_two_jobs_and_a_key_that_is_too_long_is_in_none() -> None:
    images = {
        1: "s3://in/a.jpg",
        2: "s3://other/a.jpg",
        3: f"s3://in/{'x' * 1020}",
        4: "nothing",
        5: "s3://in/a.jpg",
    }
    one, two = pieces(made(), "unlabeled", images)
    assert json.loads(one.list_text) == [{"prefix": "s3://in/"}, "a.jpg"]
    assert {number: place.uri for number, place in one.outputs().items()} == dict.fromkeys(
        (1, 5), "s3://out/gt/nuts/inference/4/unlabeled/in/out/a.jpg.out"
    )
    assert one.stem != two.stem
    assert one.request("nuts-4")["TransformOutput"]["Accept"] == "application/json;annotation=1"
