"""What answers of all kinds say, and how far they are apart."""

from __future__ import annotations

from typing import Any

import pytest

from include.review_server.portal.owner_comparing import (
    NOTHING,
    apart,
    changes,
    difference,
    distances,
    effort,
    is_unlike,
)
from include.review_server.portal.owner_reading import read_answer, read_initial


def box(
    label: str, left: float = 10, top: float = 10, width: float = 100, height: float = 50
) -> dict[str, Any]:
    return {"label": label, "left": left, "top": top, "width": width, "height": height}


def boxes(*drawn: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "annotatedResult": {"boundingBoxes": [*drawn], "inputImageProperties": {"width": 9, "height": 9}}
        | more
    }


def radio(on: str) -> dict[str, Any]:
    return {"choice": {name: {"on": name == on} for name in ("yes", "no")}}


CAT, DOG = ({"crowd-image-classifier": {"label": name}} for name in ("cat", "dog"))


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        (CAT, CAT, 0),
        (CAT, DOG, 1),
        ({"kinds": {"labels": ["cat", "dog"]}}, {"kinds": {"labels": ["dog", "bird"]}}, 2 / 3),
        ({"kinds": {"labels": []}}, {"kinds": {"labels": []}}, 0),
        (radio("yes"), radio("no"), 1),
        (boxes(box("cat")), boxes(box("cat", left=14), initialValueModified=True), 0),
        (boxes(box("cat")), boxes(box("cat", left=90)), 1),
        (boxes(box("cat")), boxes(box("dog")), 1),
        (boxes(box("cat")), boxes(box("cat"), box("dog", left=400)), 1 / 3),
        (boxes(), boxes(), 0),
        (boxes(), boxes(box("cat")), 1),
        (CAT, {"crowd-image-classifier": {"label": "cat", "workerComment": "half of it"}}, 0),
        ({"plate": "B-42"}, {"plate": "B-42"}, 0),
        ({"plate": "B-42", **CAT}, {"plate": "B-43", **CAT}, 1),
        ({"plate": "B-42"}, {}, 1),
        ({}, {}, 0),
    ],
)  # fmt: skip
def test_how_far_two_answers_are_apart(one: Any, other: Any, far: float):
    assert difference(read_answer(one), read_answer(other)) == pytest.approx(far)
    assert difference(read_answer(other), read_answer(one)) == pytest.approx(far)


def test_one_against_two_of_one_mind_is_unlike_them_and_two_alone_tell_nothing():
    said = [read_answer(answer) for answer in (CAT, DOG, CAT)]
    far = distances(said)
    assert [apart(far, place) for place in range(3)] == [0.5, 1, 0.5]
    assert [is_unlike(far, place) for place in range(3)] == [False, True, False]
    assert not is_unlike(distances(said[:2]), 1)


def test_boxes_heaped_on_one_spot_are_not_compared_and_cost_the_other_answers_nothing():
    heaps = [
        read_answer(boxes(*(box(label, left=10 + place / 100) for place in range(800)))) for label in "ab"
    ]
    people = [read_answer(boxes(box("cat"), box("dog", left=left))) for left in (300, 500)]
    said = [*heaps, *people]
    far = distances(said)
    assert far == [[0, None, 1, 1], [None, 0, 1, 1], [1, 1, 0, 0.5], [1, 1, 0.5, 0]]
    assert apart(far, 0) == 1
    assert changes(heaps[0], heaps[1]) is None
    assert apart(distances(heaps), 0) is None
    assert not is_unlike(distances(heaps), 0)
    assert effort(said) == 50_000 + 4 * 1_600 + 4


def test_entities_agree_where_they_have_one_label_and_overlap_by_half():
    def marked(*spans: tuple[str, int, int]) -> Any:
        parts = [{"label": label, "startOffset": start, "endOffset": end} for label, start, end in spans]
        return {"crowd-entity-annotation": {"entities": parts}}

    one = read_answer(marked(("person", 0, 4), ("place", 13, 17)))
    other = read_answer(marked(("place", 12, 17), ("place", 0, 4), ("person", 20, 30)))
    assert difference(one, other) == pytest.approx(1 - 2 / 5)
    assert one.words == "1 person, 1 place"
    assert read_answer(marked()).words == "no entities"
    model = read_initial({"initialValue": marked(("person", 0, 4))["crowd-entity-annotation"]["entities"]})
    assert model is not None
    assert changes(model, other) == {("person", "place"): 1, (NOTHING, "place"): 1, (NOTHING, "person"): 1}
    assert not read_answer(marked(("person", 4, 4), ("place", 0, 3))).all_spans, "no part of a text"


def test_the_same_box_drawn_twice_counts_twice():
    one, other = read_answer(boxes(box("cat"), box("cat"))), read_answer(boxes(box("cat"), box("dog")))
    assert difference(one, one) == 0
    assert difference(one, other) == 0.5
    assert changes(one, other) == {("cat", "cat"): 1, ("cat", "dog"): 1}


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"a": {"boundingBoxes": [{"label": 3, "left": "1", "top": None, "width": 1, "height": 1}]}},
        {"a": {"boundingBoxes": [box("cat", width=-5)]}},
        {"a": {"boundingBoxes": [box("cat", left=10**400)]}},
        {"a": {"boundingBoxes": [box("cat")] * 1001}},
        {"a": {"label": ["x"]}, "b": {"labels": [1]}, "c": {"inputImageProperties": {"width": "9"}}},
    ],
)
def test_what_is_not_understood_is_compared_as_json(content: Any):
    said = read_answer(content)
    assert not said.all_boxes
    assert not said.all_classes
    assert said.size is None
    assert difference(said, read_answer(content)) == 0
    assert difference(said, read_answer({"a": 1})) == 1
    assert len(said.words) <= 160


def test_answers_in_words():
    assert read_answer(boxes(box("cat"), box("cat", left=300), box("dog"))).words == "2 cat, 1 dog"
    assert read_answer(boxes()).words == "no boxes"
    assert read_answer(CAT).words == "cat"
    assert read_answer({"kind": {"label": "cat", "workerComment": "half"}}).words == "cat, “half”"
    assert read_answer({"plate": "Ä\ud800"}).words == '{"plate":"Ä?"}'
    assert len(read_answer({"crowd-image-classifier": {"label": "x" * 9999}}).words) <= 160


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (boxes(box("cat"), box("cat", left=300), box("dog")), ["cat", "cat", "dog"]),
        ({"e": {"entities": [{"label": "person", "startOffset": 0, "endOffset": 4}]}}, ["person"]),
        ({"a": {"polygons": [{"label": "plate", "vertices": []}, {"vertices": []}]}}, ["plate", ""]),
        ({"a": {"polylines": [{"label": "edge"}]}, "b": {"lines": [{"label": "rim"}]}}, ["edge", "rim"]),
        ({"a": {"keypoints": [{"label": "tip", "x": 3, "y": 4}]}}, ["tip"]),
        ({"a": {"instances": [{"label": "cell"}] * 2, "labeledImage": {}}}, ["cell", "cell"]),
        ({"a": {"labelMappings": {"road": {"color": "#2ca02c"}}, "labeledImage": {}}}, ["road"]),
        ({"kinds": {"labels": ["cat", "dog"]}}, ["cat", "dog"]),
        ({"kind": {"label": "cat", "workerComment": "half of it"}}, ["cat"]),
        (radio("yes"), ["yes"]),
        ({"a": {"polygons": [3], "labelMappings": [], "instances": "x"}, "plate": "B-42"}, []),
        ({"a": {"polygons": [{"label": "x"}] * 1001}, "b": {"keypoints": [{"label": "y"}]}}, ["x"] * 1000),
    ],
)
def test_the_classes_that_an_answer_gives(content: Any, named: list[str]):
    assert read_answer(content).all_named == named


def test_what_people_made_of_the_models_boxes():
    model = read_initial({"initialValue": [box("dog"), box("bird", left=300), box("cat", left=600)]})
    person = read_answer(boxes(box("cat", left=12), box("bird", left=302), box("dog", left=900)))
    assert model is not None
    expected = {("bird", "bird"): 1, ("dog", "cat"): 1, ("cat", NOTHING): 1, (NOTHING, "dog"): 1}
    assert changes(model, person) == expected


@pytest.mark.parametrize(
    ("initial", "answer", "expected"),
    [
        ("dog", CAT, {("dog", "cat"): 1}),
        ("cat", CAT, {("cat", "cat"): 1}),
        (["cat", "dog"], {"kinds": {"labels": ["dog", "bird"]}}, {("dog", "dog"): 1, ("cat", "bird"): 1}),
        ({"label": "dog"}, CAT, {("dog", "cat"): 1}),
    ],
)
def test_what_people_made_of_the_models_classes(
    initial: Any, answer: Any, expected: dict[tuple[str, str], int]
):
    model = read_initial({"initialValue": initial})
    assert model is not None
    assert changes(model, read_answer(answer)) == expected


@pytest.mark.parametrize(
    "task_input", [None, [], "x", {}, {"initialValue": None}, {"initialValue": {"a": 1}}]
)
def test_an_input_without_a_models_answer(task_input: Any):
    assert read_initial(task_input) is None
