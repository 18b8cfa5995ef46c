"""Items written in a format and read again are what they were, as far as the format says it holds them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, WriteOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from include.loop.exchange.survey import find_formats
from tests.loop.exchange.sets import item, picture, put

SIZES = ((200, 100), (64, 48), (7, 5))

# What tools trip over: markup, separators, quotes, YAML's and CSV's own words, accents, other scripts.
_letters = st.sampled_from(
    [*"aB9 .,;:&<>'\"#%{}[]|=+@$!?~_-()", "é", "e\u0301", "ß", "猫", "\u00a0", "🐈", "no", "=1"]
)
_words = st.lists(_letters, min_size=1, max_size=8).map("".join).map(str.strip).filter(bool)
_parts = _words.filter(lambda word: word.strip(".") and not word.startswith("."))
_names = st.lists(_parts, min_size=1, max_size=3).map("/".join)


_FOLDERS = {"train": "train", "validation": "val", "test": "test"}
_ALL = ("difficult", "truncated", "occluded", "crowd", "confidence", "pose")


@dataclass(frozen=True)
class Way:
    """How a format is gone through: the marks that it holds, where an image is found again, the split that
    images without one get, whether splits and images without labels come back, how exact numbers are, in
    pixels, whether pictures stay in S3, and whether names may have folders.
    """

    marks: tuple[str, ...] = ()
    picture: Callable[[Item], str] = lambda one: f"images/{one.name}"
    no_split: str | None = None
    splits: bool = True
    empty: bool = True
    exact: float = 1e-6
    in_s3: bool = False
    folders: bool = True


WAYS: Mapping[str, Way] = {
    "voc": Way(("difficult", "truncated", "occluded", "pose"), lambda one: f"JPEGImages/{one.name}"),
    "coco": Way(_ALL),
    "yolo": Way(
        ("confidence",),
        lambda one: f"images/{_FOLDERS[one.split or 'train']}/{one.name}",
        no_split="train",
        exact=1e-4,
    ),
    "label-studio": Way(splits=False),
    "cvat": Way(_ALL),
    "ground-truth": Way(picture=lambda one: one.name, in_s3=True),
    "open-images": Way(
        ("truncated", "occluded", "crowd"),
        lambda one: f"{one.split or 'images'}/{one.name.replace('/', '_')}",
        empty=False,
    ),
    "image-folders": Way(
        # Of one class alone, its folder and one inside of it could as well be an outer one and the class's.
        picture=lambda one: "/".join([*filter(None, [one.split]), (one.classes or ())[0].label, one.name]),
        folders=False,
    ),
    "recordio": Way(picture=lambda one: one.name, no_split="train", empty=False, exact=1e-3),
}


@st.composite
def _boxes(draw: st.DrawFn, classes: list[str], size: tuple[int, int], marks: tuple[str, ...]) -> Box:
    # Eighths of a pixel are exact in decimals.
    (left, right), (top, bottom) = (_two(draw, side * 8) for side in size)
    chosen: dict[str, Any] = {}
    for mark in draw(st.sets(st.sampled_from(marks))) if marks else ():
        chosen[mark] = draw(
            {"pose": _words, "confidence": st.sampled_from([0.25, 1.0])}.get(mark, st.just(True))
        )
    return Box(draw(st.sampled_from(classes)), left, top, right - left, bottom - top, chosen)


def _two(draw: st.DrawFn, most: int) -> tuple[float, float]:
    first = draw(st.integers(0, most - 1))
    return first / 8, draw(st.integers(first + 1, most)) / 8


@st.composite
def sets(draw: st.DrawFn, format: str, kind: str) -> tuple[list[str], list[Item]]:
    """Classes, and images of different names without their suffix: VOC and YOLO name label files so."""
    way = WAYS[format]
    least = 0 if way.empty and kind != "classes" else 1
    classes = draw(st.lists(_words, min_size=1, max_size=4, unique=True))
    stems = draw(
        st.lists(
            _names if way.folders else _parts, min_size=1, max_size=4, unique_by=lambda name: name.casefold()
        )
    )
    items: list[Item] = []
    for stem in stems:
        size = draw(st.sampled_from(SIZES))
        split = draw(st.sampled_from([None, "train", "validation", "test"]))
        name = f"{stem}.{draw(st.sampled_from(['jpg', 'JPEG']))}"
        labels: dict[str, Any] = {}
        if kind == "boxes":
            boxes = st.lists(_boxes(classes, size, way.marks), min_size=least, max_size=3)
            labels["boxes"] = tuple(draw(boxes))
        else:
            most = len(classes) if kind == "many_classes" else 1
            chosen = st.lists(st.sampled_from(classes), min_size=least, max_size=most, unique=True)
            # A set in which nobody saw anything at all does not say what was looked for.
            labels["classes"] = tuple(Class(label) for label in draw(chosen) or classes[: not items])
        uri = f"s3://bucket/{name}" if way.in_s3 else None
        items.append(item(name, size, split=split, uri=uri, **labels))
    return classes, items


def _nested(items: list[Item]) -> bool:
    """Whether one image's name is another one's folder, which no file system holds."""
    names = [name for one in items for name in (one.name, one.name.rpartition(".")[0])]
    return any(other.startswith(f"{name}/") for name in names for other in names)


def there_and_back(format: str, classes: list[str], items: list[Item], kind: str) -> None:
    way, door = WAYS[format], find_format(format)
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as bucket:
        options = WriteOptions(classes, many_classes=kind == "many_classes")
        assert list(door.write(items, Path(place), options)) == []
        source = Folder(Path(place))
        assert find_formats(source) == [format]
        images = put(Path(bucket), {one.name: one.read() for one in items}) if way.in_s3 else None
        found = list(door.read(source, ReadOptions(images=images)))
        assert [one for one in found if isinstance(one, Problem)] == []
        again = {one.name: one for one in found if isinstance(one, Item)}
        assert len(again) == len(items)
        for one in items:
            other = again[way.picture(one)]
            assert other.read() == picture(*(one.size or ()))
            assert other.size in (one.size, None)
            assert not way.splits or other.split == (one.split or way.no_split)
            same(one, other, way.exact)
        named = door.classes(source, ReadOptions())
        used = {said.label for one in items for said in one.classes or ()}
        assert named in (None, classes, sorted(classes), sorted(used))


def same(one: Item, other: Item, exact: float) -> None:
    if one.boxes is None:
        assert other.boxes is None
        assert set(other.classes or ()) == set(one.classes or ())
        return
    assert [(box.label, box.marks) for box in other.boxes or ()] == [
        (box.label, box.marks) for box in one.boxes
    ]
    for mine, theirs in zip(one.boxes, other.boxes or (), strict=True):
        for side in ("left", "top", "width", "height"):
            assert getattr(theirs, side) == pytest.approx(getattr(mine, side), abs=exact)


_settings = settings(max_examples=15, derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize(
    ("format", "kind"), [(name, kind) for name in WAYS for kind in sorted(find_format(name).holds)]
)
def test_nothing_that_a_format_holds_is_lost(format: str, kind: str) -> None:
    @_settings
    @given(sets(format, kind).filter(lambda drawn: not _nested(drawn[1])))
    def go(drawn: tuple[list[str], list[Item]]) -> None:
        there_and_back(format, *drawn, kind)

    go()


@pytest.mark.parametrize("format", sorted(WAYS.keys() - {"ground-truth", "recordio"}))
def test_every_reader_finds_what_no_name_of_a_picture_says(tmp_path: Path, format: str) -> None:
    """Names from S3: YOLO's own folder, a split's, hidden ones, and files without a picture's suffix."""
    door = find_format(format)
    labels: dict[str, Any] = (
        {"boxes": (Box("cat", 0, 0, 1, 1),)} if "boxes" in door.holds else {"classes": (Class("cat"),)}
    )
    names = [
        "images/dt=1/0.jpg",
        "x/test/1.jpg",
        "x/.hid/2.jpg",
        ".3.jpg",
        "noext",
        "odd.img",
        "a/labels/6.jpg",
    ]
    assert list(door.write([item(name, **labels) for name in names], tmp_path, WriteOptions(["cat"]))) == []
    found = list(door.read(Folder(tmp_path), ReadOptions()))
    assert len(found) == len(names)
    for one in found:
        assert isinstance(one, Item)
        assert one.boxes or one.classes
        assert one.split in (None, "train")
