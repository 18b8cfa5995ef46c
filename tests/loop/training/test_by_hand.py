"""What labels need is derived from them, and what could not work is refused before a job is sent."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include import recordio
from include.algorithms.image_classification import hyperparameters as image_classification
from include.algorithms.object_detection import hyperparameters as object_detection
from include.loop import config
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.classification import algorithm as classification
from include.loop.tasks.detection import algorithm as detection
from include.loop.training.by_hand import Plan, Wish, plan
from include.loop.training.learned import check_task, pipeline_of
from tests.loop.manifests.lines import boxes, grade
from tests.loop.place import Place


class Hand:
    """A person with manifests; ``train`` and ``validation`` are their lines."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.train: list[dict[str, Any]] = [boxes(f"s3://b/{n}.jpg", *[0] * 100, 1) for n in range(6)]
        self.validation: list[dict[str, Any]] = [boxes("s3://b/v.jpg", 0)]

    def plan(self, pipeline: str | None = None, **wish: Any) -> Plan:
        for part in ("train", "validation"):
            self.place.storage.write_lines(f"{part}.manifest", getattr(self, part))
        known = self.place.pipeline if pipeline else None
        places = {part: self.place.storage.uri(f"{part}.manifest") for part in ("train", "validation")}
        return plan(self.place.clients, self.place.environment, known, Wish(**(places | wish)))


@pytest.fixture
def hand(place: Place) -> Hand:
    return Hand(place)


def test_what_can_be_counted_in_a_manifest_is_counted(hand: Hand):
    values = hand.plan(hyperparameters={"epochs": "5", "optimizer": "rmsprop"}).request["HyperParameters"]
    assert {name: values[name] for name in ("num_classes", "num_training_samples", "label_width")} == {
        "num_classes": "2",
        "num_training_samples": "6",
        "label_width": "507",  # five for each of 101 boxes, and two
    }
    assert (values["epochs"], values["optimizer"], values["mini_batch_size"]) == ("5", "rmsprop", "6")


def test_discovered_names_ask_for_the_same_as_names_by_hand(hand: Hand):
    found = hand.plan()
    assert found == hand.plan(label="box")
    assert (found.attribute, found.classes) == ("box", ("helmet", "vest"))
    train, validation = found.request["InputDataConfig"]
    assert train["DataSource"]["S3DataSource"]["AttributeNames"] == ["source-ref", "box"]
    assert train["ShuffleConfig"] == {"Seed": 1}
    assert (validation["RecordWrapperType"], validation["InputMode"]) == ("RecordIO", "Pipe")


def test_other_labels_under_the_same_name_are_another_job(hand: Hand):
    before = hand.plan().stem
    hand.train.append(boxes("s3://b/more.jpg", 0))
    hand.train[0]["box"]["annotations"].pop(0)
    assert hand.plan().stem != before


def test_a_pipelines_settings_and_classes_are_taken_where_it_is_named(hand: Hand):
    for line in (*hand.train, *hand.validation):
        line["box-metadata"]["class-map"] = {"0": "cat"}
    hand.place.settings["classes"] = ["cat", "dog", "bird"]
    hand.place.load()
    planned = hand.plan(pipeline="pets")
    assert planned.request["HyperParameters"]["num_classes"] == "3"
    assert planned.request["HyperParameters"]["quality"] == "0.2"
    assert planned.stem.startswith("pets-by-hand-")
    hand.train[2]["box-metadata"]["class-map"] = {"0": "fox"}
    with pytest.raises(ConfigurationError, match="class 0 of 'box' is called 'cat' and 'fox'"):
        hand.plan(pipeline="pets")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "bocks"}, "no line has the attribute 'bocks'; there are box .*Got empty batch from pipe"),
        ({"train": "here.manifest"}, "here.manifest is not in S3, where a job reads: aws s3 cp"),
        ({"train": "s3://no-such-bucket-1/x"}, "NoSuchBucket|no object at s3://no-such-bucket-1/x"),
        ({"parent": "no-such-job"}, "there is no such training job, and it is no S3 URI"),
        ({"parent": "s3://no-such-bucket-1/j/output/model.tar.gz"}, "there is no artifact s3://no-such-b"),
    ],
)
def test_what_is_not_there_is_found_out_before_the_job(hand: Hand, change: dict[str, str], message: str):
    with pytest.raises((ConfigurationError, ClientError), match=message):
        hand.plan(**change)


def test_lines_that_a_job_would_stop_at_are_told_before_it(hand: Hand):
    hand.train.append({"source-ref": "s3://b/unlabelled.jpg"})
    with pytest.raises(ConfigurationError, match=r"1 of 7 lines have no label 'box' .*`data split` leaves"):
        hand.plan()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (boxes("s3://b/v.jpg", 2), "class 2 is none of the 2 that are trained: helmet, vest"),
        (
            boxes("s3://b/v.jpg", 0) | {"box-metadata": {"class-map": {"0": "hat"}}},
            "class 0 is 'hat', and 'helmet' here",
        ),
        (grade("s3://b/v.jpg", 0, "x"), "no line has the attribute 'box'; there are grade"),
    ],
)
def test_both_manifests_have_one_list_of_classes(hand: Hand, line: dict[str, Any], message: str):
    hand.validation = [line]
    with pytest.raises(ConfigurationError, match=message):
        hand.plan()


def test_labels_of_another_task_are_refused_for_a_pipeline(hand: Hand):
    hand.train, hand.validation = [grade("s3://b/1.jpg", 0, "good")], [grade("s3://b/2.jpg", 0, "good")]
    with pytest.raises(ConfigurationError, match="are of image-classification, what is trained of object-"):
        hand.plan(pipeline="pets")


def rec(*labels: recordio.Label) -> bytes:
    stream = io.BytesIO()
    for index, label in enumerate(labels):
        recordio.write(stream, recordio.pack(recordio.Record(index, label, b"jpeg")))
    return stream.getvalue()


def test_recordio_is_counted_and_sent_as_files(hand: Hand):
    one = (2.0, 5.0, 2.0, 0.1, 0.1, 0.5, 0.5)
    train = [hand.place.put(f"rec/train/{part}.rec", rec(one, one + one[2:] * 99)) for part in "ab"]
    folder, validation = train[0].rpartition("/")[0] + "/", hand.place.put("rec/validation.rec", rec(one))
    planned = hand.plan(train=folder, validation=validation)
    values, channels = planned.request["HyperParameters"], planned.request["InputDataConfig"]
    assert {name: values[name] for name in ("num_classes", "num_training_samples", "label_width")} == {
        "num_classes": "3",
        "num_training_samples": "4",
        "label_width": "502",
    }
    assert planned.request["AlgorithmSpecification"]["TrainingInputMode"] == "File"
    assert channels[0]["DataSource"]["S3DataSource"]["S3DataType"] == "S3Prefix"
    assert channels[0]["DataSource"]["S3DataSource"]["S3Uri"] == folder
    hand.place.put("rec/train/b.rec", rec(one))
    assert hand.plan(train=folder, validation=validation).stem != planned.stem
    for name, body, message in (
        ("mixed.rec", rec(one, 1.0), "labels of one kind are needed, not objects, one class"),
        ("bad.rec", rec(one) + b"junk at its end", "magic number"),
        ("other.rec", rec(1.0), "are of image-classification, what is trained of object-detection"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            hand.plan(train=folder, validation=hand.place.put(f"rec/{name}", body))


def test_classes_of_recordio_have_the_names_beside_it_in_the_request_and_afterwards(hand: Hand):
    place = hand.place
    train, validation = (place.put(f"named/{part}.rec", rec(1.0, 0.0)) for part in ("train", "validation"))
    place.put("named/classes.txt", b"cat\ndog\nowl\n")
    planned = hand.plan(train=train, validation=validation)
    assert planned.classes == ("cat", "dog", "owl")
    details = {"TrainingJobName": "job-1"} | planned.request
    made = pipeline_of(place.storage, details)
    assert (made.task, made.classes) == ("image-classification", planned.classes)
    with pytest.raises(
        ConfigurationError, match=r"learned image-classification, and pipeline pets is of obj"
    ):
        check_task(place.pipeline, details)
    place.put("named/validation.classes.txt", b"dog\ncat\n")
    with pytest.raises(ConfigurationError, match="class 0 is 'dog', and 'cat' here"):
        hand.plan(train=train, validation=validation)
    place.put("named/classes.txt", b"cat\n")
    with pytest.raises(ConfigurationError, match="has the class 1, and the list of classes beside it has 1"):
        hand.plan(train=train, validation=validation)


def many(source: str, value: list[int], **metadata: Any) -> dict[str, Any]:
    kind = {"type": "groundtruth/image-classification-multilabel"}
    return {"source-ref": source, "tags": value, "tags-metadata": kind | metadata}


def test_a_list_of_labels_is_sent_as_what_it_is(hand: Hand):
    hot, ids = many("s3://b/1.jpg", [1, 0, 0]), many("s3://b/2.jpg", [2, 0], **{"class-map": {"2": "c"}})
    plain = "application/x-recordio"
    for line, content_type in ((hot, plain), (ids, f"{plain}; label-format=class-id")):
        hand.train = hand.validation = [line]
        request = hand.plan().request
        assert request["InputDataConfig"][0]["ContentType"] == content_type
        assert request["HyperParameters"]["num_classes"] == "3"
    hand.train = [hot, ids]
    with pytest.raises(ConfigurationError, match="'tags' is not a 0 or 1 for each class in all lines"):
        hand.plan()


def test_an_artifact_of_nobody_knows_is_gone_on_from_gently(hand: Hand):
    model_data = hand.place.put("elsewhere/model.tar.gz", b"x")
    request = hand.plan(parent=model_data).request
    assert request["InputDataConfig"][2]["DataSource"]["S3DataSource"]["S3Uri"] == model_data
    assert request["HyperParameters"]["learning_rate"] == "0.0001"
    assert request["HyperParameters"]["use_pretrained_model"] == "0"


def test_names_and_values_that_no_algorithm_takes_are_refused_before_the_job(hand: Hand):
    hand.place.environment = hand.place.environment.model_copy(update={"image": None})
    for given, message in (
        ({"epoch": "30"}, "object detection: epoch is none of its hyperparameters: epochs is meant"),
        ({"mini_batch_size": "x"}, "mini_batch_size must be a whole number of 1 or more, not x"),
        ({"learning_rate": "fast"}, "learning_rate must be above 0 and at most 1, not fast"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            hand.plan(hyperparameters=given)
    hand.train = hand.validation = [grade("s3://b/1.jpg", 0, "good")]
    with pytest.raises(ConfigurationError, match="image_shape must be 3,height,width in pixels, not 64"):
        hand.plan(hyperparameters={"image_shape": "64"})


@pytest.mark.parametrize(
    ("ours", "theirs"), [(detection, object_detection), (classification, image_classification)]
)
def test_the_names_that_are_let_through_are_those_of_the_algorithm(ours, theirs):
    assert {field.name for field in fields(theirs.Hyperparameters)} == ours.NAMES


def test_the_environment_and_then_the_person_have_the_last_word(hand: Hand):
    place = config.TrainingInstances(hyperparameters={"initial": {"epochs": 2, "momentum": 0.5}})
    hand.place.environment = hand.place.environment.model_copy(update={"training": place})
    values = hand.plan(hyperparameters={"epochs": "7"}).request["HyperParameters"]
    assert (values["epochs"], values["momentum"]) == ("7", "0.5")
