"""Label files as bad copies, bad programs and bad people leave them: whatever the bytes, a source is refused
before its first image or gives images that can be used and reasons for the rest.
"""

from __future__ import annotations

import copy
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from include.loop.core.errors import BadRecord
from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from tests.loop.exchange.sets import item, picture, put, write
from tests.support.mutants import lines, mutants, thorough

BOXES = (Box("cat", 20, 10, 100, 50), Box("dog", 1, 2, 3, 4))
# Format → its label files, each of which is tried.
DOORS = {
    "voc": ("Annotations/a.xml", "ImageSets/Main/train.txt"),
    "coco": ("annotations/instances_train.json",),
    "yolo": ("data.yaml", "labels/train/a.txt"),
    "label-studio": ("tasks.json",),
    "cvat": ("annotations.xml",),
}
# Of these, pictures are written elsewhere or with labels only.
MORE_DOORS = {
    "ground-truth": ("train.manifest",),
    "open-images": ("train-annotations-bbox.csv", "class-descriptions.csv"),
    "recordio": ("train.rec", "train.lst", "classes.txt"),
}


def a_set(format: str, folder: Path) -> Folder:
    """Two images, one with boxes, and with classes where the format has them."""
    door = find_format(format)
    more: dict[str, Any] = {"classes": (Class("cat"),)} if "classes" in door.holds else {}
    items = [
        item("a.jpg", boxes=BOXES, split="train", **more),
        item("b c.jpg", boxes=() if format in DOORS or format == "ground-truth" else BOXES, split="train"),
    ]
    if format in MORE_DOORS:
        items = [replace(one, uri=f"s3://bucket/{one.name}", classes=None) for one in items]
    assert write(door, folder, *items) == []
    return put(folder, {one.name: picture() for one in items}) if format == "ground-truth" else Folder(folder)


def check(format: str, source: Folder, *more: ReadOptions) -> None:
    """Nothing but BadRecord leaves the reader, and only before it has given anything."""
    door = find_format(format)
    images = source if format == "ground-truth" else None
    for options in (ReadOptions(images=images), *more):
        door.looks_like(source)
        try:
            door.classes(source, options)
            found: Iterator[Item | Problem] = iter([*door.read(source, options)])
        except BadRecord as error:
            fits_a_line(str(error))
            continue
        for one in found:
            if isinstance(one, Problem):
                fits_a_line(one.reason)
                assert one.kind in {"refused", "dropped", "mended"}
            else:
                usable(one, None if format == "recordio" else picture())


def fits_a_line(reason: str) -> None:
    assert reason
    assert len(reason) < 1000, reason
    reason.encode()  # half a character would end the report


def usable(one: Item, body: bytes | None) -> None:
    assert body is None or one.read() == body
    assert one.boxes is not None or one.classes is not None
    for name in [box.label for box in one.boxes or ()] + [said.label for said in one.classes or ()]:
        assert name == name.strip() != ""
        name.encode()
    for box in one.boxes or ():
        assert all(math.isfinite(side) for side in (box.left, box.top, box.width, box.height))
        assert min(box.width, box.height) > 0


@pytest.mark.parametrize(
    ("format", "name"), [(format, name) for format, names in (DOORS | MORE_DOORS).items() for name in names]
)
def test_damaged_label_files_are_refused_or_read(format: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        source = a_set(format, Path(place))
        path = Path(place) / name
        good = path.read_bytes()

        @thorough(60)
        @given(mutants([good], lines if b"\n" in good[:-1] else None))
        def go(body: bytes) -> None:
            path.write_bytes(body)
            check(format, source, ReadOptions(sets=("train",), label="choice"))

        go()


# What a field can be instead of what it should be.
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    7.5,
    1e300,
    "",
    "x",
    "../a",
    "a\nb",
    [],
    [[]],
    {},
    {"x": 1},
    [None, 7],
    "9" * 500,
)
ABSURD = {"a long number": "9" * 4000, "NaN": "NaN", "Infinity": "-Infinity", "half a character": '"\\ud800"'}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, part in inner:
        yield from paths(part, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    value = copy.copy(value)
    value[path[0]] = replaced(value[path[0]], path[1:], by)
    return value


@pytest.mark.parametrize("format", ["coco", "label-studio"])
def test_json_of_the_wrong_shape_at_every_level(format: str, tmp_path: Path) -> None:
    source = a_set(format, tmp_path)
    file = tmp_path / DOORS[format][0]
    good = json.loads(file.read_text())
    for path in paths(good):
        for odd in ODD:
            file.write_text(json.dumps(replaced(good, path, odd)))
            check(format, source)
        for text in ABSURD.values():
            file.write_text(json.dumps(replaced(good, path, "@")).replace('"@"', text))
            check(format, source)


BOMB = (
    "<!DOCTYPE a [<!ENTITY b0 'x'>"
    + "".join(f"<!ENTITY b{n} '{f'&b{n - 1};' * 10}'>" for n in range(1, 12))
    + "]>"
)
OUTSIDE = "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"


@pytest.mark.parametrize(("head", "entity"), [(BOMB, "&b11;"), (OUTSIDE, "&b;")])
@pytest.mark.parametrize("format", ["voc", "cvat"])
def test_entities_are_neither_unfolded_nor_fetched(
    format: str, head: str, entity: str, tmp_path: Path
) -> None:
    source = a_set(format, tmp_path)
    path = tmp_path / DOORS[format][0]
    body = path.read_text().partition("?>\n")[2] or path.read_text()
    path.write_text(head + body.replace(">cat<", f">{entity}<"))
    assert "passwd" in head or len(path.read_text()) < 10_000
    if format == "cvat":
        with pytest.raises(BadRecord, match="entities"):
            find_format(format).read(source, ReadOptions())
        return
    found = list(find_format(format).read(source, ReadOptions()))
    assert ["entities" in one.reason for one in found if isinstance(one, Problem)] == [True]
    assert [one.name for one in found if isinstance(one, Item)] == ["JPEGImages/b c.jpg"]


@pytest.mark.parametrize("format", ["voc", "cvat"])
def test_xml_nested_without_end_is_a_file_like_any_other(format: str, tmp_path: Path) -> None:
    source = a_set(format, tmp_path)
    path = tmp_path / DOORS[format][0]
    deep = "<x>" * 20_000 + "</x>" * 20_000
    text = path.read_text()
    at = text.rindex("</annotation")
    path.write_text(text[:at] + deep + text[at:])
    check(format, source)


@pytest.mark.parametrize("format", DOORS)
@pytest.mark.parametrize(
    "name", ["../out.jpg", "/etc/out.jpg", "a/../../out.jpg", "a\nb.jpg", "a\\b.jpg", "", "x" * 300]
)
def test_no_image_is_written_outside_of_its_folder(format: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "here"
    (problem,) = write(find_format(format), folder, item(name, boxes=BOXES), item("b.jpg", boxes=()))
    assert (problem.where, problem.kind) == (name, "refused")
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["b.jpg"]


@pytest.mark.parametrize("format", DOORS)
def test_an_image_that_is_gone_is_not_half_written(format: str, tmp_path: Path) -> None:
    def gone() -> bytes:
        raise FileNotFoundError("no file a.jpg")

    lost = Item("a.jpg", gone, size=(200, 100), boxes=BOXES)
    (problem,) = write(find_format(format), tmp_path, lost, item("b.jpg", boxes=()))
    assert (problem.where, problem.reason) == ("a.jpg", "no image: no file a.jpg")
    found = [
        one
        for one in find_format(format).read(Folder(tmp_path), ReadOptions(classes=()))
        if isinstance(one, Item)
    ]
    assert [Path(one.name).name for one in found] == ["b.jpg"]


def test_a_label_file_larger_than_any_image_needs_costs_its_image_alone(tmp_path: Path) -> None:
    source = a_set("voc", tmp_path)
    put(tmp_path, {"Annotations/a.xml": b"<annotation>" + b" " * (9 << 20)})
    found = list(find_format("voc").read(source, ReadOptions()))
    assert [one.name for one in found if isinstance(one, Item)] == ["JPEGImages/b c.jpg"]
    assert ["are read" in one.reason for one in found if isinstance(one, Problem)] == [True]
