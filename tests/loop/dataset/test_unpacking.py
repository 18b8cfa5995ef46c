"""Labels that come in a RecordIO file are the loop's own from then on: images, a manifest, and what is wrong
with a record, record by record.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from include import recordio
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import Storage
from include.loop.dataset import build
from include.loop.dataset.unpacking import unpack
from include.loop.exchange.exporting import export
from include.loop.exchange.known_items import Choice
from tests.loop.labelled import INITIAL, read
from tests.loop.pictures import patchwork
from tests.loop.place import Place

RECS = {"train": "initial/train.rec", "validation": "initial/val.rec"}
BOX = recordio.Object(0, 0.25, 0.25, 0.75, 0.75)


def rec(*records: recordio.Record | bytes) -> bytes:
    """A .rec of records; bytes are one that holds no image with a label."""
    stream = io.BytesIO()
    for record in records:
        recordio.write(stream, record if isinstance(record, bytes) else recordio.pack(record))
    return stream.getvalue()


def record(index: int, *objects: recordio.Object, name: str = "") -> recordio.Record:
    return recordio.Record(index, recordio.write_objects(objects), patchwork(name or f"{index}.jpg"))


@pytest.fixture
def begun(make_place) -> Place:
    place: Place = make_place(initial=RECS, training={"retention_images": 0})
    dog = recordio.Object(1, 0, 0, 1, 1)
    flat = recordio.Object(0, 0.5, 0.5, 0.5, 0.9)
    place.put(
        RECS["train"],
        rec(record(1, BOX), record(4, BOX, dog), b"short", record(5), record(6, dog, flat), record(7, flat))
        + rec(recordio.Record(8, 1.0, patchwork("8")), record(9, recordio.Object(2, 0, 0, 1, 1))),
    )
    place.put(RECS["validation"], rec(record(1, BOX, name="v.jpg")))
    return place


def test_the_first_dataset_is_made_from_recordio_files_record_by_record(begun: Place):
    built = build.build_initial(begun.workspace)
    assert (built.train, built.validation) == (4, 1)
    train = read(begun, built.dataset_id, "train")
    assert [line["source-ref"].rsplit("/", 1)[-1] for line in train] == [
        "00000001-1.jpg",
        "00000002-4.jpg",
        "00000004-5.jpg",
        "00000005-6.jpg",
    ]
    assert begun.storage.read(train[1]["source-ref"]) == patchwork("4.jpg")
    width, height = (train[0]["review"]["image_size"][0][side] for side in ("width", "height"))
    assert train[0]["review"]["annotations"] == [
        {"class_id": 0, "left": width / 4, "top": height / 4, "width": width / 2, "height": height / 2}
    ]
    assert train[1]["review-metadata"]["class-map"] == {"0": "cat", "1": "dog"}
    rejected = {
        (item["line"], item.get("box")): item["reason"]
        for item in begun.storage.read_lines(layout.dataset_rejected(built.dataset_id))
    }
    assert {place: reason.split(":")[0] for place, reason in rejected.items()} == {
        ("3", None): "5 bytes are too few for a record's header of 24",
        ("7", None): "its label is of one class, and this pipeline learns objects with boxes",
        ("8", None): "class 2 is none of the 2 that are named",
        ("4", "2"): "box 2 (class_id 0 at 32,24 of 0 x 19.2) has no area",
        ("5", None): "none of its 1 boxes can be learned",
    }


def test_unpacked_labels_are_exported_and_those_that_are_not_yet_are_told(begun: Place, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"train\.rec is not unpacked yet"):
        export(begun.workspace, Choice(), "coco", str(tmp_path / "out"))
    unpack(begun.workspace, RECS["train"], [])
    exported = export(begun.workspace, Choice(), "coco", str(tmp_path / "out"))
    assert exported.splits == {"train": 4}
    told = {item.where.rpartition("/")[2]: item.reason for item in exported.problems}
    assert told["val.rec"].startswith("is not unpacked yet")
    assert told.keys() >= {"train.rec:3", "train.rec:7", "train.rec:8"}


def test_an_unpacking_that_was_interrupted_goes_on_and_one_that_is_complete_is_left_alone(
    begun: Place, monkeypatch
):
    written: list[str] = []
    whole = Storage.write

    def write(self: Storage, location: str, *more: object) -> None:
        if len(written) == 3:
            raise ConnectionError("gone")
        written.append(location)
        whole(self, location, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write", write)
        with pytest.raises(ConnectionError):
            unpack(begun.workspace, RECS["train"], [])
    manifest = unpack(begun.workspace, RECS["train"], [])
    assert len(list(begun.storage.read_lines(manifest))) == 5
    stored = {item.uri: begun.storage.modified_at(item.uri) for item in begun.storage.list("unpacked/")}
    refused: list = []
    assert unpack(begun.workspace, RECS["train"], refused) == manifest
    assert [item.line for item in refused] == ["3", "7", "8"]
    assert stored == {
        item.uri: begun.storage.modified_at(item.uri) for item in begun.storage.list("unpacked/")
    }
    assert unpack(begun.workspace, INITIAL["train"], []) == INITIAL["train"]


def test_classes_beside_the_file_are_matched_by_name(begun: Place):
    begun.put("initial/classes.txt", b"dog\ncat\n")
    first = next(begun.storage.read_lines(unpack(begun.workspace, RECS["train"], [])))
    assert first["review"]["annotations"][0]["class_id"] == 1
    begun.put("initial/classes.txt", b"dog\ncow\n")
    with pytest.raises(ConfigurationError, match=r"classes\.txt: 'cow' is no class of .*'cat', 'dog'"):
        unpack(begun.workspace, RECS["train"], [])


def test_names_beside_one_of_two_files_only_must_not_reorder_its_classes(begun: Place):
    begun.put("initial/train.classes.txt", b"dog\ncat\n")
    with pytest.raises(
        ConfigurationError, match=r"train\.classes\.txt has .* another order .* val\.classes\.txt, in"
    ):
        build.build_initial(begun.workspace)
    assert not list(begun.storage.list("unpacked/"))
    begun.put("initial/val.classes.txt", b"cat\ndog\n")  # each as it says
    begun.put("initial/train.classes.txt", b"cat\ndog\n")
    assert build.build_initial(begun.workspace).train == 4


def test_a_file_that_is_broken_or_missing_is_named(begun: Place):
    begun.put(RECS["validation"], rec(record(1, BOX))[:-5])
    with pytest.raises(ConfigurationError, match=r"val\.rec: the stream ends inside a record, at byte"):
        build.build_initial(begun.workspace)
    begun.s3.delete_object(Bucket=begun.bucket, Key=f"pets/{RECS['validation']}")
    with pytest.raises(ConfigurationError, match=r"initial: no object at s3://.*/pets/initial/val\.rec"):
        build.build_initial(begun.workspace)
