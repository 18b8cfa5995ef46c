"""The request that is sent: what is counted is counted, and what cannot work is refused before it costs
anything.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop import algorithm, config, dataset, storage, training
from include.loop.champion import Champion
from include.loop.errors import ConfigurationError, Incompatible
from include.loop.jobs import JobKind, latest
from include.loop.training import make_hyperparameters, train
from include.loop.workspace import Workspace
from tests.loop.place import Place

RECORD = {"train": 12, "max_boxes": 3}
PARENT = Champion(1, "pets-train-1", "s3://b/m.tar.gz", "d", "resnet-50", 2, 320, {"day": 0.5}, "2026-01-01")


def settings(place: Place, stage: str = "initial", **hyperparameters) -> Workspace:
    one = place.pipeline.training
    changed = one.model_copy(update={stage: config.StageSettings(hyperparameters=hyperparameters)})
    return place.but(training=changed)


def test_what_can_be_counted_is_counted(place: Place):
    values = make_hyperparameters(place.workspace, RECORD, None)
    assert {name: values[name] for name in ("num_classes", "num_training_samples", "label_width")} == {
        "num_classes": "2",
        "num_training_samples": "12",
        "label_width": "350",
    }
    assert all(isinstance(value, str) for value in values.values())
    crowded = make_hyperparameters(place.workspace, RECORD | {"max_boxes": 100}, None)
    assert crowded["label_width"] == "502"  # five numbers a box, and two


def test_a_small_dataset_gets_a_small_batch(place: Place):
    assert make_hyperparameters(settings(place, mini_batch_size=16), RECORD, None)["mini_batch_size"] == "12"
    assert make_hyperparameters(settings(place, mini_batch_size=4), RECORD, None)["mini_batch_size"] == "4"


def test_the_environment_has_the_last_word(place: Place):
    training_place = config.TrainingPlace(hyperparameters={"initial": {"epochs": 2}})
    environment = place.environment.model_copy(update={"training": training_place})
    workspace = Workspace(settings(place, epochs=30).pipeline, environment, place.storage)
    assert make_hyperparameters(workspace, RECORD, None)["epochs"] == "2"


def test_a_model_that_is_trained_further_keeps_its_parents_shape_and_weights(place: Place):
    values = make_hyperparameters(settings(place, "incremental", use_pretrained_model=1), RECORD, PARENT)
    assert (values["image_shape"], values["use_pretrained_model"]) == ("320", "0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("cat", "dog", "bird")}, "num_classes is 3, but the champion pets-train-1 has 2"),
        ({"training": config.TrainingSettings(base_network="vgg-16")}, "base_network is 'vgg-16'"),
    ],
)
def test_another_network_or_other_classes_than_the_parents_are_refused(place: Place, change, message):
    with pytest.raises(Incompatible, match=message):
        make_hyperparameters(place.but(**change), RECORD, PARENT)


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"image_shape": 128}, "image_shape must be at least 300, not 128"),
        ({"learning_rate": 2}, "learning_rate must be above 0 and at most 1, not 2"),
        ({"optimizer": "lion"}, "optimizer must be one of adadelta, adam, rmsprop, sgd, not lion"),
    ],
)
def test_sagemakers_own_limits_are_checked_before_a_job_is_sent(place: Place, hyperparameters, message):
    environment = place.environment.model_copy(update={"algorithm": "sagemaker"})
    pipeline = settings(place, **hyperparameters).pipeline
    with pytest.raises(ConfigurationError, match=message):
        make_hyperparameters(Workspace(pipeline, environment, place.storage), RECORD, None)
    make_hyperparameters(Workspace(pipeline, place.environment, place.storage), RECORD, None)


def test_the_shipped_example_for_aws_passes_sagemakers_limits():
    workspace = Workspace(config.load_pipeline("digits"), config.load_environment("aws.example"), None)  # type: ignore[arg-type]
    assert make_hyperparameters(workspace, RECORD, None)["image_shape"] == "300"


def test_the_image_is_sagemakers_own_unless_the_environment_names_one():
    aws = config.load_environment("aws.example")
    assert algorithm.training_image(aws).endswith(".dkr.ecr.eu-west-1.amazonaws.com/object-detection:1")
    assert algorithm.training_image(aws.model_copy(update={"image": "mine:1"})) == "mine:1"
    with pytest.raises(ConfigurationError, match="no object-detection image in 'mars-north-1'"):
        algorithm.training_image(aws.model_copy(update={"region": "mars-north-1", "path": Path("x.yaml")}))


def test_a_training_job_reads_manifests_through_pipes_and_is_made_once(make_place):
    place = make_place(
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"}
    )
    place.add_labels("initial/train.manifest", {f"{n}.jpg": 100 + n for n in range(3)})
    place.add_labels("initial/validation.manifest", {"v.jpg": 100})
    built = dataset.build_initial(place.workspace)
    done = place.finish(train, built["dataset_id"])
    assert place.finish(train, built["dataset_id"]) == done
    assert done["attempt"] == 1
    assert done["model_data"] == f"s3://{place.bucket}/pets/models/{done['training_job']}/output/model.tar.gz"
    model = training.read_model(place.workspace, done["training_job"])
    assert (model["dataset_id"], model["parent"], model["num_classes"]) == (built["dataset_id"], None, 2)
    job = latest(place.sagemaker, JobKind.TRAINING, done["training_job"].removesuffix("-1"))
    assert job is not None
    channels = {channel["ChannelName"]: channel for channel in job.details["InputDataConfig"]}
    assert channels["train"]["InputMode"] == "Pipe"
    assert channels["train"]["DataSource"]["S3DataSource"]["AttributeNames"] == ["source-ref", "review"]
    assert channels["train"]["DataSource"]["S3DataSource"]["S3Uri"] == place.storage.uri(
        storage.dataset_file(built["dataset_id"], "train.manifest")
    )
