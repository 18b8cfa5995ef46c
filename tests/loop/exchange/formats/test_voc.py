"""PASCAL VOC: the devkit's folders, what other tools make of them, and where a box lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box, Item, Scalar
from tests.loop.exchange.sets import item, picture, put, read, write

VOC = find_format("voc")


def obj(*corners: object, name: str = "cat", more: str = "") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{name}</name>{more}<bndbox>{box}</bndbox></object>"


def xml(*objects: str, filename: str = "x.jpg", size: str = "200 100") -> str:
    width, height = size.split()
    return (
        f"<annotation><filename>{filename}</filename><size><width>{width}</width><height>{height}</height>"
        f"<depth>3</depth></size>{''.join(objects)}</annotation>"
    )


def one(tmp_path: Path, text: str) -> Item:
    source = put(tmp_path, {"Annotations/a.xml": text, "JPEGImages/a.jpg": picture()})
    return read(VOC, source)[0]["JPEGImages/a.jpg"]


def test_pixels_counted_from_one_become_edges_counted_from_zero(tmp_path: Path) -> None:
    """The devkit's own example: the first pixel is 1,1, and a box of one pixel has equal corners."""
    found = one(tmp_path, xml(obj(1, 1, 200, 100), obj(21, 11, 120, 60), obj(7, 7, 7, 7)))
    assert found.boxes == (
        Box("cat", 0, 0, 200, 100),
        Box("cat", 20, 10, 100, 50),
        Box("cat", 6, 6, 1, 1),
    )
    assert found.size == (200, 100)


def test_fractions_are_read_as_they_stand(tmp_path: Path) -> None:
    assert one(tmp_path, xml(obj(45.5, "1.0", " 50.25\n", "9e0"))).boxes == (Box("cat", 44.5, 0, 5.75, 9),)


def test_what_is_said_of_an_object_is_kept(tmp_path: Path) -> None:
    more = "<pose>Left</pose><difficult>1</difficult><truncated>0</truncated><occluded>1</occluded>"
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    found = one(
        tmp_path, xml(obj(1, 1, 5, 5, more=part + more), obj(1, 1, 5, 5, more="<pose>Unspecified</pose>"))
    )
    marks: dict[str, Scalar] = {"difficult": True, "occluded": True, "pose": "Left"}
    assert found.boxes == (Box("cat", 0, 0, 5, 5, marks), Box("cat", 0, 0, 5, 5))


def test_an_object_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    bad = [
        obj(5, 5, 3, 9),
        obj("NaN", 1, 5, 5),
        obj("-inf", 1, 5, 5),
        obj("1e999", 1, 5, 5),
        obj("", 1, 5, 5),
        obj("1_0", 1, 50, 5),
        obj("٣", 1, 50, 5),
        obj(1, 1, 10**7, 5),
        obj(1, 1, 5, 5, name=" "),
        obj(1, 1, 5, 5, name="a&#10;b"),
        "<object><name>cat</name></object>",
        "<object/>",
    ]
    source = put(tmp_path, {"Annotations/a.xml": xml(*bad, obj(1, 1, 2, 2)), "JPEGImages/a.jpg": picture()})
    items, problems = read(VOC, source)
    assert items["JPEGImages/a.jpg"].boxes == (Box("cat", 0, 0, 2, 2),)
    assert {problem.kind for problem in problems} == {"dropped"}
    assert [problem.where for problem in problems] == [
        f"Annotations/a.xml: object {index + 1}" for index in range(len(bad))
    ]
    assert "has no area" in problems[0].reason
    assert "xmin is 'NaN', which is no number" in problems[1].reason
    assert "no bndbox" in problems[10].reason


def test_an_image_without_objects_is_one_with_nothing_on_it(tmp_path: Path) -> None:
    assert one(tmp_path, xml()).boxes == ()


@pytest.mark.parametrize("size", ["0 0", "x y", "-1 5"])
def test_a_size_that_is_none_is_left_open(tmp_path: Path, size: str) -> None:
    assert one(tmp_path, xml(size=size)).size is None


def devkit(tmp_path: Path) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {
        "VOC2007/ImageSets/Main/train.txt": "000001\n",
        "VOC2007/ImageSets/Main/trainval.txt": "000001\r\n000002\r\n",
        "VOC2007/ImageSets/Main/test.txt": "000003\n",
        "VOC2007/ImageSets/Main/cat_train.txt": "000001 -1\n",
        "VOC2012/ImageSets/Main/val.txt": "000001\n000002\n",
        "VOC2012/ImageSets/Main/trainval.txt": "000001\n000002\n",
        "VOC2012/ImageSets/Layout/test.txt": "000001\n",
    }
    for year, count in (("2007", 3), ("2012", 2)):
        for index in range(1, count + 1):
            files[f"VOC{year}/Annotations/00000{index}.xml"] = xml(obj(1, 1, index, 2))
            files[f"VOC{year}/JPEGImages/00000{index}.jpg"] = picture()
    return files


def test_years_lie_side_by_side_and_keep_their_sets(tmp_path: Path) -> None:
    items, problems = read(VOC, put(tmp_path, devkit(tmp_path)))
    assert problems == []
    assert {name: one.split for name, one in items.items()} == {
        "VOC2007/JPEGImages/000001.jpg": "train",
        "VOC2007/JPEGImages/000002.jpg": "train",
        "VOC2007/JPEGImages/000003.jpg": "test",
        "VOC2012/JPEGImages/000001.jpg": "validation",
        "VOC2012/JPEGImages/000002.jpg": "validation",
    }


@pytest.mark.parametrize(
    ("sets", "count"), [(("trainval",), 4), (("test",), 1), (("VOC2007/trainval", "VOC2012/val"), 4)]
)
def test_the_sets_that_a_person_names_are_read_alone(
    tmp_path: Path, sets: tuple[str, ...], count: int
) -> None:
    items, problems = read(VOC, put(tmp_path, devkit(tmp_path)), ReadOptions(sets=sets))
    assert (len(items), problems) == (count, [])


def test_a_set_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"no set 'tset' .*VOC2007/test, VOC2007/train, .*VOC2012/val"):
        read(VOC, put(tmp_path, devkit(tmp_path)), ReadOptions(sets=("tset",)))


def test_a_listed_image_without_xml_and_an_xml_without_image_are_told(tmp_path: Path) -> None:
    source = put(
        tmp_path,
        {
            "ImageSets/Main/train.txt": "a\nb\nc\n",
            "Annotations/a.xml": xml(filename="a.jpg"),
            "JPEGImages/b.jpg": picture(),
            "Annotations/c.xml": xml(filename="c.jpg"),
            "JPEGImages/c.jpg": picture(),
        },
    )
    items, problems = read(VOC, source)
    assert list(items) == ["JPEGImages/c.jpg"]
    assert [(problem.where, problem.kind) for problem in problems] == [
        ("ImageSets/Main/train.txt", "refused"),
        ("Annotations/a.xml", "refused"),
    ]
    assert "lists 'b', of which there is no XML" in problems[0].reason
    assert "no image 'a.jpg'" in problems[1].reason


@pytest.mark.parametrize(
    "line", ["my cat.v1", "my cat.v1.jpg", "my cat.v1  1", '"my cat.v1" 1', '"my cat.v1"']
)
def test_names_with_blanks_and_dots_are_found_in_lists(tmp_path: Path, line: str) -> None:
    source = put(
        tmp_path,
        {
            "ImageSets/Main/val.txt": f"{line}\n",
            "Annotations/my cat.v1.xml": xml(),
            "JPEGImages/my cat.v1.jpg": picture(),
        },
    )
    items, problems = read(VOC, source)
    assert (items["JPEGImages/my cat.v1.jpg"].split, problems) == ("validation", [])


def test_xml_beside_its_image_is_read_as_labelimg_writes_it(tmp_path: Path) -> None:
    source = put(
        tmp_path,
        {
            "train/a.xml": xml(obj(1, 1, 9, 9), filename="before renaming.jpg"),
            "train/a.jpg": picture(),
            "valid/a.xml": xml(),
            "valid/a.png": picture(kind="PNG"),
        },
    )
    assert VOC.looks_like(source)
    items, problems = read(VOC, source)
    assert {name: one.split for name, one in items.items()} == {
        "train/a.jpg": "train",
        "valid/a.png": "validation",
    }
    assert problems == []


def test_accents_that_an_archive_took_apart_are_found(tmp_path: Path) -> None:
    source = put(tmp_path, {"Annotations/caf\u00e9.xml": xml(), "JPEGImages/cafe\u0301.jpg": picture()})
    assert list(read(VOC, source)[0]) == ["JPEGImages/cafe\u0301.jpg"]


def test_a_set_without_any_xml_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="no XML files"):
        read(VOC, put(tmp_path, {"JPEGImages/a.jpg": picture()}))


def test_what_is_written_has_the_devkits_folders_and_pixels(tmp_path: Path) -> None:
    box = Box("cat", 20, 10, 100, 50, {"difficult": True, "pose": "Left"})
    problems = write(
        VOC, tmp_path, item("a b.jpg", boxes=(box,), split="validation"), item("c/d.jpg", boxes=())
    )
    assert problems == []
    text = (tmp_path / "Annotations/a b.xml").read_text()
    for part in (
        "<xmin>21</xmin>",
        "<ymin>11</ymin>",
        "<xmax>120</xmax>",
        "<ymax>60</ymax>",
        "<pose>Left</pose>",
    ):
        assert part in text
    assert (tmp_path / "ImageSets/Main/val.txt").read_text() == "a b\n"
    assert (tmp_path / "ImageSets/Main/trainval.txt").read_text() == "a b\n"
    assert (tmp_path / "JPEGImages/c/d.jpg").read_bytes() == picture()


def test_two_images_of_one_stem_cannot_both_be_written(tmp_path: Path) -> None:
    (problem,) = write(VOC, tmp_path, item("a.jpg", boxes=()), item("a.png", boxes=()))
    assert (problem.where, problem.kind) == ("a.png", "refused")
    assert not (tmp_path / "JPEGImages/a.png").exists()


def test_an_image_that_loses_all_its_objects_does_not_become_one_with_nothing_on_it(tmp_path: Path) -> None:
    source = put(tmp_path, {"Annotations/a.xml": xml(obj(5, 5, 3, 9)), "JPEGImages/a.jpg": picture()})
    items, problems = read(VOC, source)
    assert items == {}
    assert [(problem.where, problem.kind) for problem in problems] == [("Annotations/a.xml", "refused")]
    assert "none of its 1 labels can be used: box of 'cat' has no area" in problems[0].reason


def test_no_picture_of_another_year_stands_in_for_one_that_is_missing(tmp_path: Path) -> None:
    labels = {f"{year}/Annotations/a.xml": xml(obj(1, 1, 9, 9)) for year in ("2007", "2012")}
    items, problems = read(VOC, put(tmp_path / "one", labels | {"2012/JPEGImages/a.jpg": picture()}))
    assert (list(items), [one.where for one in problems]) == (
        ["2012/JPEGImages/a.jpg"],
        ["2007/Annotations/a.xml"],
    )
    images = put(
        tmp_path / "elsewhere", {"2007/JPEGImages/b.jpg": picture(), "2012/JPEGImages/a.jpg": picture()}
    )
    items, problems = read(VOC, put(tmp_path / "labels", labels), ReadOptions(images=images))
    assert (list(items), [one.where for one in problems]) == (
        ["2012/JPEGImages/a.jpg"],
        ["2007/Annotations/a.xml"],
    )
