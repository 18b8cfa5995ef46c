"""A dataset is packed once, as its manifests say, and the job reads the files instead of them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from include import recordio
from include.loop.aws.jobs import ResourceKind, latest
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import Champion
from include.loop.core.storage import Storage
from include.loop.dataset import build
from include.loop.training.hyperparameters import make_hyperparameters
from include.loop.training.job import make_request, train
from include.loop.training.packing import pack_dataset
from include.loop.workspace import Workspace
from tests.loop.pictures import patchwork
from tests.loop.place import Place
from tests.support.sagemaker import unpacked

BOX = recordio.write_objects([recordio.Object(0, 0.25, 0.25, 0.75, 0.75)])


@pytest.fixture
def begun(make_place) -> tuple[Place, Dataset]:
    """Six images to train from, one of them with nothing on it, that came in a .rec; nothing is said about
    what models are trained from.
    """
    settings = {"retention_images": 0, "initial": {"hyperparameters": {"quality": 1}}}
    place: Place = make_place(
        initial={"train": "initial/train.rec", "validation": "initial/val.rec"}, training=settings
    )
    for name, labels in {"train": [(2, 5), *[BOX] * 5], "val": [BOX]}.items():
        stream = io.BytesIO()
        writer = recordio.Writer(stream)
        for index, label in enumerate(labels):
            writer.add(recordio.Record(index, label, patchwork(f"{name}-{index}.jpg")))
        place.put(f"initial/{name}.rec", stream.getvalue())
    built = build.build_initial(place.workspace)
    return place, Dataset.read(place.storage, built.dataset_id)


def images(place: Place, dataset: Dataset, split: str) -> list[str]:
    """The S3 URIs in a manifest."""
    return [line["source-ref"] for line in place.storage.read_lines(dataset.manifest(split))]


def remove(place: Place, location: str) -> None:
    bucket, key = place.storage.resolve(location)
    place.s3.delete_object(Bucket=bucket, Key=key)


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
    bodies = [place.storage.read(uri) for uri in images(place, dataset, "train")]
    assert bodies == [patchwork(f"train-{index}.jpg") for index in range(6)]
    assert sorted(one.image for one in found) == sorted(bodies)
    assert [one.image for one in found] != bodies
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
    assert (told["split"], told["image"]) == ("train", images(place, dataset, "train")[0])
    assert told["reason"].startswith("there is nothing on it")


def test_an_image_that_is_gone_costs_itself_and_a_split_without_any_is_refused(begun):
    place, dataset = begun
    remove(place, images(place, dataset, "train")[3])
    packed = pack_dataset(place.workspace, dataset)
    assert (packed.train, packed.left_out) == (5, 1)
    remove(place, layout.packed_file(dataset.dataset_id))
    remove(place, images(place, dataset, "validation")[0])
    with pytest.raises(ConfigurationError, match="no image of the split 'validation' can be in a RecordIO"):
        pack_dataset(place.workspace, dataset)


def test_an_image_that_was_replaced_since_the_dataset_was_built_is_left_out_and_told(begun):
    place, dataset = begun
    gone = images(place, dataset, "train")[3]
    place.storage.write(gone, patchwork("another picture"))
    packed = pack_dataset(place.workspace, dataset)
    assert (packed.train, packed.left_out) == (5, 1)
    assert patchwork("another picture") not in [one.image for one in records(place, dataset, "train")]
    (told,) = place.storage.read_lines(layout.not_packed(dataset.dataset_id))
    assert told["reason"].startswith("the image was replaced after its dataset was built")


def test_a_packing_that_fails_leaves_no_half_file(begun, monkeypatch):
    place, dataset = begun

    def find(self: Storage, location: str, *more: object, **most: object) -> Any:
        if location in images_there:
            raise ConnectionError("gone")
        return whole(self, location, *more, **most)  # type: ignore[arg-type]

    whole, images_there = Storage.find, images(place, dataset, "train")
    monkeypatch.setattr(Storage, "find", find)
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
    folder = place.storage.uri(f"datasets/{dataset.dataset_id}")
    channels = [file_channel(split, f"{folder}/{split}.rec") for split in ("train", "validation")]
    assert job.details["InputDataConfig"] == channels
    seen = unpacked(place.cloud, done.model_data)["seen.json"]
    assert b'"train.rec"' in seen
    assert job.details["HyperParameters"]["num_training_samples"] == "6"
    parent = Champion(
        number=1,
        training_job=done.training_job,
        model_data=done.model_data,
        dataset_id=dataset.dataset_id,
        hyperparameters=job.details["HyperParameters"],
        promoted_at="2026-01-01",
        package_arn="arn:1",
    )
    further = make_request(place.workspace, dataset, parent, {"epochs": "1"})
    model = file_channel("model", done.model_data, "application/x-sagemaker-model")
    assert further["InputDataConfig"] == [*channels, model]


def file_channel(name: str, uri: str, content_type: str = "application/x-recordio") -> dict[str, Any]:
    """A channel of SageMaker's example of incremental training."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        "ContentType": content_type,
        "CompressionType": "None",
        "InputMode": "File",
    }


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
