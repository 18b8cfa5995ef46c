"""The request that is sent: what is counted is counted, and what cannot work is refused before it costs
anything.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator

from include.loop import config
from include.loop.aws import containers
from include.loop.aws.jobs import ResourceKind, latest
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import Champion, TrainedModel
from include.loop.dataset import build
from include.loop.training.hyperparameters import make_hyperparameters
from include.loop.training.job import make_request, train
from include.loop.workspace import Workspace
from tests.loop.place import Place

DATASET = Dataset(dataset_id="d1", train=12, max_boxes=3)
PARENT = Champion(
    number=1,
    training_job="pets-train-1",
    model_data="s3://b/m.tar.gz",
    dataset_id="d",
    hyperparameters={"base_network": "resnet-50", "num_classes": "2", "image_shape": "320"},
    promoted_at="2026-01-01",
    package_arn="arn:1",
)


PARENT_MODEL = partial(
    TrainedModel, training_job="pets-train-1", dataset_id="d", model_data="s3://b/m.tar.gz"
)


def settings(place: Place, stage: str = "initial", **hyperparameters) -> Workspace:
    one = place.pipeline.training
    changed = one.model_copy(update={stage: config.StageSettings(hyperparameters=hyperparameters)})
    return place.but(training=changed)


def test_what_can_be_counted_is_counted(place: Place):
    values = make_hyperparameters(place.workspace, DATASET, None)
    assert {name: values[name] for name in ("num_classes", "num_training_samples", "label_width")} == {
        "num_classes": "2",
        "num_training_samples": "12",
        "label_width": "350",
    }
    assert all(isinstance(value, str) for value in values.values())
    crowded = make_hyperparameters(place.workspace, DATASET.model_copy(update={"max_boxes": 100}), None)
    assert crowded["label_width"] == "502"  # five numbers a box, and two


def test_a_small_dataset_gets_a_small_batch(place: Place):
    assert make_hyperparameters(settings(place, mini_batch_size=16), DATASET, None)["mini_batch_size"] == "12"
    assert make_hyperparameters(settings(place, mini_batch_size=4), DATASET, None)["mini_batch_size"] == "4"


def test_the_environment_has_the_last_word(place: Place):
    training_place = config.TrainingInstances(hyperparameters={"initial": {"epochs": 2}})
    environment = place.environment.model_copy(update={"training": training_place})
    workspace = Workspace(settings(place, epochs=30).pipeline, environment, place.storage, place.clients)
    assert make_hyperparameters(workspace, DATASET, None)["epochs"] == "2"


def test_a_model_that_is_trained_further_keeps_its_parents_shape_and_weights(place: Place):
    values = make_hyperparameters(settings(place, "incremental", use_pretrained_model=1), DATASET, PARENT)
    assert (values["image_shape"], values["use_pretrained_model"]) == ("320", "0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("cat", "dog", "bird")}, "num_classes is 3, but the champion pets-train-1 has 2"),
        ({"training": config.TrainingSettings(base_network="vgg-16")}, "base_network is vgg-16"),
    ],
)
def test_another_network_or_other_classes_than_the_parents_are_refused(place: Place, change, message):
    with pytest.raises(Incompatible, match=message):
        make_hyperparameters(place.but(**change), DATASET, PARENT)


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"image_shape": 128}, "image_shape must be a whole number of 300 or more, not 128"),
        ({"learning_rate": 2}, "learning_rate must be above 0 and at most 1, not 2"),
        ({"lr_scheduler_step": "3;6"}, "lr_scheduler_step must be epochs like 3,6, not 3;6"),
        ({"optimizer": "lion"}, "optimizer must be one of adadelta, adam, rmsprop, sgd, not lion"),
    ],
)
def test_sagemakers_own_limits_are_checked_before_a_job_is_sent(place: Place, hyperparameters, message):
    environment = place.environment.model_copy(update={"algorithm": "sagemaker"})
    pipeline = settings(place, **hyperparameters).pipeline
    with pytest.raises(ConfigurationError, match=message):
        make_hyperparameters(Workspace(pipeline, environment, place.storage, place.clients), DATASET, None)
    make_hyperparameters(Workspace(pipeline, place.environment, place.storage, place.clients), DATASET, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("cat", "dog", "owl")}, "num_classes is 3, but the champion pets-train-1 has 2"),
        ({"multi_label": True}, "multi_label is 1, but the champion pets-train-1 has 0"),
        ({"training": config.TrainingSettings(num_layers=34)}, "num_layers is 34, .* has 18"),
        ({"training": config.TrainingSettings(image_shape=64)}, "image_shape is 3,64,64, .* has 3,224,224"),
    ],
)
def test_a_classifier_is_trained_further_with_its_own_network_only(make_place, change, message):
    place = make_place(task="image-classification", training={})
    first = make_hyperparameters(place.workspace, DATASET, None)
    parent = PARENT.model_copy(update={"hyperparameters": PARENT_MODEL(hyperparameters=first).shape})
    further = make_hyperparameters(place.workspace, DATASET, parent)
    assert further == first | {"learning_rate": "0.01", "use_pretrained_model": "0"}
    with pytest.raises(Incompatible, match=message):
        make_hyperparameters(place.but(**change), DATASET, parent)


@pytest.mark.parametrize(("pipeline", "shape"), [("digits", "300"), ("digit-classes", "3,224,224")])
def test_the_shipped_example_for_aws_passes_sagemakers_limits(pipeline, shape):
    aws = config.load_environment("aws.example")
    workspace = Workspace(config.load_pipeline(pipeline), aws, None, None)  # type: ignore[arg-type]
    first = make_hyperparameters(workspace, DATASET, None)
    assert (first["image_shape"], first["use_pretrained_model"]) == (shape, "1")
    parent = PARENT.model_copy(update={"hyperparameters": PARENT_MODEL(hyperparameters=first).shape})
    assert make_hyperparameters(workspace, DATASET, parent)["use_pretrained_model"] == "0"


def test_machines_that_sagemakers_algorithm_cannot_use_are_refused(place: Place):
    """An image of one's own may train anywhere."""
    cpu = config.TrainingInstances(instance_type="ml.m5.xlarge")
    environment = place.environment.model_copy(update={"algorithm": "sagemaker", "training": cpu})
    own = Workspace(settings(place, image_shape=300).pipeline, environment, place.storage, place.clients)
    assert make_hyperparameters(own, DATASET, None)
    sagemakers = replace(own, environment=environment.model_copy(update={"image": None}))
    with pytest.raises(ConfigurationError, match=r"trains on ml.p2, .* only, not on ml.m5.xlarge"):
        make_hyperparameters(sagemakers, DATASET, None)


def test_a_model_is_trained_further_with_the_first_models_settings_but_gentler(place: Place):
    """What SageMaker's retraining example does: all settings of the first training, a tenth of its rate."""
    first = {"learning_rate": 0.02, "optimizer": "sgd", "mini_batch_size": 4, "image_shape": 512}
    training = config.TrainingSettings(
        initial=config.StageSettings(hyperparameters=first),
        incremental=config.StageSettings(hyperparameters={"lr_scheduler_step": "3,6"}),
    )
    values = make_hyperparameters(place.but(training=training), DATASET, PARENT)
    assert {name: values[name] for name in (*first, "lr_scheduler_step", "use_pretrained_model")} == {
        "learning_rate": "0.002",
        "optimizer": "sgd",
        "mini_batch_size": "4",
        "image_shape": "320",  # the parent's
        "lr_scheduler_step": "3,6",
        "use_pretrained_model": "0",
    }
    unsaid = make_hyperparameters(place.but(training=config.TrainingSettings()), DATASET, PARENT)
    assert unsaid["learning_rate"] == "0.0001"
    own = settings(place, "incremental", learning_rate=0.5, image_shape=512)
    assert make_hyperparameters(own, DATASET, PARENT)["learning_rate"] == "0.5"
    assert make_hyperparameters(own, DATASET, PARENT)["image_shape"] == "512"


EVERYTHING: dict[str, Any] = {
    "tags": {"project": "nightloop"},
    "training": {
        "spot": True, "checkpoints": True, "max_runtime_seconds": 3600, "instance_type": "ml.p3.2xlarge",
    },
    "network": {
        "subnets": ["subnet-1"], "security_groups": ["sg-1"], "isolation": True,
        "encrypt_between_containers": True, "kms_key": "key-1", "volume_kms_key": "key-2",
    },
}  # fmt: skip


def request(place: Place, parent: Champion | None = None, **environment) -> dict:
    """The request as it would be sent, checked against SageMaker's own API model."""
    settings = place.environment.model_dump() | environment
    workspace = replace(place.workspace, environment=config.Environment(**settings))
    made = make_request(workspace, DATASET, parent, {"epochs": "1"})
    shape = place.sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate({"TrainingJobName": "one", **made}, shape)
    assert not report.has_errors(), report.generate_report()
    return made


def test_by_default_nothing_is_asked_for_that_sagemaker_would_not_do_by_itself(place: Place):
    made = request(place)
    assert not {"VpcConfig", "CheckpointConfig", "Tags"} & made.keys()
    assert made["EnableManagedSpotTraining"] is made["EnableNetworkIsolation"] is False
    assert made["OutputDataConfig"].keys() == {"S3OutputPath"}
    assert made["ResourceConfig"].keys() == {"InstanceType", "InstanceCount", "VolumeSizeInGB"}
    assert made["StoppingCondition"].keys() == {"MaxRuntimeInSeconds"}


def test_machines_network_and_keys_are_the_environments(place: Place):
    made = request(place, **EVERYTHING)
    assert made["EnableManagedSpotTraining"] is made["EnableNetworkIsolation"] is True
    assert made["EnableInterContainerTrafficEncryption"] is True
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert made["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert made["OutputDataConfig"]["KmsKeyId"] == "key-1"
    assert made["ResourceConfig"]["VolumeKmsKeyId"] == "key-2"
    assert made["Tags"] == [{"Key": "project", "Value": "nightloop"}]
    assert made["CheckpointConfig"]["S3Uri"].startswith(f"s3://{place.bucket}/pets/checkpoints/pets-train-")


def test_machines_with_disks_of_their_own_get_no_volume_key(place: Place):
    for instance, key in [("ml.g4dn.xlarge", None), ("ml.g5.xlarge", None), ("ml.p3.2xlarge", "key-2")]:
        training = {"instance_type": instance}
        resources = request(place, **EVERYTHING | {"training": training})["ResourceConfig"]
        assert resources.get("VolumeKmsKeyId") == key, instance


def test_a_warm_pool_keeps_the_machines(place: Place):
    made = request(place, training={"warm_pool_seconds": 900})
    assert made["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 900


def test_a_parent_comes_in_as_a_file_beside_the_piped_manifests(place: Place):
    channels = {channel["ChannelName"]: channel for channel in request(place, PARENT)["InputDataConfig"]}
    assert (channels["train"]["InputMode"], channels["validation"]["InputMode"]) == ("Pipe", "Pipe")
    assert channels["train"]["RecordWrapperType"] == "RecordIO"
    model = channels["model"]
    assert (model["InputMode"], model["ContentType"]) == ("File", "application/x-sagemaker-model")
    assert model["DataSource"]["S3DataSource"]["S3Uri"] == PARENT.model_data


def image_of(environment: config.Environment) -> str:
    nowhere: Any = None  # no bucket and no client are asked
    return containers.training_image(Workspace(config.load_pipeline("digits"), environment, nowhere, nowhere))


def test_the_image_is_sagemakers_own_unless_the_environment_names_one():
    aws = config.load_environment("aws.example")
    assert image_of(aws).endswith(".dkr.ecr.eu-west-1.amazonaws.com/object-detection:1")
    assert image_of(aws.model_copy(update={"image": "mine:1"})) == "mine:1"
    with pytest.raises(ConfigurationError, match="no object-detection image in 'mars-north-1'"):
        image_of(aws.model_copy(update={"region": "mars-north-1", "path": Path("x.yaml")}))


def test_a_training_job_reads_manifests_through_pipes_and_is_made_once(make_place):
    place = make_place(
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"}
    )
    place.add_labels("initial/train.manifest", {f"{n}.jpg": 100 + n for n in range(3)})
    place.add_labels("initial/validation.manifest", {"v.jpg": 100})
    built = build.build_initial(place.workspace)
    done = place.finish(train, built.dataset_id)
    assert place.finish(train, built.dataset_id) == done
    assert done.attempt == 1
    assert done.model_data == f"s3://{place.bucket}/pets/models/{done.training_job}/output/model.tar.gz"
    model = TrainedModel.read(place.storage, done.training_job)
    assert (model.dataset_id, model.parent, model.shape["num_classes"]) == (built.dataset_id, None, "2")
    job = latest(place.sagemaker, ResourceKind.TRAINING, done.training_job.removesuffix("-1"))
    assert job is not None
    channels = {channel["ChannelName"]: channel for channel in job.details["InputDataConfig"]}
    assert channels["train"]["InputMode"] == "Pipe"
    assert channels["train"]["DataSource"]["S3DataSource"]["AttributeNames"] == ["source-ref", "review"]
    assert channels["train"]["DataSource"]["S3DataSource"]["S3Uri"] == place.storage.uri(
        layout.dataset_manifest(built.dataset_id, "train")
    )


def test_a_model_says_whether_it_began_with_its_parents_weights(make_place):
    """An image that takes no parent: the champion is what the model is measured against, and no more."""
    place = make_place(
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"}
    )
    place.add_labels("initial/train.manifest", {f"{n}.jpg": 100 + n for n in range(3)})
    place.add_labels("initial/validation.manifest", {"v.jpg": 100})
    first = place.finish(train, build.build_initial(place.workspace).dataset_id)
    began = TrainedModel.read(place.storage, first.training_job)
    assert (began.from_scratch, began.origin) == (True, None)
    champion = PARENT.model_copy(
        update={
            "training_job": first.training_job,
            "model_data": first.model_data,
            "hyperparameters": began.shape,
        }
    )
    champion.write(place.storage, 1)
    built = Dataset.read(place.storage, first.dataset_id)

    def trained(name: str) -> TrainedModel:
        for split in ("train", "validation"):
            body = place.storage.read(layout.dataset_manifest(first.dataset_id, split))
            place.storage.write(layout.dataset_manifest(name, split), body)
        after = {"dataset_id": name, "parent": first.training_job}
        built.model_copy(update=after).write(place.storage, name)
        return TrainedModel.read(place.storage, place.finish(train, name).training_job)

    further = trained("further")
    assert (further.from_scratch, further.parent, further.origin) == (False, *[first.training_job] * 2)
    place.environment_settings["adapter"] = {"channels": {"model": None}}
    place.load()
    anew = trained("anew")
    assert (anew.from_scratch, anew.parent, anew.origin) == (True, first.training_job, None)
