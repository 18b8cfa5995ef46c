"""YOLO: label files by the rule of Ultralytics, and the three ways to say what the numbers mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box
from tests.loop.exchange.sets import item, picture, put, read, write

YOLO = find_format("yolo")
YAML = "path: ../datasets/pets\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"


def pets(train: str, yaml: str = YAML) -> dict[str, str | bytes]:
    return {
        "data.yaml": yaml,
        "images/train/a.jpg": picture(),
        "images/val/b.jpg": picture(),
        "labels/train/a.txt": train,
    }


def boxes(tmp_path: Path, line: str, yaml: str = YAML) -> tuple[Box, ...]:
    source = put(tmp_path, pets(line, yaml))
    assert YOLO.looks_like(source)
    items, problems = read(YOLO, source)
    assert problems == []
    return items["images/train/a.jpg"].boxes or ()


def test_centres_and_fractions_become_edges_in_pixels(tmp_path: Path) -> None:
    assert boxes(tmp_path, "1 0.35 0.35 0.5 0.5\n\n0 .5 .5 1 1.0e0\r\n") == (
        Box("dog", 20, 10, 100, 50),
        Box("cat", 0, 0, 200, 100),
    )


def test_a_sixth_number_is_the_confidence(tmp_path: Path) -> None:
    assert boxes(tmp_path, "0 .5 .5 1 1 0.25") == (Box("cat", 0, 0, 200, 100, {"confidence": 0.25}),)


def test_a_polygon_becomes_the_box_around_it(tmp_path: Path) -> None:
    assert boxes(tmp_path, "0 0.25 0.5 0.5 0.75 0.5 0.25") == (Box("cat", 50, 25, 50, 50),)


def test_keypoints_follow_a_box_where_the_yaml_says_so(tmp_path: Path) -> None:
    line = "0 .5 .5 1 1 0.1 0.1 2 0.2 0.2 2"
    assert boxes(tmp_path, line, YAML + "kpt_shape: [2, 3]\n") == (Box("cat", 0, 0, 200, 100),)


def test_an_empty_or_missing_file_is_an_image_with_nothing_on_it(tmp_path: Path) -> None:
    items, problems = read(YOLO, put(tmp_path, pets("")))
    assert {name: (one.boxes, one.split) for name, one in items.items()} == {
        "images/train/a.jpg": ((), "train"),
        "images/val/b.jpg": ((), "validation"),
    }
    assert problems == []


def test_but_not_where_no_image_has_any(tmp_path: Path) -> None:
    files = pets("")
    files["annotations/a.txt"] = files.pop("labels/train/a.txt")
    with pytest.raises(BadRecord, match="no label file for any of 2 images"):
        YOLO.read(put(tmp_path, files), ReadOptions())


def test_a_line_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    bad = [
        "2 .5 .5 .1 .1",
        "-1 .5 .5 .1 .1",
        "0.5 .5 .5 .1 .1",
        "cat .5 .5 .1 .1",
        "0 .5 .5 .1",
        "0 .5 .5 0 .1",
        "0 .5 .5 .1 -.1",
        "0 nan .5 .1 .1",
        "0 .5 inf .1 .1",
        "0 .5 1e999 .1 .1",
        "0 100 50 20 20",
        "0 .5 .5 .1 .1 7",
        "0 .1 .2 .3 .4 .5 .6 .7",
        "0",
        "0 .5,.5,.1,.1",
    ]
    items, problems = read(YOLO, put(tmp_path, pets("\n" + "\n".join([*bad, "0 .5 .5 1 1"]))))
    assert items["images/train/a.jpg"].boxes == (Box("cat", 0, 0, 200, 100),)
    assert [problem.where for problem in problems] == [f"labels/train/a.txt:{i + 2}" for i in range(len(bad))]
    assert {problem.kind for problem in problems} == {"dropped"}
    assert "class '2'; there are 0 to 1" in problems[0].reason
    assert "are they pixels?" in problems[10].reason


def test_a_picture_that_cannot_be_read_is_refused_with_its_reason(tmp_path: Path) -> None:
    items, problems = read(YOLO, put(tmp_path, pets("") | {"images/val/b.jpg": b"GIF89a"}))
    assert list(items) == ["images/train/a.jpg"]
    assert [(one.where, one.kind) for one in problems] == [("images/val/b.jpg", "refused")]
    assert "image is GIF" in problems[0].reason


@pytest.mark.parametrize(
    "paths",
    [
        "path: .\ntrain: images/train\nval: images/val",
        "train: ../images/train\nval: ../images/val",
        "train: /content/pets/images/train\nval: C:\\pets\\images\\val",
        "path: /data/pets\ntrain: [images/train/]\nval:\n  - ./images/val",
        "train: train.txt\nval: lists/val.txt",
        "train: images/train\nval: images/val\ntest:",
    ],
)
def test_paths_of_another_machine_are_found_by_their_ends(tmp_path: Path, paths: str) -> None:
    lists = {"train.txt": "./images/train/a.jpg\n", "lists/val.txt": "/home/me/pets/images/val/b.jpg\n"}
    source = put(tmp_path, pets("0 .5 .5 1 1", f"{paths}\nnc: 2\nnames: [cat, dog]\n") | lists)
    items, problems = read(YOLO, source)
    assert {name: one.split for name, one in items.items()} == {
        "images/train/a.jpg": "train",
        "images/val/b.jpg": "validation",
    }
    assert problems == []


def test_a_list_names_in_vain_what_is_not_there(tmp_path: Path) -> None:
    yaml = "train: train.txt\nnames: [cat, dog]\n"
    lists = {"train.txt": "images/train/a.jpg\nimages/train/z.jpg\n../../secret/a.jpg\n"}
    items, problems = read(YOLO, put(tmp_path, pets("", yaml) | lists))
    assert list(items) == ["images/train/a.jpg"]
    assert [problem.where for problem in problems] == ["train.txt:2", "train.txt:3"]


def test_the_sets_that_a_person_names_are_read_alone(tmp_path: Path) -> None:
    source = put(tmp_path, pets(""))
    assert list(read(YOLO, source, ReadOptions(sets=("val",)))[0]) == ["images/val/b.jpg"]
    with pytest.raises(BadRecord, match="no split 'test'; there are: train, val"):
        YOLO.read(source, ReadOptions(sets=("test",)))


def test_one_folder_for_two_splits_belongs_to_the_one_it_is_named_after(tmp_path: Path) -> None:
    """coco8 and its kind validate on their training images; a set of one split has to name two."""
    yaml = YAML.replace("train: images/train", "train: images/val")
    assert read(YOLO, put(tmp_path, pets("", yaml) | {"labels/val/b.txt": ""}))[0][
        "images/val/b.jpg"
    ].split == ("validation")


def test_darknets_files_are_read_as_cvat_writes_them(tmp_path: Path) -> None:
    source = put(
        tmp_path,
        {
            "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
            "obj.names": "cat\ndog\n",
            "train.txt": "data/obj_train_data/a b.jpg\n",
            "obj_train_data/a b.jpg": picture(),
            "obj_train_data/a b.txt": "1 0.5 0.5 1 1\n",
        },
    )
    assert YOLO.classes(source, ReadOptions()) == ["cat", "dog"]
    items, problems = read(YOLO, source)
    assert problems == []
    assert items["obj_train_data/a b.jpg"].boxes == (Box("dog", 0, 0, 200, 100),)
    assert items["obj_train_data/a b.jpg"].split == "train"


def test_classes_txt_alone_is_enough_and_labels_without_an_image_are_told(tmp_path: Path) -> None:
    files = {"classes.txt": "cat\ndog\n", "labels/a.txt": "0 .5 .5 1 1", "labels/z.txt": ""}
    items, problems = read(YOLO, put(tmp_path, files | {"images/a.jpg": picture()}))
    assert items["images/a.jpg"].boxes == (Box("cat", 0, 0, 200, 100),)
    assert [problem.where for problem in problems] == ["labels/z.txt"]


def test_a_blank_line_in_a_class_list_would_shift_what_follows(tmp_path: Path) -> None:
    source = put(tmp_path, {"classes.txt": "cat\n\ndog\n", "images/a.jpg": picture(), "labels/a.txt": ""})
    with pytest.raises(BadRecord, match=r"classes\.txt: class name is ''"):
        YOLO.read(source, ReadOptions())


def test_two_lists_of_classes_in_another_order_are_refused_with_both_names(tmp_path: Path) -> None:
    source = put(tmp_path, pets("") | {"classes.txt": "dog\ncat\n"})
    with pytest.raises(BadRecord, match=r"class 0 is 'cat' in data\.yaml, but 'dog' in classes\.txt"):
        YOLO.read(source, ReadOptions())
    with pytest.raises(BadRecord, match=r"class 1 is 'dog' in data\.yaml, but None in the classes given"):
        YOLO.read(put(tmp_path / "b", pets("")), ReadOptions(classes=("cat",)))


def test_without_names_they_have_to_be_given(tmp_path: Path) -> None:
    source = put(tmp_path, {"images/a.jpg": picture(), "labels/a.txt": "0 .5 .5 1 1"})
    with pytest.raises(BadRecord, match="--classes"):
        YOLO.read(source, ReadOptions())
    assert read(YOLO, source, ReadOptions(classes=("cat",)))[0]["images/a.jpg"].boxes


@pytest.mark.parametrize(
    ("names", "classes"),
    [("[no, 007, yes]", ["no", "007", "yes"]), ("{0: on, 1: ~, 2: 1e3}", ["on", "~", "1e3"])],
)
def test_a_class_called_no_is_no_truth(tmp_path: Path, names: str, classes: list[str]) -> None:
    source = put(tmp_path, {"d.yaml": f"path: .\nnames: {names}\n"})
    assert YOLO.classes(source, ReadOptions()) == classes


@pytest.mark.parametrize(
    "yaml",
    [
        "path: .\nnames: {0: cat, 2: dog}",
        "path: .\nnames: {0: cat, 00: dog}",
        "path: .\nnames: [cat, cat]",
        "path: .\nnames: []",
        "path: .\nnames: cat",
        "path: .\nnames: [[cat]]",
        "path: .\nnames: [*a]",
        "path: .\nnames: &a [*a]",
        'path: .\nnames: ["\\U00110000"]',
        'path: .\nnames: ["\\ud800"]',
        "path: .\ntrain: {a: b}\nnames: [cat]",
        "path: .\ntrain: images/nowhere\nnames: [cat, dog]",
        "names: " + "[\n" * 50_000,
        "names: [cat]\n---\npath: .",
        "!!python/object/apply:os.system [touch /tmp/x]\n",
        "a: &a [x]\n" * 50_000,
    ],
)
def test_a_yaml_that_says_no_classes_is_refused(tmp_path: Path, yaml: str) -> None:
    with pytest.raises(BadRecord):
        YOLO.read(put(tmp_path, pets("", yaml)), ReadOptions())


def test_what_is_written_is_ultralytics_layout(tmp_path: Path) -> None:
    image = item("a/b c.v1.jpg", boxes=(Box("no", 20, 10, 100, 50, {"confidence": 0.5}),), split="validation")
    assert write(YOLO, tmp_path, image, item("n.png", boxes=()), classes=["yes: maybe", "no"]) == []
    assert (tmp_path / "labels/val/a/b c.v1.txt").read_text() == "1 0.35 0.35 0.5 0.5 0.5\n"
    assert (tmp_path / "images/val/a/b c.v1.jpg").read_bytes() == picture()
    assert (tmp_path / "labels/train/n.txt").read_text() == ""
    assert (tmp_path / "data.yaml").read_text() == (
        "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: 'yes: maybe'\n  1: 'no'\n"
    )


def test_a_class_without_an_index_is_refused_with_its_image(tmp_path: Path) -> None:
    (problem,) = write(YOLO, tmp_path, item("a.jpg", boxes=(Box("cow", 0, 0, 1, 1),)), classes=["cat"])
    assert (problem.where, problem.reason) == ("a.jpg", "class 'cow' is none of cat")


def test_an_image_that_loses_all_its_boxes_is_refused(tmp_path: Path) -> None:
    items, problems = read(YOLO, put(tmp_path, pets("0 .5 .5 0 1")))
    assert list(items) == ["images/val/b.jpg"]
    assert [(one.where, one.kind) for one in problems] == [("images/train/a.jpg", "refused")]


def test_labels_are_found_by_another_folder_images_than_the_last(tmp_path: Path) -> None:
    files = pets("") | {"images/train/images/c.jpg": picture(), "labels/train/images/c.txt": "0 .5 .5 1 1"}
    items, problems = read(YOLO, put(tmp_path, files | {"labels/gone/d.txt": "0 .5 .5 1 1"}))
    assert items["images/train/images/c.jpg"].boxes == (Box("cat", 0, 0, 200, 100),)
    assert [one.where for one in problems] == ["labels/gone/d.txt"]
    assert read(YOLO, put(tmp_path, {}), ReadOptions(sets=["train"]))[1] == []
