"""COCO's JSON: ids of all kinds, crowds, polygons, and the files of several splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box, Item, Problem
from tests.loop.exchange.sets import item, picture, put, read, write

COCO = find_format("coco")
IMAGE = {"id": 7, "file_name": "a.jpg", "width": 200, "height": 100}
# As COCO's own ids are: with gaps, and not in the order of the names.
CATEGORIES = [{"id": 90, "name": "cat"}, {"id": 3, "name": "dog", "supercategory": "animal"}]


def box(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 7, "category_id": 90, "bbox": [20, 10, 100.5, 50], "iscrowd": 0} | fields


def labels(*annotations: Any, images: Any = (IMAGE,), categories: Any = CATEGORIES) -> str:
    return json.dumps({"images": list(images), "annotations": list(annotations), "categories": categories})


def read_one(tmp_path: Path, text: str) -> tuple[dict[str, Item], list[Problem]]:
    source = put(tmp_path, {"annotations/instances_train2017.json": text, "train2017/a.jpg": picture()})
    assert COCO.looks_like(source)
    return read(COCO, source)


def test_boxes_have_the_names_of_their_categories_whatever_the_ids(tmp_path: Path) -> None:
    items, problems = read_one(tmp_path, labels(box(), box(id=2, category_id=3, bbox=[0, 0, 1, 2])))
    (found,) = items.values()
    assert (found.name, found.size, found.split) == ("train2017/a.jpg", (200, 100), "train")
    assert found.boxes == (Box("cat", 20, 10, 100.5, 50), Box("dog", 0, 0, 1, 2))
    assert problems == []


def test_classes_stand_in_the_order_of_their_ids(tmp_path: Path) -> None:
    assert COCO.classes(put(tmp_path, {"a.json": labels()}), ReadOptions()) == ["dog", "cat"]


def test_a_crowd_keeps_its_box_and_is_marked(tmp_path: Path) -> None:
    crowd = box(iscrowd=1, segmentation={"counts": [0, 5, 19995], "size": [100, 200]})
    items, _ = read_one(tmp_path, labels(crowd))
    assert items["train2017/a.jpg"].boxes == (Box("cat", 20, 10, 100.5, 50, {"crowd": True}),)


def test_polygons_give_the_box_that_is_not_written(tmp_path: Path) -> None:
    shape = box(segmentation=[[10, 20, 30, 20, 30, 45], [5, 25, 12, 25, 12, 30]])
    del shape["bbox"]
    items, _ = read_one(tmp_path, labels(shape))
    assert items["train2017/a.jpg"].boxes == (Box("cat", 5, 20, 25, 25),)


def test_an_annotation_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    bad = [
        box(bbox=[1, 1, 0, 5]),
        box(bbox=[1, 1, 5, -5]),
        box(bbox=[1, 1, 5, float("nan")]),
        box(bbox=[1, 1, 5, float("inf")]),
        box(bbox=[1, 1, 5, 10**400]),
        box(bbox=[1, 1, 5, None]),
        box(bbox=[1, 1, True, 5]),
        box(bbox=[1, 1, 5]),
        box(bbox="1 1 5 5"),
        box(bbox=None),
        box(bbox=[], segmentation={"counts": "Q1", "size": [100, 200]}),
        box(bbox=[], segmentation=[[1, 2, 3]]),
        box(category_id=4),
        box(category_id=[90]),
        box(image_id=8),
        box(image_id=None),
        "a box",
    ]
    items, problems = read_one(tmp_path, labels(*bad, box(id=5)))
    assert [len(found.boxes or ()) for found in items.values()] == [1]
    assert {problem.kind for problem in problems} == {"dropped"}
    where = {f"annotations/instances_train2017.json: annotation {index + 1}" for index in range(len(bad))}
    assert {problem.where for problem in problems} == where


def test_an_annotation_that_is_written_twice_is_read_once(tmp_path: Path) -> None:
    """By id and box: converters give all annotations the id 0, and two objects can have one box."""
    items, problems = read_one(tmp_path, labels(box(), box(), box(bbox=[1, 1, 5, 5]), box(id=2)))
    assert [len(found.boxes or ()) for found in items.values()] == [3]
    assert ["written twice" in problem.reason for problem in problems] == [True]


def test_an_image_without_annotations_is_one_with_nothing_on_it(tmp_path: Path) -> None:
    assert read_one(tmp_path, labels())[0]["train2017/a.jpg"].boxes == ()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"file_name": "a.jpg"}, "id is None"),
        (IMAGE | {"id": 1.5}, "id is 1.5"),
        ({"id": 8}, "file_name is None"),
        (IMAGE | {"file_name": "b.jpg", "id": 8}, "no image 'b.jpg'"),
        (IMAGE | {"file_name": "../a.jpg", "id": 8}, "leads out of the data set"),
        (IMAGE | {"file_name": "/etc/passwd", "id": 8}, "no image '/etc/passwd'"),
        (IMAGE | {"id": 8}, "is listed twice"),
        ("a.jpg", "is 'a.jpg'; an object is wanted"),
    ],
)
def test_an_image_that_cannot_be_used_costs_itself_alone(tmp_path: Path, image: Any, reason: str) -> None:
    items, problems = read_one(tmp_path, labels(box(), images=[IMAGE, image]))
    assert list(items) == ["train2017/a.jpg"]
    assert [problem.kind for problem in problems] == ["refused"]
    assert reason in problems[0].reason


def test_two_images_of_one_id_are_both_refused_for_their_boxes_are_nobodys(tmp_path: Path) -> None:
    items, problems = read_one(tmp_path, labels(box(), images=[IMAGE, IMAGE | {"file_name": "b.jpg"}]))
    assert items == {}
    assert ["image id 7 is of 'a.jpg' and 'b.jpg'" in problem.reason for problem in problems] == [True, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "results of a model"),
        ("{}", "no list 'images'"),
        ("7", "no list 'images'"),
        (json.dumps({"images": [], "annotations": {}, "categories": []}), "no list 'annotations'"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"images": [], "images": []}', "not JSON"),
        (labels(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "category 1 is 'a' and 'b'"),
        (labels(categories=[{"id": 1, "name": "a\nb"}]), "category 1: class name"),
        (labels(categories=[7]), "category 1: is 7"),
    ],
)
def test_a_file_of_another_shape_is_refused_whole(tmp_path: Path, text: str, reason: str) -> None:
    source = put(
        tmp_path, {"annotations/instances_val.json": labels(), "annotations/instances_train.json": text}
    )
    with pytest.raises(BadRecord, match=reason) as error:
        COCO.read(source, ReadOptions())
    assert "annotations/instances_train.json" in str(error.value)


def test_splits_may_use_the_same_names_and_ids(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "annotations/instances_train2017.json": labels(box()),
        "annotations/instances_val2017.json": labels(box(category_id=3)),
        "annotations/captions_val2017.json": "{}",
        "annotations/person_keypoints_val2017.json": "{}",
        "train2017/a.jpg": picture(),
        "val2017/a.jpg": picture(),
    }
    items, problems = read(COCO, put(tmp_path, files))
    assert {
        name: (found.split, [box.label for box in found.boxes or ()]) for name, found in items.items()
    } == {
        "train2017/a.jpg": ("train", ["cat"]),
        "val2017/a.jpg": ("validation", ["dog"]),
    }
    assert problems == []
    items, _ = read(COCO, put(tmp_path, files), ReadOptions(sets=("validation",)))
    assert list(items) == ["val2017/a.jpg"]
    with pytest.raises(BadRecord, match="there are: instances_train2017, instances_val2017"):
        COCO.read(put(tmp_path, files), ReadOptions(sets=("test",)))


def test_a_name_that_fits_two_pictures_is_not_guessed(tmp_path: Path) -> None:
    source = put(tmp_path, {"labels.json": labels(box()), "one/a.jpg": picture(), "two/a.jpg": picture()})
    items, problems = read(COCO, source)
    assert items == {}
    assert "'a.jpg' can be one/a.jpg or two/a.jpg" in problems[0].reason


def test_no_picture_of_another_split_stands_in_for_one_that_is_missing(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "annotations/instances_train.json": labels(box()),
        "annotations/instances_val.json": labels(box(category_id=3)),
        "train/b.jpg": picture(),
        "val/a.jpg": picture(),
    }
    items, problems = read(COCO, put(tmp_path, files))
    assert {name: (one.boxes or ())[0].label for name, one in items.items()} == {"val/a.jpg": "dog"}
    assert [one.reason for one in problems] == [
        "no image 'a.jpg'; val/a.jpg is called so, but is of another split or data set"
    ]


def test_a_name_is_of_the_picture_with_its_very_letters(tmp_path: Path) -> None:
    """An accent in one letter or in two; one way stands for the other where no picture has it."""
    names = ["caf\u00e9.jpg", "cafe\u0301.jpg"]
    images = [IMAGE | {"id": key, "file_name": name} for key, name in enumerate(names)]
    text = labels(box(image_id=0), box(image_id=1, category_id=3), images=images)
    items, problems = read(
        COCO, put(tmp_path / "a", {"l.json": text, names[0]: picture(), names[1]: picture(64, 48)})
    )
    assert {name: (one.boxes or ())[0].label for name, one in items.items()} == dict(
        zip(names, ("cat", "dog"), strict=True)
    )
    assert problems == []
    files = put(tmp_path / "b", {"l.json": labels(box(image_id=0), images=images[:1]), names[1]: picture()})
    assert list(read(COCO, files)[0]) == [names[1]]


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    source = put(
        tmp_path / "labels", {"instances.json": labels(box(), images=[IMAGE | {"file_name": "x\\a.jpg"}])}
    )
    images = put(tmp_path / "images", {"in/x/a.jpg": picture()})
    items, _ = read(COCO, source, ReadOptions(images=images))
    assert items["in/x/a.jpg"].read() == picture()


def test_what_is_written_is_what_pycocotools_reads(tmp_path: Path) -> None:
    from pycocotools.coco import COCO as Reader

    boxes = (Box("dog", 20, 10, 100.5, 50, {"occluded": True}), Box("cat", 1, 2, 3, 4, {"crowd": True}))
    image = item("a/b c.jpg", boxes=boxes, split="validation")
    assert write(COCO, tmp_path, image, classes=["dog", "cat"]) == []
    reader = Reader(str(tmp_path / "annotations/instances_val.json"))
    assert [one["name"] for one in reader.loadCats(reader.getCatIds())] == ["dog", "cat"]
    assert [one["file_name"] for one in reader.loadImgs(reader.getImgIds())] == ["a/b c.jpg"]
    first, second = reader.loadAnns(reader.getAnnIds())
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([20, 10, 100.5, 50], 5025, 0)
    assert (second["bbox"], second["iscrowd"]) == ([1, 2, 3, 4], 1)
    assert (tmp_path / "images/a/b c.jpg").read_bytes() == picture()


def test_an_image_that_loses_all_its_boxes_is_refused(tmp_path: Path) -> None:
    items, problems = read_one(tmp_path, labels(box(bbox=[1, 1, 0, 5])))
    assert (items, [problem.kind for problem in problems]) == ({}, ["refused"])
