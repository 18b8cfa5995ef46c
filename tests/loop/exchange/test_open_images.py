"""Open Images' CSV files and folders of pictures by class, as their own tools lay them out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from include.loop.core.errors import BadRecord
from include.loop.exchange.fitting import fit
from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, WriteOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from tests.loop.pictures import SIZE, patchwork

CSV, FOLDERS = find_format("open-images"), find_format("image-folders")
WIDTH, HEIGHT = SIZE
SIDES = "XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
BOXES = f"""ImageID,Source,LabelName,Confidence,{SIDES}
0001,xclick,/m/01yrx,1,0.25,0.5,0.5,1,1,0,0,0,0
0001,xclick,/m/0bt9lr,1,0,1,0,1,-1,-1,1,-1,-1
0002,activemil,/m/01yrx,0.75,0.5,0.25,0.1,0.2,0,0,0,0,0
0002,xclick,/m/01yrx,1,0.1,0.2,nan,0.2,0,0,0,0,0
0003,xclick,/m/none,1,0.1,0.2,0.1,0.2,0,0,0,0,0
"""
CLASSES = """ImageID,Source,LabelName,Confidence
0001,verification,/m/01yrx,1
0001,verification,/m/0bt9lr,0
0009,verification,/m/01yrx,1
"""
NAMES = '/m/01yrx,Cat\n/m/0bt9lr,"Dog, or hound"\n'


def picture(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(patchwork(name))


def items(found: Iterable[Item | Problem]) -> list[Item]:
    return [item for item in found if isinstance(item, Item)]


def problems(found: Iterable[Item | Problem]) -> list[tuple[str, str, str]]:
    return [(item.kind, item.where, item.reason) for item in found if isinstance(item, Problem)]


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    picture(tmp_path, "train/0001.jpg", "train/0002.jpg", "train/0003.jpg")
    for name, text in {
        "oidv6-train-annotations-bbox.csv": BOXES,
        "train-annotations-human-imagelabels.csv": CLASSES,
        "class-descriptions-boxable.csv": NAMES,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Folder(tmp_path)


def test_boxes_and_verified_classes_are_read_with_their_marks(source: Folder) -> None:
    assert CSV.looks_like(source)
    assert CSV.classes(source, ReadOptions()) == ["Cat", "Dog, or hound"]
    (item,) = items(CSV.read(source, ReadOptions()))
    assert (item.name, item.split, item.size) == ("train/0001.jpg", "train", SIZE)
    assert item.boxes == (
        Box("Cat", WIDTH / 4, HEIGHT / 2, WIDTH / 4, HEIGHT / 2, {"occluded": True}),
        Box("Dog, or hound", 0, 0, WIDTH, HEIGHT, {"crowd": True}),
    )
    assert item.classes == (Class("Cat"), Class("Dog, or hound", present=False))


def test_of_an_image_that_only_lacks_some_classes_nobody_knows_whether_it_lacks_all() -> None:
    ours = {"cat": "cat", "dog": "dog", "hound": "dog", "cow": None}

    def fitted(*said: Class) -> tuple[Class, ...] | None:
        return fit(Item("a.jpg", bytes, classes=said), "many_classes", ours, SIZE).item.classes

    no_cat, no_dog = Class("cat", present=False), Class("dog", present=False)
    with pytest.raises(BadRecord, match="it is said not to be of cat, and nothing is said of dog"):
        fitted(no_cat)
    assert fitted(no_cat, no_dog) == (no_cat, no_dog)
    assert fitted(no_cat, Class("hound")) == (no_cat, Class("dog"))
    assert fitted() == ()


def test_no_picture_of_another_split_stands_in_for_one_that_is_missing(tmp_path: Path) -> None:
    picture(tmp_path, "train/b.jpg", "validation/a.jpg")
    for split in ("train", "validation"):
        (tmp_path / f"{split}-labels.csv").write_text("ImageID,LabelName,Confidence\na,cat,1\n")
    found = list(CSV.read(Folder(tmp_path), ReadOptions()))
    assert [(item.name, item.split) for item in items(found)] == [("validation/a.jpg", "validation")]
    assert [item[2] for item in problems(found)] == [f"no image is called 'a' of train in {tmp_path}"]


def test_what_cannot_be_used_is_told_by_its_line(source: Folder) -> None:
    found = problems(CSV.read(source, ReadOptions()))
    assert [item[:2] for item in found] == [
        ("refused", "oidv6-train-annotations-bbox.csv:6"),
        ("mended", "train-annotations-human-imagelabels.csv"),  # 0009: nobody looked for a dog
        ("dropped", "oidv6-train-annotations-bbox.csv:5"),
        ("dropped", "train/0002.jpg"),
        ("refused", "train/0002.jpg"),  # it is no image with nothing on it
        ("refused", "0009"),
    ]
    assert "'/m/none' has no name" in found[0][2]
    with pytest.raises(BadRecord, match="no CSV with the columns"):
        CSV.read(source, ReadOptions(sets=["test"]))


def test_open_images_go_out_and_come_back(tmp_path: Path) -> None:
    boxes = (Box("Cat", 3.5, 7, 11, 13, {"occluded": True, "confidence": 0.5}), Box("Dog", 0, 0, 64, 48))
    given = [
        Item("a/1.jpg", lambda: patchwork("1"), size=SIZE, boxes=boxes, split="train"),
        Item(
            "2.jpg",
            lambda: patchwork("2"),
            classes=(Class("Cat"), Class("Dog", present=False)),
            split="validation",
        ),
        Item("3.jpg", lambda: patchwork("3"), size=SIZE, boxes=()),
        Item("a_1.jpg", lambda: patchwork("4"), size=SIZE, boxes=boxes[:1]),
    ]
    told = problems(CSV.write(given, tmp_path, WriteOptions(["Cat", "Dog"], many_classes=True)))
    assert [item[:2] for item in told] == [("unheld", "3.jpg"), ("refused", "a_1.jpg")]
    back = items(CSV.read(Folder(tmp_path), ReadOptions()))
    assert {(item.name, item.split) for item in back} == {
        ("train/a_1.jpg", "train"),
        ("validation/2.jpg", "validation"),
    }
    by_name = {item.name: item for item in back}
    for mine, theirs in zip(boxes, by_name["train/a_1.jpg"].boxes or (), strict=True):
        assert (theirs.label, theirs.marks) == (mine.label, mine.marks)
        sides = [(box.left, box.top, box.width, box.height) for box in (mine, theirs)]
        assert sides[1] == pytest.approx(sides[0], abs=1e-9)
    assert by_name["validation/2.jpg"].classes == given[1].classes
    assert by_name["validation/2.jpg"].read() == patchwork("2")


@pytest.mark.parametrize("outer", ["", "set-1.0/"])
def test_a_picture_is_of_the_class_of_its_folder(outer: str, tmp_path: Path) -> None:
    names = ["train/cat/1.jpg", "train/dog/more/2.png", "val/cat/3.jpg", "test/dog/4.jpeg"]
    picture(tmp_path, *(outer + name for name in names))
    files = Folder(tmp_path)
    assert FOLDERS.looks_like(files)
    assert FOLDERS.classes(files, ReadOptions()) == ["cat", "dog"]
    found = items(FOLDERS.read(files, ReadOptions()))
    assert [(item.split, item.classes, item.read()) for item in found] == [
        ("test", (Class("dog"),), patchwork(outer + names[3])),
        ("train", (Class("cat"),), patchwork(outer + names[0])),
        ("train", (Class("dog"),), patchwork(outer + names[1])),
        ("validation", (Class("cat"),), patchwork(outer + names[2])),
    ]
    assert len(items(FOLDERS.read(files, ReadOptions(sets=["val", "test"])))) == 2


def test_without_splits_the_first_folder_is_the_class_and_a_picture_in_none_is_told(tmp_path: Path) -> None:
    picture(tmp_path, "cat/1.jpg", "dog/2.jpg", "3.jpg")
    found = list(FOLDERS.read(Folder(tmp_path), ReadOptions()))
    assert [(item.split, item.classes) for item in items(found)] == [
        (None, (Class("cat"),)),
        (None, (Class("dog"),)),
    ]
    assert problems(found) == [("refused", "3.jpg", "lies in no class's folder")]
    (tmp_path / "labels.json").write_text("{}")
    assert not FOLDERS.looks_like(Folder(tmp_path))  # these pictures have other labels


@pytest.mark.parametrize("outer", ["", "vehicles/"])
def test_a_class_may_be_called_like_a_split_where_there_are_no_splits(tmp_path: Path, outer: str) -> None:
    picture(tmp_path, f"{outer}bus/1.jpg", f"{outer}train/2.jpg", f"{outer}Test/3.jpg")
    assert FOLDERS.classes(Folder(tmp_path), ReadOptions()) == ["Test", "bus", "train"]
    found = items(FOLDERS.read(Folder(tmp_path), ReadOptions()))
    assert [(item.split, item.classes) for item in found] == [
        (None, (Class(name),)) for name in ("Test", "bus", "train")
    ]


def test_folders_go_out_and_come_back_and_hold_one_class_for_an_image(tmp_path: Path) -> None:
    def item(name: str, *names: str, split: str | None = None) -> Item:
        return Item(name, lambda: patchwork(name), classes=tuple(map(Class, names)), split=split)

    given = [
        item("a/1.jpg", "cat", split="train"),
        item("2.jpg", "dog", split="test"),
        item("3.jpg"),
        item("4.jpg", "cat", "dog"),
    ]
    told = problems(FOLDERS.write(given, tmp_path, WriteOptions(["cat", "dog"])))
    assert [item[:2] for item in told] == [("unheld", "3.jpg"), ("unheld", "4.jpg")]
    back = items(FOLDERS.read(Folder(tmp_path), ReadOptions()))
    assert [(one.name, one.split, one.classes) for one in back] == [
        ("test/dog/2.jpg", "test", (Class("dog"),)),
        ("train/cat/a/1.jpg", "train", (Class("cat"),)),
    ]
    with pytest.raises(BadRecord, match="'train' cannot be the name of a folder"):
        list(FOLDERS.write(given, tmp_path, WriteOptions(["train"])))
