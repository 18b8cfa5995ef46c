"""RecordIO files come in with and without their lists, and go out so that MXNet's reader would take them."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from include.loop.core.errors import BadRecord
from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import ReadOptions, WriteOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem

FORMAT = find_format("recordio")
NAMES = ("cat", "dog", "bird")
SIZE = (200, 100)


@cache
def image(number: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", SIZE, (number % 256, 90, 30)).save(stream, "JPEG")
    return stream.getvalue()


def framed(index: int, label: float | Sequence[float], body: bytes) -> bytes:
    """A record as im2rec writes it, by hand."""
    numbers = () if isinstance(label, float) else tuple(label)
    one = label if isinstance(label, float) else 0.0
    payload = struct.pack(f"<IfQQ{len(numbers)}f", len(numbers), one, index, 0, *numbers) + body
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + b"\0" * (-len(payload) % 4)


def read(folder: Path, *classes: str, only: str | None = None) -> tuple[list[Item], list[Problem]]:
    files = Folder(folder, only)
    assert FORMAT.looks_like(files)
    found = list(FORMAT.read(files, ReadOptions(classes=classes)))
    items = [one for one in found if isinstance(one, Item)]
    return items, [one for one in found if isinstance(one, Problem)]


def write(folder: Path, items: list[Item], many: bool = False) -> list[Problem]:
    return list(FORMAT.write(items, folder, WriteOptions(NAMES, many_classes=many)))


def test_a_file_of_im2rec_is_read_with_the_names_of_its_list(tmp_path):
    """Wider headers and objects, difficult ones, gaps, a box without area, a record without an image."""
    wide = (4, 6, 200, 100, 1, 0.105, 0.11, 0.6, 0.6, 1, 0, 0.5, 0.5, 0.5, 0.9, 0)
    records = [
        framed(3, wide, image(1)),
        framed(0, (2, 5, 7, 0.1, 0.1, 0.2, 0.2), image(2)),
        framed(5, (2, 5), image(3)),
        framed(6, (2, 5, 0, 0, 0, 1, 1), b"no image"),
        framed(8, (2, 5, 2, 0, 0, 1, 1), image(4)),
    ]
    (tmp_path / "val.rec").write_bytes(b"".join(records))
    (tmp_path / "val.lst").write_text(
        "3\t4\t6\t200\t100\t1\t0.105\t0.11\t0.6\t0.6\t1\tVOC2007/JPEGImages/000003.jpg\n"
        "4\t2\t5\tVOC2007/JPEGImages/000004.jpg\n5\t2\t5\tVOC2007/JPEGImages/000005.jpg\n"
        "8\t2\t5\t2\t0\t0\t1\t1\t../../etc/passwd\n"
    )
    items, problems = read(tmp_path, *NAMES)
    assert [(one.name, one.split, one.size) for one in items] == [
        ("VOC2007/JPEGImages/000003.jpg", "validation", SIZE),
        ("VOC2007/JPEGImages/000005.jpg", "validation", SIZE),
        ("val/00000008.jpg", "validation", SIZE),
    ]
    assert items[0].boxes == (Box("dog", 21, 11, 99, 49, {"difficult": True}),)
    assert (items[1].boxes, items[2].boxes) == ((), (Box("bird", 0, 0, 200, 100),))
    assert items[0].read() == image(1)
    assert [(one.kind, one.where.split(" of ")[0], one.reason.split(",")[0]) for one in problems] == [
        ("dropped", "object 2", "a box from 100"),
        ("mended", "line 4", "the file name '../../etc/passwd' leads out of the source"),
        ("dropped", "object 1", "class 7 is none of the 3 that are named"),
        ("refused", "record 2", "none of its 1 objects can be used"),
        ("refused", "record 4", "image is of no known format; JPEG and PNG are read"),
    ]


def test_a_list_alone_is_read_with_its_images(tmp_path):
    """As SageMaker's image classification takes it beside its images: class, many classes, packed boxes."""
    for folder, number in (("day", 1), ("night", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(image(number))
    (tmp_path / "val.lst").write_text(
        "5\t1\tday/a.jpg\n6\t1.000000\tnight/a.jpg\n7\t1\t0\t1\tday/a.jpg\n"
        "8\t2\t5\t0\t0\t0\t0.5\t0.5\tnight/a.jpg\n9\t1\tgone.jpg\n10\t1\t/etc/passwd\nno list\n"
    )
    items, problems = read(tmp_path, *NAMES)
    assert [(one.name, one.split, one.classes, one.boxes, one.read()) for one in items] == [
        ("day/a.jpg", "validation", (Class("dog"),), None, image(1)),
        ("night/a.jpg", "validation", (Class("dog"),), None, image(2)),
        ("val/3/day/a.jpg", "validation", (Class("cat"), Class("bird")), None, image(1)),
        ("val/4/night/a.jpg", "validation", None, (Box("cat", 0, 0, 100, 50),), image(2)),
    ]
    assert [one.where for one in problems] == [f"line {number} of val.lst" for number in (5, 6, 7)]


def test_one_number_in_a_list_of_one_class_is_no_label(tmp_path):
    """Many classes of one, and a class: written alike, 0 would mean the opposite."""
    (tmp_path / "a.jpg").write_bytes(image())
    (tmp_path / "train.lst").write_text("0\t1\ta.jpg\n1\t0\ta.jpg\n2\t2\t5\t0\t0\t0\t1\t1\ta.jpg\n")
    items, problems = read(tmp_path, "cat")
    assert [one.boxes for one in items] == [(Box("cat", 0, 0, 200, 100),)]
    assert ["whether 0 is that class or its absence" in one.reason for one in problems] == [True, True]


def test_one_class_and_many_are_told_apart_by_their_headers(tmp_path):
    (tmp_path / "a.rec").write_bytes(framed(1, 2.0, image()) + framed(2, (1, 0, 1), image()))
    (tmp_path / "a.classes.txt").write_text("cat\ndog\nbird\n")
    (tmp_path / "b.rec").write_bytes(framed(1, (1, 0), image()) + framed(1, 0.5, image()))
    items, problems = read(tmp_path, only="a.rec")
    assert [one.classes for one in items] == [(Class("bird"),), (Class("cat"), Class("bird"))]
    assert [one.name for one in items] == ["a/00000001.jpg", "a/00000002.jpg"]
    assert not problems
    _, problems = read(tmp_path, *NAMES, only="b.rec")
    assert [one.reason for one in problems] == [
        "its label has 2 classes, and 3 are named",
        "label: 0.5 is no whole number from 0, as a class has to be",
    ]


def test_the_same_path_in_two_lists_stays_two_images(tmp_path):
    for name in ("train", "val"):
        (tmp_path / f"{name}.rec").write_bytes(framed(0, 1.0, image()))
        (tmp_path / f"{name}.lst").write_text("0\t1\ta.jpg\n")
    items, _ = read(tmp_path, *NAMES)
    assert [(one.name, one.split) for one in items] == [("a.jpg", "train"), ("val/1/a.jpg", "validation")]


def test_a_list_that_no_records_belong_to_is_told_among_others_that_have_them(tmp_path):
    (tmp_path / "train.rec").write_bytes(framed(0, 1.0, image()))
    for name in ("train", "val"):
        (tmp_path / f"{name}.lst").write_text(f"0\t1\t{name}.jpg\n")
    items, problems = read(tmp_path, *NAMES)
    assert [one.name for one in items] == ["train.jpg"]
    assert [(one.where, one.kind) for one in problems] == [("val.lst", "refused")]


def test_sources_that_cannot_be_used_are_refused_as_a_whole(tmp_path):
    (tmp_path / "a.rec").write_bytes(framed(0, 1.0, image()) + b"cut")
    with pytest.raises(BadRecord, match="say them with --classes FILE"):
        read(tmp_path)
    with pytest.raises(BadRecord, match=r"a\.rec: the stream ends inside a record"):
        read(tmp_path, *NAMES)
    (tmp_path / "b.rec").write_bytes(framed(0, 1.0, image()))
    (tmp_path / "a.classes.txt").write_text("cat\ndog\n")
    (tmp_path / "b.classes.txt").write_text("dog\ncat\n")
    with pytest.raises(BadRecord, match=r"a\.classes\.txt and b\.classes\.txt name different classes"):
        read(tmp_path)
    (tmp_path / "a.classes.txt").write_text("cat\n\ncat\n")
    with pytest.raises(BadRecord, match="has to name every class once"):
        read(tmp_path)


whole = st.integers(0, 99).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 100)))
boxes = st.builds(
    lambda name, across, down: Box(name, across[0], down[0], across[1] - across[0], down[1] - down[0]),
    st.sampled_from(NAMES),
    whole,
    whole,
)
splits = st.sampled_from(["train", "validation", "test"])
detections = st.lists(st.tuples(st.lists(boxes, min_size=1, max_size=4).map(tuple), splits), max_size=6)
choices = st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), splits), max_size=6)


@settings(deadline=None, max_examples=40)
@given(detections)
def test_boxes_go_out_and_come_back_as_they_were(tmp_path_factory, sets):
    folder = tmp_path_factory.mktemp("boxes")
    items = [
        Item(f"{split}/{n}.jpg", partial(image, n), size=SIZE, boxes=some, split=split)
        for n, (some, split) in enumerate(sets)
    ]
    assert not write(folder, items)
    if items:
        back, problems = read(folder)
        assert not problems
        assert {one.name: (one.split, one.boxes, one.read()) for one in back} == {
            one.name: (one.split, one.boxes, one.read()) for one in items
        }


@settings(deadline=None, max_examples=25)
@given(choices, st.booleans())
def test_classes_go_out_and_come_back_where_a_record_can_hold_them(tmp_path_factory, sets, many):
    folder = tmp_path_factory.mktemp("classes")
    items = [
        Item(f"{n}.jpg", partial(image, n), classes=tuple(map(Class, sorted(names))), split=split)
        for n, (names, split) in enumerate(sets)
    ]
    told = write(folder, items, many)
    held = [one for one in items if many or len(one.classes or ()) == 1]
    assert {one.where for one in told} == {one.name for one in items} - {one.name for one in held}
    if items:
        back = {one.name: ({c.label for c in one.classes or ()}, one.split) for one in read(folder)[0]}
        assert back == {one.name: ({c.label for c in one.classes or ()}, one.split) for one in held}


def test_what_a_record_cannot_hold_is_said_and_the_same_items_make_the_same_bytes(tmp_path):
    marked = Box("cat", -5, 10, 50, 500, {"difficult": True, "pose": "left"})
    items = [
        Item("a b.jpg", image, size=SIZE, boxes=(marked,)),
        Item("empty.jpg", image, size=SIZE, boxes=()),
        Item("plain.jpg", image),
        Item("what.jpg", image, size=SIZE, boxes=(Box("cow", 0, 0, 1, 1),)),
        Item("text.jpg", lambda: b"text", boxes=(marked,)),
        Item("sure.jpg", image, classes=(Class("dog", 0.9), Class("cat", present=False))),
    ]
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
        problems = write(folder, items)
    assert [(one.where, one.reason.split(",")[0]) for one in problems] == [
        ("empty.jpg", "there is nothing on the image"),
        ("plain.jpg", "the image has no label"),
        ("what.jpg", "the class 'cow' is none of those that are written"),
        ("text.jpg", "image is of no known format; JPEG and PNG are read"),
        ("1 labels", "a record cannot hold their absence of a class"),
        ("1 labels", "a record cannot hold their confidence"),
        ("1 labels", "a record cannot hold their difficult"),
        ("1 labels", "a record cannot hold their pose"),
    ]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    assert files[0].keys() == {"train.rec", "train.lst", "train.idx", "classes.txt"}
    assert files[0]["train.lst"] == (
        b"0\t2\t5\t0.0000\t0.0000\t0.1000\t0.2250\t1.0000\ta b.jpg\n1\t1\tsure.jpg\n"
    )
    first = framed(0, (2, 5, 0, 0, 0.1, 0.225, 1), image())
    assert files[0]["train.rec"] == first + framed(1, 1.0, image())
    assert files[0]["train.idx"] == b"0\t0\n1\t%d\n" % len(first)
