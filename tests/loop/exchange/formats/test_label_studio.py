"""Label Studio's export: whose answer counts, where an image lies, and percent that may be turned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import ReadOptions, find_format
from include.loop.exchange.items import Box, Class, Item, Problem
from tests.loop.exchange.sets import item, picture, put, read, write

STUDIO = find_format("label-studio")
PLACE = {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}


def rectangle(x: Any = 10, y: Any = 10, width: Any = 50, height: Any = 50, **value: Any) -> dict[str, Any]:
    value = {
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "rotation": 0,
        "rectanglelabels": ["cat"],
    } | value
    return {"id": "r", "from_name": "label", "type": "rectanglelabels", "value": value} | PLACE


def choice(*names: str, asked: str = "kind") -> dict[str, Any]:
    return {"id": "c", "from_name": asked, "type": "choices", "value": {"choices": list(names)}} | PLACE


def task(*regions: Any, image: Any = "/data/upload/3/0f12ab34-a.jpg", **annotation: Any) -> dict[str, Any]:
    answer = {"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(regions)} | annotation
    guess = {"result": [rectangle(1, 1, 1, 1)]}
    return {"id": 5, "data": {"image": image}, "annotations": [answer], "predictions": [guess]}


def read_tasks(
    tmp_path: Path, *tasks: Any, options: ReadOptions | None = None
) -> tuple[dict[str, Item], list[Problem]]:
    pictures: dict[str, str | bytes] = {"images/0f12ab34-a.jpg": picture(), "images/b.jpg": picture()}
    source = put(tmp_path, pictures | {"project-1.json": json.dumps(tasks)})
    assert STUDIO.looks_like(source)
    return read(STUDIO, source, options)


def test_percent_become_pixels_and_predictions_are_nobodys_answer(tmp_path: Path) -> None:
    items, problems = read_tasks(tmp_path, task(rectangle(), rectangle(0, 0, 100, 100)))
    (found,) = items.values()
    assert found.boxes == (Box("cat", 20, 10, 100, 50), Box("cat", 0, 0, 200, 100))
    assert (found.name, found.size, found.classes) == ("images/0f12ab34-a.jpg", (200, 100), None)
    assert problems == []


def test_a_turned_rectangle_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    """A quarter turn clockwise around its upper left corner: what was to the right lies below."""
    items, problems = read_tasks(tmp_path, task(rectangle(50, 10, 20, 30, rotation=90)))
    assert [found.boxes for found in items.values()] == [(Box("cat", 70, 10, 30, 40),)]
    assert [problem.kind for problem in problems] == ["mended"]


def test_choices_are_classes_of_the_image(tmp_path: Path) -> None:
    items, problems = read_tasks(tmp_path, task(choice("dent", "rust")), task(image="b.jpg"))
    assert {name: (found.boxes, found.classes) for name, found in items.items()} == {
        "images/0f12ab34-a.jpg": (None, (Class("dent"), Class("rust"))),
        "images/b.jpg": (None, ()),
    }
    assert problems == []


def test_which_of_two_choices_is_the_label_has_to_be_said(tmp_path: Path) -> None:
    tasks = [task(choice("dent"), choice("night", asked="light"))]
    tasks.append(task(rectangle(), choice("night", asked="light"), image="b.jpg"))
    with pytest.raises(BadRecord, match="several choices: kind, light"):
        read_tasks(tmp_path, *tasks)
    with pytest.raises(BadRecord, match="no choice named 'dark'; there are: kind, light"):
        read_tasks(tmp_path, *tasks, options=ReadOptions(label="dark"))
    items, problems = read_tasks(tmp_path, *tasks, options=ReadOptions(label="light"))
    assert [one.classes for one in items.values()] == [(Class("night"),)] * 2
    assert [one.boxes for one in items.values()] == [(), (Box("cat", 20, 10, 100, 50),)]
    assert [problem.kind for problem in problems] == ["dropped"]


def test_the_answer_that_counts_is_the_ground_truth_or_the_last(tmp_path: Path) -> None:
    answers = [
        {"result": [rectangle(rectanglelabels=[name])], "updated_at": f"2026-01-0{day}T00:00:00.000000Z"}
        for name, day in (("old", 1), ("new", 3), ("middle", 2))
    ]
    last = task() | {"annotations": answers}
    true = task(image="b.jpg") | {"annotations": [answers[0] | {"ground_truth": True}, *answers[1:]]}
    items, _ = read_tasks(tmp_path, last, true)
    assert [box.label for found in items.values() for box in found.boxes or ()] == ["new", "old"]


def test_nothing_drawn_is_an_answer_and_a_cancelled_one_is_none(tmp_path: Path) -> None:
    items, problems = read_tasks(
        tmp_path,
        task(),
        task(rectangle(), image="b.jpg", was_cancelled=True),
        task(image="b.jpg") | {"annotations": []},
    )
    assert [found.boxes for found in items.values()] == [()]
    assert [(one.where, one.kind) for one in problems] == [
        ("project-1.json: task 2", "refused"),
        ("project-1.json: task 3", "refused"),
    ]


@pytest.mark.parametrize(
    "image",
    [
        "b.jpg",
        "/data/upload/3/0a1b2c3d-b.jpg",
        "/data/local-files/?d=some/folder/b.jpg",
        "/data/local-files/?d=some%2Ffolder%2Fb.jpg",
        "s3://acme/in/b.jpg",
        "C:\\pictures\\b.jpg",
    ],
)
def test_an_image_is_found_by_the_end_of_its_path(tmp_path: Path, image: str) -> None:
    assert list(read_tasks(tmp_path, task(image=image))[0]) == ["images/b.jpg"]


def test_an_image_is_found_in_the_only_field_that_names_one(tmp_path: Path) -> None:
    other = task() | {"data": {"photo": "/data/upload/b.jpg", "note": "from Monday"}}
    assert list(read_tasks(tmp_path, other)[0]) == ["images/b.jpg"]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("https://example.com/b.jpg", "not downloaded"),
        ("data:image/png;base64,AAAA", "not downloaded"),
        ("/data/local-files/?d=../../etc/passwd", "leads out"),
        ("/data/upload/%2e%2e/b.jpg", "leads out"),
        ("/data/local-files/", "names no file"),
        ("z.jpg", "no image 'z.jpg'"),
        ("", "no path"),
        ("b.jpg" * 1000, "no path"),
        (None, "data has no image"),
        (7, "data has no image"),
    ],
)
def test_an_image_that_is_not_there_is_refused(tmp_path: Path, image: Any, reason: str) -> None:
    items, problems = read_tasks(tmp_path, task(rectangle(), image=image))
    assert items == {}
    assert [problem.kind for problem in problems] == ["refused"]
    assert reason in problems[0].reason


def test_a_region_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    bad = [
        rectangle(x="left"),
        rectangle(width=0),
        rectangle(height=float("nan")),
        rectangle(rotation=float("inf")),
        rectangle(rectanglelabels=[]),
        rectangle(rectanglelabels=[7]),
        rectangle(rectanglelabels="cat"),
        rectangle() | {"value": None},
        rectangle() | {"original_width": None},
        rectangle() | {"original_width": -5},
        rectangle() | {"type": ["a", "list"]},
        {"type": "brushlabels", "value": {"brushlabels": ["cat"], "rle": [1, 2]}},
        choice("large") | {"value": {"x": 1, "y": 1, "choices": ["large"]}},
    ]
    items, problems = read_tasks(tmp_path, task(*bad, rectangle()))
    assert [found.boxes for found in items.values()] == [(Box("cat", 20, 10, 100, 50),)]
    assert [problem.kind for problem in problems] == ["dropped"] * len(bad)


@pytest.mark.parametrize(
    "regions",
    [
        [rectangle() | {"image_rotation": 90}],
        [rectangle(), rectangle() | {"original_width": 300}],
        [rectangle(), "a region"],
    ],
)
def test_an_answer_whose_pixels_are_not_the_images_is_refused(tmp_path: Path, regions: list[Any]) -> None:
    items, problems = read_tasks(tmp_path, task(*regions), task(image="b.jpg"))
    assert list(items) == ["images/b.jpg"]
    assert [problem.kind for problem in problems] == ["refused"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "is a list of tasks"),
        ("[]", "no JSON file with tasks"),
        ('[{"image": "a.jpg", "label": []}]', "JSON-MIN"),
        ("[" * 9999, "not JSON"),
    ],
)
def test_another_file_is_refused_whole(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        STUDIO.read(put(tmp_path, {"a.json": text}), ReadOptions())


def test_what_is_written_can_be_imported_with_local_files(tmp_path: Path) -> None:
    boxes, classes = (
        (Box("cat", 20, 10, 100, 50, {"crowd": True}),),
        (Class("rust"), Class("dent", present=False)),
    )
    problems = write(STUDIO, tmp_path, item("a/b c.jpg", boxes=boxes, classes=classes))
    assert [problem.kind for problem in problems] == ["unheld", "unheld"]
    (written,) = json.loads((tmp_path / "tasks.json").read_text())
    assert written["data"] == {"image": "/data/local-files/?d=images/a/b%20c.jpg"}
    drawn, chosen = written["annotations"][0]["result"]
    assert (drawn["value"]["x"], drawn["value"]["width"], drawn["original_width"]) == (10, 50, 200)
    assert chosen["value"] == {"choices": ["rust"]}
    assert (tmp_path / "images/a/b c.jpg").read_bytes() == picture()
    interface = fromstring((tmp_path / "label_config.xml").read_bytes())
    assert [(one.tag, one.get("name")) for one in interface] == [
        ("Image", "image"),
        (drawn["type"].replace("rectanglelabels", "RectangleLabels"), drawn["from_name"]),
        ("Choices", chosen["from_name"]),
    ]
    assert [one.get("value") for one in interface.iter("Choice")] == ["cat", "dent", "rust"]


def test_an_answer_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    brush = {"type": "brushlabels", "value": {"brushlabels": ["cat"]}}
    items, problems = read_tasks(tmp_path, task(brush), task(brush, choice("rust"), image="b.jpg"))
    assert [(one.boxes, one.classes) for one in items.values()] == [(None, (Class("rust"),))]
    assert [problem.kind for problem in problems] == ["refused", "dropped"]
