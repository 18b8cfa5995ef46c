"""CVAT for images 1.1: boxes, tags, what is turned, and what is no box."""

from __future__ import annotations

from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from tests.loop.exchange.sets import item, picture, put, read, write

CVAT = find_format("cvat")
BOX = '<box label="cat" source="manual" occluded="0" xtl="20.00" ytl="10" xbr="120.50" ybr="60" z_order="0"/>'
LABELS = "".join(f"<label><name>{name}</name></label>" for name in ("dog", "cat"))
META = f"<meta><task><labels>{LABELS}</labels></task></meta>"


def xml(*images: str) -> str:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    return f"{head}{META}{''.join(images)}</annotations>"


def image(*shapes: str, name: str = "a.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="200" height="100" {more}>{"".join(shapes)}</image>'


def read_images(
    tmp_path: Path, *images: str, options: ReadOptions | None = None
) -> tuple[dict[str, Item], list[Problem]]:
    pictures: dict[str, str | bytes] = {"images/a.jpg": picture(), "images/b & c.jpg": picture()}
    source = put(tmp_path, pictures | {"annotations.xml": xml(*images)})
    assert CVAT.looks_like(source)
    return read(CVAT, source, options)


def test_edges_in_pixels_are_ours_and_labels_stand_in_their_order(tmp_path: Path) -> None:
    items, problems = read_images(tmp_path, image(BOX), image(BOX, name="b &amp; c.jpg"))
    assert {name: found.boxes for name, found in items.items()} == dict.fromkeys(
        ("images/a.jpg", "images/b & c.jpg"), (Box("cat", 20, 10, 100.5, 50),)
    )
    assert [found.size for found in items.values()] == [(200, 100)] * 2
    assert problems == []
    assert CVAT.classes(put(tmp_path, {}), ReadOptions()) == ["dog", "cat"]


def test_attributes_that_others_have_too_become_marks(tmp_path: Path) -> None:
    attributes = "".join(
        f'<attribute name="{name}">{value}</attribute>'
        for name, value in (
            ("difficult", "true"),
            ("truncated", "false"),
            ("confidence", "0.5"),
            ("colour", "red"),
        )
    )
    shape = BOX.replace('occluded="0"', 'occluded="1"').replace("/>", f">{attributes}</box>")
    items, _ = read_images(tmp_path, image(shape))
    marks = {"occluded": True, "difficult": True, "confidence": 0.5}
    assert items["images/a.jpg"].boxes == (Box("cat", 20, 10, 100.5, 50, marks),)


def test_a_turned_box_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    """A quarter turn around its centre: 100 by 50 becomes 50 by 100."""
    turned = '<box label="cat" xtl="50" ytl="25" xbr="150" ybr="75" rotation="90.00"/>'
    items, problems = read_images(tmp_path, image(turned))
    assert items["images/a.jpg"].boxes == (Box("cat", 75, 0, 50, 100),)
    assert [problem.kind for problem in problems] == ["mended"]


def test_tags_are_classes_and_an_image_without_shapes_was_looked_at(tmp_path: Path) -> None:
    tag = '<tag label="dog" source="manual"></tag>'
    items, _ = read_images(tmp_path, image(tag, tag), image(name="b &amp; c.jpg"))
    assert [(found.boxes, found.classes) for found in items.values()] == [(None, (Class("dog"),)), (None, ())]
    items, _ = read_images(tmp_path, image(BOX, tag), image(name="b &amp; c.jpg"))
    assert [(len(found.boxes or ()), found.classes) for found in items.values()] == [
        (1, (Class("dog"),)),
        (0, ()),
    ]
    assert [found.boxes for found in read_images(tmp_path, image())[0].values()] == [()]


def test_a_shape_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    bad = [
        '<polygon label="cat" points="1,1;2,2;3,1"/>',
        '<mask label="cat" rle="1,2" left="1" top="1" width="2" height="2"/>',
        BOX.replace("120.50", "NaN"),
        BOX.replace("120.50", "20"),
        BOX.replace("120.50", "1e300"),
        BOX.replace('xbr="120.50"', ""),
        BOX.replace('"cat"', '""'),
        BOX.replace("/>", ' rotation="inf"/>'),
    ]
    items, problems = read_images(tmp_path, image(*bad, BOX))
    assert items["images/a.jpg"].boxes == (Box("cat", 20, 10, 100.5, 50),)
    assert [problem.kind for problem in problems] == ["dropped"] * len(bad)
    assert problems[0].where == "annotations.xml: a.jpg: shape 1"


@pytest.mark.parametrize("name", ["z.jpg", "../a.jpg", "", "a.jpg/"])
def test_an_image_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    items, problems = read_images(tmp_path, image(BOX, name=name), image(BOX, name="b &amp; c.jpg"))
    assert "images/b & c.jpg" in items
    assert len(items) + len(problems) == 2


def test_subsets_are_splits_and_choose_between_pictures_of_one_name(tmp_path: Path) -> None:
    text = xml(image(BOX, more='subset="Train"'), image(BOX, more='subset="Validation"'))
    pictures: dict[str, str | bytes] = {"images/Train/a.jpg": picture(), "images/Validation/a.jpg": picture()}
    source = put(tmp_path, pictures | {"annotations.xml": text})
    items, problems = read(CVAT, source)
    assert {name: found.split for name, found in items.items()} == {
        "images/Train/a.jpg": "train",
        "images/Validation/a.jpg": "validation",
    }
    assert problems == []
    assert list(read(CVAT, source, ReadOptions(sets=("Train",)))[0]) == ["images/Train/a.jpg"]
    with pytest.raises(BadRecord, match="no subset 'Test'; there are: Train, Validation"):
        CVAT.read(source, ReadOptions(sets=("Test",)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (xml("<track id='0' label='cat'/>"), "CVAT for video"),
        (xml(image(BOX))[:-30], "not well-formed"),
        ("<annotation/>", "begins with <annotation>"),
        ("", "not well-formed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "entities"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "not well-formed"),
        (xml().replace("<name>cat</name>", "<name>a&#10;b</name>"), "class name"),
    ],
)
def test_a_file_of_another_shape_is_refused_before_the_first_image(
    tmp_path: Path, text: str, reason: str
) -> None:
    source = put(tmp_path, {"annotations.xml": text, "a.jpg": picture()})
    with pytest.raises(BadRecord, match=reason):
        CVAT.read(source, ReadOptions())


def test_what_is_written_declares_its_labels_and_attributes(tmp_path: Path) -> None:
    box = Box("R&D <1>", 20, 10, 100.5, 50, {"occluded": True, "difficult": True, "confidence": 0.25})
    image = item("a/b c.jpg", boxes=(box,), classes=(Class("dog"),), split="validation")
    assert write(CVAT, tmp_path, image) == []
    root = fromstring((tmp_path / "annotations.xml").read_bytes())
    assert root.findtext("version") == "1.1"
    assert [label.findtext("name") for label in root.iter("label")] == ["R&D <1>", "dog"]
    declared = [one.findtext("name") for one in root.iterfind(".//label[1]/attributes/attribute")]
    assert declared == ["confidence", "difficult"]
    (written,) = root.findall("image")
    expected = {"id": "0", "name": "a/b c.jpg", "width": "200", "height": "100", "subset": "val"}
    assert written.attrib == expected
    (shape,) = written.findall("box")
    assert (shape.get("occluded"), shape.get("xbr"), shape.get("z_order")) == ("1", "120.5", "0")
    assert {a.get("name"): a.text for a in shape} == {"difficult": "true", "confidence": "0.25"}


def test_an_image_of_polygons_alone_is_refused_but_for_its_classes(tmp_path: Path) -> None:
    shape = '<polygon label="cat" points="1,1;2,2;3,1"/>'
    items, problems = read_images(
        tmp_path, image(shape), image(shape, '<tag label="dog"/>', name="b &amp; c.jpg")
    )
    assert [(one.boxes, one.classes) for one in items.values()] == [(None, (Class("dog"),))]
    assert [problem.kind for problem in problems] == ["refused", "dropped"]
