"""A dataset is packed once, as its manifests say, and the job reads the files instead of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include import recordio
from include.loop.aws.jobs import ResourceKind, latest
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.dataset import Dataset
from include.loop.core.storage import Storage
from include.loop.dataset import build
from include.loop.training.hyperparameters import make_hyperparameters
from include.loop.training.job import make_request, train
from include.loop.training.packing import pack_dataset
from include.loop.workspace import Workspace
from tests.loop.labelled import INITIAL, line
from tests.loop.place import Place
from tests.support.sagemaker import unpacked

BOX = recordio.write_objects([recordio.Object(0, 8 / 32, 6 / 24, 24 / 32, 18 / 24)])


@pytest.fixture
def begun(make_place) -> tuple[Place, Dataset]:
    """Six images to train from, one of them with nothing on it."""
    settings = {"format": "recordio", "retention_images": 0, "initial": {"hyperparameters": {"quality": 1}}}
    place: Place = make_place(initial=INITIAL, training=settings)
    lines = [line(place, f"{n}.jpg") for n in range(6)]
    lines[0]["review"]["annotations"] = []
    place.storage.write_lines(INITIAL["train"], lines)
    place.storage.write_lines(INITIAL["validation"], [line(place, "v.jpg")])
    built = build.build_initial(place.workspace)
    return place, Dataset.read(place.storage, built.dataset_id)


def records(place: Place, dataset: Dataset, split: str) -> list[recordio.Record]:
    with place.storage.open(layout.dataset_records(dataset.dataset_id, split)) as stream:
        found = [placed.record for placed in recordio.read_records(stream)]
    assert all(isinstance(one, recordio.Record) for one in found)
    return found  # type: ignore[return-value]


def for_sagemaker(place: Place) -> Workspace:
    environment = place.environment.model_copy(update={"algorithm": "sagemaker"})
    return replace(place.workspace, environment=environment)


def test_the_records_are_the_images_and_boxes_of_the_manifest_in_a_mixed_order(begun):
    place, dataset = begun
    packed = pack_dataset(place.workspace, dataset)
    assert (packed.train, packed.validation, packed.left_out) == (6, 1, 0)
    found = records(place, dataset, "train")
    assert [one.id for one in found] == list(range(6))
    assert [one.label for one in found].count((2, 5)) == 1
    assert {one.label for one in found} == {(2, 5), BOX}
    lines = place.storage.read_lines(dataset.manifest("train"))
    images = [place.storage.read(value["source-ref"]) for value in lines]
    assert sorted(one.image for one in found) == sorted(images)
    assert [one.image for one in found] != images
    key = layout.dataset_records(dataset.dataset_id, "train")
    before = place.storage.read(key), place.storage.modified_at(key)
    assert pack_dataset(place.workspace, dataset).train == 6
    assert (place.storage.read(key), place.storage.modified_at(key)) == before


def test_images_with_nothing_on_them_are_left_out_for_sagemakers_own_algorithm_and_told(begun):
    place, dataset = begun
    pack_dataset(place.workspace, dataset)
    packed = pack_dataset(for_sagemaker(place), dataset)
    assert (packed.train, packed.left_out) == (5, 1)
    assert [one.label for one in records(place, dataset, "train")] == [BOX] * 5
    (told,) = place.storage.read_lines(layout.not_packed(dataset.dataset_id))
    assert (told["split"], told["image"].rsplit("/", 1)[-1]) == ("train", "0.jpg")
    assert told["reason"].startswith("there is nothing on it")


def test_an_image_that_is_gone_costs_itself_and_a_split_without_any_is_refused(begun):
    place, dataset = begun
    place.s3.delete_object(Bucket=place.bucket, Key="pets/pictures/3.jpg")
    packed = pack_dataset(place.workspace, dataset)
    assert (packed.train, packed.left_out) == (5, 1)
    place.s3.delete_object(Bucket=place.bucket, Key=f"pets/{layout.packed_file(dataset.dataset_id)}")
    place.s3.delete_object(Bucket=place.bucket, Key="pets/pictures/v.jpg")
    with pytest.raises(ConfigurationError, match="no image of the split 'validation' can be in a RecordIO"):
        pack_dataset(place.workspace, dataset)


def test_a_packing_that_fails_leaves_no_half_file(begun, monkeypatch):
    place, dataset = begun

    def read(self: Storage, location: str, *more: object, **most: object) -> bytes:
        raise ConnectionError("gone")

    monkeypatch.setattr(Storage, "read", read)
    with pytest.raises(ConnectionError):
        pack_dataset(place.workspace, dataset)
    monkeypatch.undo()
    assert not place.storage.exists(layout.dataset_records(dataset.dataset_id, "train"))


def test_the_job_reads_the_files_and_what_counts_is_what_is_in_them(begun):
    place, dataset = begun
    done = place.finish(train, dataset.dataset_id)
    job = latest(place.sagemaker, ResourceKind.TRAINING, done.training_job.removesuffix("-1"))
    assert job is not None
    assert job.details["AlgorithmSpecification"]["TrainingInputMode"] == "File"
    for split, channel in zip(("train", "validation"), job.details["InputDataConfig"], strict=True):
        assert channel == {
            "ChannelName": split,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": place.storage.uri(f"datasets/{dataset.dataset_id}/{split}.rec"),
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
            "ContentType": "application/x-recordio",
            "CompressionType": "None",
            "InputMode": "File",
        }
    seen = unpacked(place.cloud, done.model_data)["seen.json"]
    assert b'"train.rec"' in seen
    assert job.details["HyperParameters"]["num_training_samples"] == "6"


@pytest.mark.parametrize(
    ("initial", "format", "from_recordio"),
    [
        ("s3://b/train.rec", None, True),
        ("s3://b/train.rec", "augmented-manifest", False),
        ("initial/train.manifest", None, False),
        ("initial/train.manifest", "recordio", True),
    ],
)
def test_where_nothing_is_said_models_are_trained_from_what_the_first_labels_came_in(
    make_place, initial, format, from_recordio
):
    place = make_place(initial={"train": initial}, training={"format": format})
    dataset = Dataset(dataset_id="d1", train=12, max_boxes=3)
    values = make_hyperparameters(place.workspace, dataset, None)
    made = make_request(place.workspace, dataset, None, values)
    mode = "File" if from_recordio else "Pipe"
    assert made["AlgorithmSpecification"]["TrainingInputMode"] == mode
    assert {channel["InputMode"] for channel in made["InputDataConfig"]} == {mode}
