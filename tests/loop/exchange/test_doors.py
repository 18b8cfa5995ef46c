"""Whole sets of every format through an import: what comes out as lines of the pipeline, and that nothing
does when a set is broken, hostile, or says two things.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from include.loop.core.errors import ConfigurationError
from include.loop.exchange.formats import WriteOptions, find_format
from include.loop.exchange.importing import Request, import_data
from include.loop.exchange.items import Box, Item
from tests.loop.pictures import SIZE, patchwork
from tests.loop.place import Place

# The pipeline's classes are cat and dog; the sets number theirs the other way round.
CLASSES = ("dog", "cat")
FORMATS = ("coco", "cvat", "label-studio", "open-images", "recordio", "voc", "yolo")
IN_S3 = ("coco", "cvat", "yolo")  # the others as archives


def an_item(name: str, *boxes: Box) -> Item:
    return Item(name, lambda: patchwork(name), size=SIZE, boxes=boxes)


ITEMS = (
    an_item("day/a b.jpg", Box("dog", 4, 4, 20, 16), Box("cat", 8, 8, 16, 32)),
    an_item("c.jpg", Box("cat", 1, 1, 60, 40)),
)


def zipped(folder: Path) -> str:
    with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return f"{folder}.zip"


def uploaded(place: Place, folder: Path) -> str:
    for path in folder.rglob("*.*"):
        place.put(f"sets/{folder.name}/{path.relative_to(folder)}", path.read_bytes())
    return place.storage.uri(f"sets/{folder.name}/")


def a_set(format: str, folder: Path) -> Path:
    folder.mkdir()
    assert list(find_format(format).write(ITEMS, folder, WriteOptions(CLASSES))) == []
    return folder


def test_a_set_of_every_format_becomes_the_same_labels(place: Place, tmp_path: Path) -> None:
    expected = {
        patchwork(one.name): [
            (("cat", "dog").index(box.label), box.left, box.top, box.width, box.height)
            for box in one.boxes or ()
        ]
        for one in ITEMS
    }
    for format in FORMATS:
        folder = a_set(format, tmp_path / format)
        source = uploaded(place, folder) if format in IN_S3 else zipped(folder)
        done = import_data(place.workspace, Request(source, "labels"))
        assert (done.record.format, done.record.images, done.record.problems) == (format, 2, {}), format
        found = {}
        for line in place.storage.read_lines(done.record.manifests["labels"]):
            boxes = line["review"]["annotations"]
            sides = ("class_id", "left", "top", "width", "height")
            found[place.storage.read(line["source-ref"])] = [
                tuple(box[side] for side in sides) for box in boxes
            ]
        assert found.keys() == expected.keys(), format
        for body, boxes in expected.items():
            for mine, theirs in zip(boxes, found[body], strict=True):
                assert theirs == pytest.approx(mine, abs=1e-3), format


def _bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", bytes(80 << 20))
    return stream.getvalue()


def _outside() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../labels.json", "{}")
    return stream.getvalue()


def _edit(format: str, file: str, old: str, new: str) -> Any:
    def make(folder: Path) -> str:
        path = a_set(format, folder) / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return str(folder)

    return make


def _file(name: str, body: bytes) -> Any:
    def make(folder: Path) -> str:
        folder.mkdir()
        (folder / name).write_bytes(body)
        return str(folder / name)

    return make


def _without_pictures(folder: Path) -> str:
    for path in a_set("coco", folder).rglob("*.jpg"):
        path.unlink()
    return str(folder)


def _two_orders(folder: Path) -> str:
    (a_set("yolo", folder) / "classes.txt").write_text("cat\ndog\n")
    return str(folder)


COCO = "annotations/instances_default.json"
HOSTILE = {
    "a zip bomb": (_file("bomb.zip", _bomb()), "a bomb"),
    "a path outside": (_file("outside.zip", _outside()), "leads out"),
    "entities": (
        _edit("cvat", "annotations.xml", "<annotations>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>"),
        "entities",
    ),
    "a file that is cut off": (_edit("cvat", "annotations.xml", "</annotations>", ""), "not well-formed"),
    "JSON of another shape": (
        _edit("coco", COCO, '"categories": [', '"categories": 7, "x": ['),
        "categories",
    ),
    "two names of a category": (
        _edit("coco", COCO, '"id": 2, "name"', '"id": 1, "name"'),
        "category 1 is 'dog' and 'cat'",
    ),
    "a class of nobody": (_edit("yolo", "data.yaml", "1: cat", "1: cow"), "cow"),
    "a class list in another order": (_two_orders, "class 0 is 'dog' in data.yaml, but 'cat' in classes.txt"),
    "no picture": (_without_pictures, "no image"),
    "NaN in every box": (
        _edit("coco", COCO, '"bbox": [', '"bbox": [NaN, '),
        "none of its 2 labels can be used",
    ),
    "a deep nesting": (_file("tasks.json", b'[{"annotations": [{"result":' + b"[" * 10_000), "not JSON"),
}


def test_nothing_of_a_hostile_set_is_imported(place: Place, tmp_path: Path) -> None:
    for number, (what, (make, reason)) in enumerate(HOSTILE.items()):
        with pytest.raises(ConfigurationError) as error:
            import_data(place.workspace, Request(make(tmp_path / str(number)), "labels"))
        assert reason in str(error.value), what
        assert list(place.storage.list("")) == [], what


def test_one_bad_label_of_a_set_costs_itself(place: Place, tmp_path: Path) -> None:
    folder = a_set("coco", tmp_path / "set")
    labels = json.loads((folder / COCO).read_text())
    labels["annotations"][0]["bbox"][2] = -5
    labels["annotations"].append(labels["annotations"][1] | {"id": 9, "bbox": [50, 40, 1000, 1000]})
    labels["annotations"].append(labels["annotations"][1] | {"id": 10, "iscrowd": 1})
    labels["images"].append({"id": 9, "file_name": "gone.jpg", "width": 64, "height": 48})
    (folder / COCO).write_text(json.dumps(labels))
    record = import_data(place.workspace, Request(str(folder), "labels")).record
    assert (record.images, record.problems) == (2, {"dropped": 2, "mended": 1, "refused": 1})
    assert record.labels == {"cat": 3, "dog": 0}
