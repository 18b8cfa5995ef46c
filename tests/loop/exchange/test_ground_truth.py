"""Ground Truth's manifests, read and written: what a job, a chain of jobs and this loop write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.loop.core.errors import BadRecord
from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, WriteOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from include.loop.exchange.manifest_items import HISTORY

FORMAT = find_format("ground-truth")
JOB = {"human-annotated": "yes", "creation-date": "2026-02-11T09:14:03.120551", "job-name": "labeling-job/r1"}
BOXES: dict[str, Any] = {
    "source-ref": "s3://acme/in/1.jpg",
    "box": {
        "image_size": [{"width": 1920, "height": 1080, "depth": 3}],
        "annotations": [
            {"class_id": 0, "left": 402, "top": 77, "width": 121, "height": 118},
            {"class_id": 3, "left": 371, "top": 190.5, "width": 205, "height": 410},
        ],
    },
    "box-metadata": {
        "objects": [{"confidence": 0.9}, {"confidence": 0.62}],
        "class-map": {"0": "helmet", "3": "vest"},
        "type": "groundtruth/object-detection",
    }
    | JOB,
}
GRADE = {
    "source-ref": "s3://acme/in/1.jpg",
    "grade": "2",
    "grade-metadata": {"confidence": 0.95, "class-name": "bad", "type": "groundtruth/image-classification"}
    | JOB,
}
TAGS = {
    "source-ref": "s3://acme/in/1.jpg",
    "tags": [1, 0],
    "tags-metadata": {
        "class-map": {"1": "rust", "0": "dent"},
        "confidence-map": {"1": 0.95, "0": 0},
        "type": "groundtruth/image-classification-multilabel",
    }
    | JOB,
}
VERDICT = {
    "check": "1",
    "check-metadata": {"class-name": "bad", "type": "groundtruth/label-verification"} | JOB,
}


def read(folder: Path, *lines: dict[str, Any] | str, **options: Any) -> list[Item | Problem]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "output.manifest").write_text(text + "\n", encoding="utf-8")
    files = Folder(folder)
    assert FORMAT.looks_like(files)
    return list(FORMAT.read(files, ReadOptions(**options)))


def test_boxes_have_the_names_of_the_line_and_their_history(tmp_path: Path) -> None:
    (item,) = read(tmp_path, BOXES | VERDICT)
    assert isinstance(item, Item)
    assert item.boxes == (
        Box("helmet", 402, 77, 121, 118, {"confidence": 0.9}),
        Box("vest", 371, 190.5, 205, 410, {"confidence": 0.62}),
    )
    assert (item.name, item.uri, item.size) == ("in/1.jpg", "s3://acme/in/1.jpg", (1920, 1080))
    assert item.details[HISTORY] == JOB


def test_an_image_with_nothing_on_it_is_no_image_without_labels(tmp_path: Path) -> None:
    label = {"image_size": BOXES["box"]["image_size"], "annotations": []}
    (item,) = read(tmp_path, BOXES | {"box": label, "box-metadata": {"class-map": {}, "objects": []} | JOB})
    assert isinstance(item, Item)
    assert item.boxes == ()


def test_classes_single_and_many(tmp_path: Path) -> None:
    (one,) = read(tmp_path, GRADE)
    assert isinstance(one, Item)
    assert one.classes == (Class("bad", 0.95),)
    (many,) = read(tmp_path, TAGS)  # 0 is what one worker alone gets
    assert isinstance(many, Item)
    assert many.classes == (Class("rust", 0.95), Class("dent"))


def test_a_list_without_a_class_map_means_what_training_takes_it_for(tmp_path: Path) -> None:
    lines = [{"source-ref": f"s3://b/{n}.jpg", "tags": [0, 1, 1], "tags-metadata": {}} for n in range(3)]
    lines[1]["tags"] = [2, 1]
    lines[2]["tags-metadata"] = {"type": "groundtruth/image-classification-multilabel"}
    found = read(tmp_path, *lines, classes=["cat", "dog", "owl"])
    assert [[one.label for one in item.classes or ()] for item in found if isinstance(item, Item)] == [
        ["dog", "owl"],
        ["owl", "dog"],
        ["cat", "dog"],
    ]


def test_of_several_labels_nobody_guesses(tmp_path: Path) -> None:
    both = BOXES | GRADE
    with pytest.raises(BadRecord, match=r"box \(1 lines\), grade \(1 lines\)\. Say which .* --label"):
        read(tmp_path, both)
    with pytest.raises(BadRecord, match=r"no line has a label 'boxes'; there are box, grade"):
        read(tmp_path, both, label="boxes")
    (item,) = read(tmp_path, both, label="grade")
    assert isinstance(item, Item)
    assert item.boxes is None
    assert item.classes == (Class("bad", 0.95),)
    assert item.details["box"] == BOXES["box"]  # the other label goes along


def test_lines_that_are_no_label_are_told_with_their_number(tmp_path: Path) -> None:
    failed = BOXES | {"box-metadata": {"failure-reason": "ClientError: the image is gone"} | JOB}
    nan = json.dumps(BOXES).replace("402", "NaN")
    found = read(tmp_path, BOXES, {"source-ref": "s3://acme/in/2.jpg"}, failed, nan, "[]", '{"source-ref"')
    problems = [item for item in found if isinstance(item, Problem)]
    assert len(found) == 6
    assert [item.where for item in problems] == [f"output.manifest:{number}" for number in range(2, 7)]
    assert [item.reason.split(":")[0] for item in problems] == [
        "manifest line has no label 'box'",
        "the image was not labelled",
        "manifest line is not JSON",
        "manifest line lacks source-ref (an S3 URI)",
        "manifest line is not JSON",
    ]


def test_a_bad_box_costs_itself_and_the_last_one_its_image(tmp_path: Path) -> None:
    def with_class(*ids: Any) -> dict[str, Any]:
        boxes = [
            item | {"class_id": index} for item, index in zip(BOXES["box"]["annotations"], ids, strict=True)
        ]
        return BOXES | {"box": BOXES["box"] | {"annotations": boxes}}

    dropped, item = read(tmp_path, with_class(7, 3))
    assert isinstance(item, Item)
    assert [box.label for box in item.boxes or ()] == ["vest"]
    assert dropped == Problem(
        "output.manifest:1, box 1",
        "class_id 7 has no name in the class-map; say the names with --classes FILE",
        "dropped",
    )
    assert [item.kind for item in read(tmp_path, with_class(7, -1)) if isinstance(item, Problem)] == [
        "dropped",
        "dropped",
        "refused",
    ]
    (item,) = read(tmp_path, GRADE | {"grade-metadata": {}}, classes=["good", "fair", "poor"])
    assert isinstance(item, Item)
    assert item.classes == (Class("poor"),)


def test_images_are_found_among_other_files_by_the_end_of_their_key(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "in").mkdir(parents=True)
    (tmp_path / "pictures" / "in" / "1.jpg").write_bytes(b"picture")
    other = BOXES | {"source-ref": "s3://acme/in/2.jpg"}
    item, problem = read(tmp_path, BOXES, other, images=Folder(tmp_path / "pictures"))
    assert isinstance(item, Item)
    assert item.read() == b"picture"
    assert item.uri is None
    assert isinstance(problem, Problem)
    assert problem.reason.startswith("no image 'in/2.jpg' in ")


@pytest.mark.parametrize("line", [BOXES, GRADE | {"grade": 2}, TAGS | {"tags": [0, 1]}])
def test_a_line_survives_the_round_trip_whole(line: dict[str, Any], tmp_path: Path) -> None:
    ours = line | {
        "loop": "l",
        "batch": "2026-11-01",
        "etag": "é",
        "workers": ["w"],
        "camera": 3,
        "metadata": {"a": 1},
    }
    attribute = next(name for name in ours if f"{name}-metadata" in ours)
    classes = {
        "box": ["helmet", "x", "y", "vest"],
        "grade": ["good", "fair", "bad"],
        "tags": ["dent", "rust"],
    }
    items = [item for item in read(tmp_path, ours) if isinstance(item, Item)]
    (tmp_path / "out").mkdir()
    options = WriteOptions(classes[attribute], label=attribute, many_classes=attribute == "tags")
    assert list(FORMAT.write(items, tmp_path / "out", options)) == []
    assert json.loads((tmp_path / "out" / "output.manifest").read_text(encoding="utf-8")) == ours


def test_splits_are_files(tmp_path: Path) -> None:
    items = [
        Item(f"{number}.jpg", bytes, f"s3://b/{number}.jpg", classes=(Class("a"),), split=split)
        for number, split in enumerate(["train", "train", "validation", "test"])
    ]
    local = Item("here.jpg", bytes, classes=(Class("a"),))
    found = list(FORMAT.write([*items, local], tmp_path, WriteOptions(["b", "a"], label="kind")))
    assert [(item.where, item.kind) for item in found] == [("here.jpg", "unheld")]
    read_back = list(FORMAT.read(Folder(tmp_path), ReadOptions()))
    assert sorted(item.split or "" for item in read_back if isinstance(item, Item)) == [
        "test",
        "train",
        "train",
        "validation",
    ]
    some = list(FORMAT.read(Folder(tmp_path), ReadOptions(sets=["test"])))
    assert [item.name for item in some if isinstance(item, Item)] == ["3.jpg"]
    with pytest.raises(BadRecord, match="there are test, train, validation"):
        FORMAT.read(Folder(tmp_path), ReadOptions(sets=["val"]))
