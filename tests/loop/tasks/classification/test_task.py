"""Image classification as stages see it: predictions, questions, difficulty, and what its algorithm wants."""

from __future__ import annotations

from typing import Any

import pytest

from include.loop.config import Pipeline, TrainingSettings, load_environment
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.tasks import task_of
from include.loop.tasks.classification.task import ImageClassification
from include.loop.training.curves import read_curves
from tests.loop.tasks.classification.answering import MANY, ONE


def pipeline(**more: Any) -> Pipeline:
    return Pipeline(
        name="pets", path="pets.yaml", task="image-classification", classes=("cat", "dog"), **more
    )


def test_a_pipelines_task_has_its_settings():
    task = task_of(pipeline(multi_label=True, label_attribute="pets"))
    assert isinstance(task, ImageClassification)
    assert (task.classes, task.label_attribute, task.multi_label) == (("cat", "dog"), "pets", True)
    assert task.algorithm.name == "image-classification"


@pytest.mark.parametrize("body", [b"[0.1, 0.8, 0.1]", b'{"prediction": [0.1, 0.8, 0.1]}\n'])
def test_a_prediction_is_the_score_of_every_class(body):
    found = ONE.read_prediction(body)
    assert [(item.class_id, item.score) for item in found] == [(1, 0.8), (0, 0.1), (2, 0.1)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[0.5, 0.5]", "2 numbers for 3 classes"),
        (b"[0.5, 0.5, NaN]", "not a score from 0 to 1: nan"),
        (b"[0.5, 1.5, 0]", "not a score from 0 to 1: 1.5"),
        (b"[0.5, -1, 0]", "not a score from 0 to 1: -1"),
        (b'[0.5, "1", 0]', "not a score from 0 to 1: '1'"),
        (b"[true, false, false]", "not a score from 0 to 1: True"),
        (b'{"prediction": [[0, 0.9, 0, 0, 1, 1]]}', "1 numbers for 3 classes"),
        (b'{"predictions": []}', "unreadable output"),
        (b"0.5", "no list of numbers for 3 classes"),
        (b"", "unreadable output"),
    ],
)
def test_what_the_algorithm_does_not_document_is_no_prediction(body, message):
    with pytest.raises(BadRecord, match=message):
        ONE.read_prediction(body)


def test_a_question_has_the_classes_and_what_the_model_says():
    said = ONE.read_prediction(b"[0.35, 0.6, 0.05]")
    assert ONE.question(said, (1, 1), 0.3) == {"labels": ["cat", "dog", "owl"], "initialValue": "dog"}
    assert ONE.question(said, (1, 1), 0.7)["initialValue"] is None
    assert ONE.question(None, (1, 1), 0.3)["initialValue"] is None
    asked = MANY.question(said, (1, 1), 0.3)
    assert asked["initialValue"] == ["dog", "cat"]
    assert asked["exclusion"] == {"text": "none of these"}
    assert MANY.question(None, (1, 1), 0.3)["initialValue"] == []


def test_a_class_called_like_no_class_is_refused_where_images_have_many():
    with pytest.raises(ConfigurationError, match="'None' is what a reviewer chooses when no class fits"):
        ImageClassification(("cat", "None"), "pets", multi_label=True)
    ImageClassification(("cat", "None"), "pets")


@pytest.mark.parametrize(
    ("task", "labels", "scores", "difficulty"),
    [
        (ONE, 1, "[0.1, 0.8, 0.1]", 0.2),
        (ONE, 2, "[0.1, 0.8, 0.1]", 0.9),
        (MANY, [0, 1], "[1, 1, 0.4]", 0.0),
        (MANY, [0, 1], "[1, 0.5, 0]", 0.25),
        (MANY, [0], "[1, 0.9, 0]", 0.5),  # what it says of another class counts from the threshold on
        (MANY, [], "[0.1, 0.4, 0]", 0.0),
        (MANY, [], "[0.1, 0.6, 0]", 1.0),
    ],
)
def test_an_image_is_hard_by_how_far_the_model_is_from_its_label(task, labels, scores, difficulty):
    name = task.label_attribute
    value = {"source-ref": "s3://b/1.jpg", name: labels, f"{name}-metadata": {"class-map": {}}}
    said = task.read_prediction(scores.encode())
    assert task.difficulty(task.read_value(value), said, 0.5) == pytest.approx(difficulty)


def test_hyperparameters_are_written_as_the_algorithm_wants_them():
    assert ONE.algorithm.computed(TrainingSettings(), 3, 70, 1) == {
        "num_classes": 3,
        "num_training_samples": 70,
        "num_layers": 18,
        "image_shape": "3,224,224",
        "multi_label": 0,
        "resize": 224,
    }
    small = MANY.algorithm.computed(TrainingSettings(image_shape=28), 3, 70, 4)
    assert (small["image_shape"], small["num_layers"], small["multi_label"]) == ("3,28,28", 20, 1)
    assert MANY.algorithm.computed(TrainingSettings(num_layers=50), 3, 70, 4)["num_layers"] == 50


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_shape": "224"}, "image_shape must be 3,height,width in pixels, not 224"),
        ({"image_shape": "1,28,28"}, "image_shape must be 3,height,width"),
        ({"num_layers": "20"}, "num_layers must be one of 18, 34, 50, 101, 152, 200 for an image_shape of"),
        ({"image_shape": "3,28,28"}, "num_layers must be one of 20, 32, 44, 56, 110 .*, not 18"),
        ({"resize": "200"}, "resize must be 224 or more, the longer side of image_shape, not 200"),
        (
            {"use_pretrained_model": "1", "image_shape": "3,64,64"},
            "use_pretrained_model is for an image_shape",
        ),
        ({"use_weighted_loss": "1"}, "use_weighted_loss is for multi_label only"),
        ({"learning_rate": "1.5"}, "learning_rate must be from 0 to 1, not 1.5"),
        ({"momentum": "much"}, "momentum must be from 0 to 1, not much"),
        ({"optimizer": "adadelta"}, "optimizer must be one of adam, nag, rmsprop, sgd, not adadelta"),
        ({"top_k": "1"}, "top_k must be a whole number of 2 or more, not 1"),
        ({"epochs": "0"}, "epochs must be a whole number of 1 or more, not 0"),
        ({"lr_scheduler_step": "3;6"}, "lr_scheduler_step must be epochs like 3,6, not 3;6"),
        ({"augmentation_type": "flip"}, "augmentation_type must be one of crop, crop_color,"),
    ],
)
def test_sagemakers_limits_are_checked_before_a_job_is_sent(values, message):
    computed = ONE.algorithm.computed(TrainingSettings(), 3, 70, 1)
    texts = {name: str(value) for name, value in computed.items()}
    ONE.algorithm.check_limits(texts | {"use_pretrained_model": "1", "learning_rate": "0.01", "top_k": "2"})
    with pytest.raises(ConfigurationError, match=f"SageMaker's image classification: .*{message}"):
        ONE.algorithm.check_limits(texts | values)


def test_machines_without_a_gpu_are_refused():
    aws = load_environment("aws.example")
    cpu = aws.training.model_copy(update={"instance_type": "ml.m5.xlarge"})
    ONE.algorithm.check_machines(aws)
    with pytest.raises(ConfigurationError, match=r"trains on .*ml\.g5 only, not on ml\.m5\.xlarge"):
        ONE.algorithm.check_machines(aws.model_copy(update={"training": cpu, "image": None}))


def test_lists_of_ids_are_announced_to_the_algorithm():
    assert ONE.algorithm.manifest_content_type == "application/x-recordio"
    assert MANY.algorithm.manifest_content_type == "application/x-recordio; label-format=class-id"


def test_the_algorithms_log_becomes_curves():
    lines = [
        "[05/06/2026 10:00:01 INFO 140] Epoch[0] Batch [20]\tSpeed: 110.0 samples/sec\taccuracy=0.31",
        "[05/06/2026 10:00:02 INFO 140] Epoch[0] Train-accuracy=0.375000",
        "[05/06/2026 10:00:02 INFO 140] Epoch[0] Train-top_k_accuracy_2=0.612500",
        "[05/06/2026 10:00:02 INFO 140] Epoch[0] Validation-accuracy=0.253906",
        "[05/06/2026 10:00:03 INFO 140] Epoch[1] Batch [20]#011Speed: 120.0 samples/sec#011accuracy=0.5",
        "[05/06/2026 10:00:04 INFO 140] Epoch[1] Train-accuracy=nan",
        "[05/06/2026 10:00:04 INFO 140] Epoch[1] Validation-accuracy=0.5",
    ]
    found = read_curves(lines, ONE.algorithm.log)
    assert found.epochs == (
        {"epoch": 0, "validation_accuracy": 0.253906, "train_accuracy": 0.375},
        {"epoch": 1, "validation_accuracy": 0.5, "train_accuracy": None},
    )
    assert found.throughput == 115.0
