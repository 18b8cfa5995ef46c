"""What an image of one's own is sent: its own names, filled from what the loop counts and is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.validate import ParamValidator

from include.loop import config
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, Incompatible, NotSetUp
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import TrainingCurves, shape_of
from include.loop.dataset import build
from include.loop.models import packaging
from include.loop.training.by_hand import Wish, plan
from include.loop.training.coco import write_coco
from include.loop.training.curves import MOST_VALUES, read_metrics
from include.loop.training.hyperparameters import loop_values, make_hyperparameters, request_hyperparameters
from include.loop.training.job import make_request, parent_of, shape_beside
from include.loop.training.learned import hyperparameters_of, task_of_job
from include.loop.workspace import Workspace
from tests.loop.place import Place, picture
from tests.loop.training.test_job import DATASET, PARENT

TEMPLATE = {
    "nc": "{num_classes}",
    "names": "{class_names}",
    "imgsz": "{image_shape}",
    "epochs": "{epochs}",
    "schedule": "{epochs}x{mini_batch_size}",
    "lr0": "{learning_rate}",
    "resume": "{continues}",
    "mosaic": True,
    "note": "{{as it is}}",
}
SETTINGS = {"epochs": 30, "learning_rate": 0.02, "optimizer": "lion"}


def own(place: Place, settings: dict[str, Any] | None = None, **adapter: Any) -> Workspace:
    """The place with an adapter, whose pipeline says ``settings``; on SageMaker, where limits are checked."""
    stage = config.StageSettings(hyperparameters=settings or {})
    pipeline = place.pipeline.model_copy(update={"training": config.TrainingSettings(initial=stage)})
    values = place.environment.model_dump() | {"adapter": adapter, "algorithm": "sagemaker"}
    return replace(place.workspace, pipeline=pipeline, environment=config.Environment(**values))


def test_the_template_is_filled_with_what_the_loop_counts_and_nothing_else_is_sent(place: Place):
    workspace = own(place, SETTINGS, hyperparameters=TEMPLATE)
    assert make_hyperparameters(workspace, DATASET, None) == {
        "nc": "2",
        "names": '["cat", "dog"]',
        "imgsz": "300",
        "epochs": "30",
        "schedule": "30x12",  # a batch is no larger than the dataset
        "lr0": "0.02",
        "resume": "0",
        "mosaic": "True",
        "note": "{as it is}",
    }
    further = make_hyperparameters(workspace, DATASET, PARENT)
    changed = {"lr0": "0.002", "resume": "1", "imgsz": "320"}  # gentler, and the parent's size of images
    assert further == make_hyperparameters(workspace, DATASET, None) | changed
    parent = PARENT.model_copy(update={"hyperparameters": PARENT.hyperparameters | {"num_classes": "3"}})
    with pytest.raises(Incompatible, match="num_classes is 2, but the champion pets-train-1 has 3"):
        make_hyperparameters(workspace, DATASET, parent)


@pytest.mark.parametrize("parent", [None, PARENT])
def test_what_nobody_has_said_is_left_to_the_image(place: Place, parent):
    values = make_hyperparameters(own(place, hyperparameters=TEMPLATE), DATASET, parent)
    assert not {"epochs", "schedule", "lr0"} & values.keys()


def test_what_the_environment_says_for_a_stage_fills_the_template_or_goes_as_it_is(place: Place):
    workspace = own(place, SETTINGS, hyperparameters=TEMPLATE)
    stages = {"initial": {"epochs": 2, "learning_rate": 0.3, "mosaic": 0.5}, "incremental": {"freeze": 10}}
    training = config.TrainingInstances(hyperparameters=stages)
    environment = workspace.environment.model_copy(update={"training": training})
    workspace = replace(workspace, environment=environment)
    values = make_hyperparameters(workspace, DATASET, None)
    assert (values["epochs"], values["mosaic"], "freeze" in values) == ("2", "0.5", False)
    assert (values["lr0"], "learning_rate" in values) == ("0.3", False)
    assert make_hyperparameters(workspace, DATASET, PARENT)["freeze"] == "10"


def test_a_value_that_is_too_long_for_sagemaker_is_told_before_a_job_is_sent(place: Place):
    workspace = own(place, hyperparameters={"names": "{class_names}"})
    many = tuple(f"{number:060}" for number in range(50))
    workspace = replace(workspace, pipeline=workspace.pipeline.model_copy(update={"classes": many}))
    with pytest.raises(
        ConfigurationError, match=r"names would have 3,200 characters, and SageMaker takes 2,500"
    ):
        make_hyperparameters(workspace, DATASET, None)


def test_more_hyperparameters_than_sagemaker_takes_are_told_before_a_job_is_sent(place: Place):
    workspace = own(place, hyperparameters={f"a{number}": number for number in range(60)})
    training = config.TrainingInstances(hyperparameters={"initial": {f"b{n}": n for n in range(41)}})
    environment = workspace.environment.model_copy(update={"training": training})
    with pytest.raises(ConfigurationError, match=r"are 101 together, and SageMaker takes 100"):
        make_hyperparameters(replace(workspace, environment=environment), DATASET, None)


@pytest.mark.parametrize("name", ["mini_batch_size", "learning_rate"])
def test_what_the_loop_counts_with_must_be_a_number(place: Place, name: str):
    workspace = own(place, {name: "auto"}, hyperparameters=TEMPLATE)
    with pytest.raises(ConfigurationError, match=rf"pets.yaml .* {name} must be a number, not 'auto'"):
        make_hyperparameters(workspace, DATASET, PARENT)


def request(place: Place, workspace: Workspace, **parent: Any) -> dict[str, Any]:
    """As it would be sent, checked against SageMaker's own API model."""
    made = make_request(workspace, DATASET, parent.get("parent"), {"epochs": "1"})
    shape = place.sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate({"TrainingJobName": "one", **made}, shape)
    assert not report.has_errors(), report.generate_report()
    return made


def test_a_job_tells_what_its_network_is_like_whatever_its_image_calls_it(place: Place):
    """The environment's file may say otherwise when the job has ended."""
    workspace = own(place, hyperparameters={"nc": "{num_classes}", "imgsz": "{image_shape}"})
    values = loop_values(workspace, DATASET, None)
    sent = request_hyperparameters(workspace, values, None)
    details = make_request(workspace, DATASET, None, sent) | shape_beside(workspace, values)
    shape = place.sagemaker.meta.service_model.operation_model("CreateTrainingJob").input_shape
    report = ParamValidator().validate({"TrainingJobName": "one", **details}, shape)
    assert not report.has_errors(), report.generate_report()
    found = hyperparameters_of(details)
    assert found == {"nc": "2", "imgsz": "300"} | shape_of(values)
    assert (found["num_classes"], task_of_job(details)) == ("2", ("object-detection", False))
    assert shape_beside(own(place), values) == {}, "its hyperparameters have SageMaker's names and say it"
    assert hyperparameters_of({}) == {}


def test_channels_and_metrics_have_the_images_own_names(place: Place):
    channels = {"train": "images", "validation": "val", "model": "weights"}
    made = request(
        place, own(place, channels=channels, metrics={"validation:mAP": r"mAP50 (\S+)"}), parent=PARENT
    )
    assert [one["ChannelName"] for one in made["InputDataConfig"]] == ["images", "val", "weights"]
    specification = made["AlgorithmSpecification"]
    assert specification["MetricDefinitions"] == [{"Name": "validation:mAP", "Regex": r"mAP50 (\S+)"}]
    assert specification["TrainingInputMode"] == "Pipe"
    made = request(place, own(place, channels=channels | {"format": "coco"}), parent=PARENT)
    sources = {one["ChannelName"]: one for one in made["InputDataConfig"]}
    assert [*sources] == ["images", "val", "annotations", "weights"]
    assert {one["InputMode"] for one in sources.values()} == {"File"}
    assert sources["images"]["DataSource"]["S3DataSource"]["S3DataType"] == "ManifestFile"
    assert "MetricDefinitions" not in made["AlgorithmSpecification"]


def test_an_image_that_takes_no_parent_begins_anew_whatever_the_dataset_adds_to(place: Place):
    further = DATASET.model_copy(update={"parent": "pets-train-1"})
    assert parent_of(own(place, channels={"model": None}), further) is None
    with pytest.raises(NotSetUp, match="pets-train-1 is named as a parent, but was never a champion"):
        parent_of(own(place), further)


def test_a_package_says_what_its_image_takes_and_answers(place: Place):
    place.storage.write_json(
        layout.model_file("m"), {"training_job": "m", "dataset_id": "d", "model_data": "s3://b/m"}
    )
    workspace = own(place, content_type="image/webp", accept="application/jsonlines")
    verdict: Any = type("Verdict", (), {"reasons": (), "promote": True, "metric": "", "score": {}})
    inference = packaging._request(workspace, "m", verdict, "Approved")["InferenceSpecification"]
    assert inference["SupportedContentTypes"][-1] == "image/webp"
    assert inference["SupportedResponseMIMETypes"] == ["application/jsonlines"]


def test_metrics_of_a_log_are_counted_epoch_by_epoch():
    log = ["start", "1/3 loss=2.5 mAP=0.1", "2/3 loss=nan", "mAP=0.2", "3/3 loss=0.5"]
    metrics = {"validation:mAP": r"mAP=(\S+)", "box loss": r"loss=(\S+)"}
    assert read_metrics(log, metrics) == TrainingCurves(
        epochs=(
            {"epoch": 0, "validation_mAP": 0.1, "box_loss": 2.5},
            {"epoch": 1, "validation_mAP": 0.2, "box_loss": None},
            {"epoch": 2, "box_loss": 0.5},
        )
    )


def test_after_a_restart_metrics_go_on_at_the_epoch_that_the_log_names():
    log = ["mAP=0.9 of before", "epoch 1", "mAP=0.1", "epoch 2 mAP=0.2", "epoch 3", "stopped"]
    log += ["resumed", "epoch 2 mAP=0.3", "epoch x mAP=nan", "epoch 3 mAP=0.4"]
    metrics = {"validation:mAP": r"mAP=(\S+)", "epoch": r"epoch (\S+)"}
    # Curves are numbered from 0, and the report says one more.
    told = (
        {"epoch": 0, "validation_mAP": 0.1},
        {"epoch": 1, "validation_mAP": None},
        {"epoch": 2, "validation_mAP": 0.4},
    )
    assert read_metrics(log, metrics).epochs == told
    resumed = read_metrics(["epoch 5 mAP=0.5"], metrics)
    assert resumed.epochs == ({"epoch": 4, "validation_mAP": 0.5},)
    from_0 = ["epoch 0", "epoch 1 mAP=0.1", "epoch 2 mAP=0.2"]
    assert [epoch["epoch"] for epoch in read_metrics(from_0, metrics).epochs] == [1, 2]
    endless = (f"epoch {number} mAP=1" for number in range(200_000))
    assert len(read_metrics(endless, metrics).epochs) == MOST_VALUES


def test_a_metric_that_is_written_every_step_keeps_its_first_values_only():
    curves = read_metrics((f"loss={number}" for number in range(200_000)), {"loss": r"loss=(\S+)"})
    assert len(curves.epochs) == MOST_VALUES
    assert curves.epochs[-1] == {"epoch": MOST_VALUES - 1, "loss": MOST_VALUES - 1}


def test_by_hand_an_image_that_reads_coco_or_takes_no_parent_is_told(place: Place):
    wish = Wish(train="s3://b/t.manifest", validation="s3://b/v.manifest", parent="pets-train-1")
    for channels, message in [
        ({"format": "coco"}, "by hand a job is given"),
        ({"model": None}, "takes no par"),
    ]:
        environment = own(place, channels=channels).environment
        with pytest.raises(ConfigurationError, match=message):
            plan(place.clients, environment, place.pipeline, wish)


@pytest.fixture
def stored(make_place: Callable[..., Place]) -> tuple[Place, Workspace, Dataset]:
    """A dataset of six images, of which one is gone since, one replaced, and one has a key that is no
    path.
    """
    place = make_place(
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"}
    )
    names = ["a/1.jpg", "a/2.jpg", "3.jpg", "gone.jpg", "replaced.jpg", "b//odd.jpg"]
    place.add_labels("initial/train.manifest", {name: 60 + 20 * n for n, name in enumerate(names)})
    place.add_labels("initial/validation.manifest", {"v.jpg": 220})
    built = build.build_initial(place.workspace)
    place.s3.delete_object(Bucket=place.bucket, Key=f"{place.name}/initial/images/gone.jpg")
    place.put("initial/images/replaced.jpg", picture(10))
    return place, own(place, channels={"format": "coco"}), Dataset.read(place.storage, built.dataset_id)


def test_a_dataset_becomes_cocos_annotations_beside_the_images_that_can_be_had(stored):
    place, workspace, dataset = stored
    written = write_coco(workspace, dataset)
    assert (written.train, written.validation, written.left_out) == (3, 1, 3)
    body = place.storage.read_json(layout.coco_annotations(dataset.dataset_id) + "train.json")
    prefix, *names = place.storage.read_json(layout.coco_images(dataset.dataset_id, "train"))
    assert [one["file_name"] for one in body["images"]] == names
    assert {prefix["prefix"] + name for name in names} == {
        place.storage.uri(f"initial/images/{name}") for name in ("a/1.jpg", "a/2.jpg", "3.jpg")
    }
    assert [(one["id"], one["name"]) for one in body["categories"]] == [(1, "cat"), (2, "dog")]
    assert [(one["id"], one["width"], one["height"]) for one in body["images"]] == [
        (key, 32, 24) for key in (1, 2, 3)
    ]
    assert [(one["id"], one["image_id"], one["category_id"], one["bbox"]) for one in body["annotations"]] == [
        (key, key, 1, [8, 6, 16, 12]) for key in (1, 2, 3)
    ]
    lines = place.storage.read_lines(layout.not_packed(dataset.dataset_id))
    told = {line["image"].rsplit("/", 1)[1]: line["reason"].partition(": s3:")[0] for line in lines}
    assert told == {
        "gone.jpg": "the image is gone",
        "replaced.jpg": "the image was replaced after its dataset was built",
        "odd.jpg": "its key is no path of a file",
    }
    place.s3.delete_object(Bucket=place.bucket, Key=f"{place.name}/initial/images/3.jpg")
    assert write_coco(workspace, dataset).train == 3, "it is written once"


def test_a_split_without_an_image_is_told_before_a_job_is_sent(stored):
    place, workspace, dataset = stored
    place.s3.delete_object(Bucket=place.bucket, Key=f"{place.name}/initial/images/v.jpg")
    with pytest.raises(ConfigurationError, match="no image of the split 'validation' of dataset"):
        write_coco(workspace, dataset)


def test_classes_of_whole_images_are_no_boxes(make_place: Callable[..., Place]):
    place = make_place(task="image-classification", classes=["bright", "dark"])
    with pytest.raises(ConfigurationError, match="COCO's annotations are boxes, and an image of image-class"):
        place.workspace.task.write_coco(None)
