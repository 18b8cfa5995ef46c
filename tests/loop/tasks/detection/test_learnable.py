"""What the dataset counts is what the container learns: the same lines go through both."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.labels import LabelError, parse_label
from include.loop.core.errors import BadRecord
from include.loop.core.storage import dump
from include.loop.dataset.split_register import Candidate
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.tasks.manifest_lines import moment
from include.loop.tasks.values import Lost
from tests.support.mutants import mutants, thorough

CLASSES = ("cat", "dog", "bird")
TASK = ObjectDetection(CLASSES, "review")
SETTINGS = parse_hyperparameters({"num_classes": "3", "num_training_samples": "1"})
WIDTH, HEIGHT = 100, 80


def box(
    left: Any = 10, top: Any = 20, width: Any = 30, height: Any = 40, class_id: Any = 1
) -> dict[str, Any]:
    return {"class_id": class_id, "left": left, "top": top, "width": width, "height": height}


def label(*boxes: dict[str, Any], size: tuple[Any, Any] = (WIDTH, HEIGHT), times: int = 1) -> dict[str, Any]:
    sizes = [{"width": size[0], "height": size[1], "depth": 3}] * times
    return {"annotations": list(boxes), "image_size": sizes}


def read(value: Any) -> LabelledImage:
    return TASK.read_line(dump({"source-ref": "s3://b/1.jpg", "review": value}))


def fractions(line: LabelledImage) -> np.ndarray:
    rows = [
        (item.class_id, item.left, item.top, item.left + item.width, item.top + item.height)
        for item in line.boxes
    ]
    size = (1, line.width, line.height, line.width, line.height)
    return np.asarray(rows, float).reshape(-1, 5) / size


def test_a_box_that_cannot_be_learned_costs_itself_and_names_itself():
    line = read(label(box(left=500), box(), box(width=0), box(top=79.7)))
    assert [item.left for item in line.boxes] == [10]
    assert line.lost == (
        Lost(1, "box 1 (class_id 1 at 500,20 of 30 x 40) lies outside the image of 100 x 80 pixels"),
        Lost(3, "box 3 (class_id 1 at 10,20 of 0 x 40) has no area"),
        Lost(
            4,
            "box 4 (class_id 1 at 10,79.7 of 30 x 40) has less than half a pixel inside the image of "
            "100 x 80 pixels",
        ),
    )


def test_a_box_that_is_partly_inside_is_clipped():
    line = read(label(box(-5, 70, 20, 30), box(0.1, 0.1, 0.7, 99)))
    assert [(item.left, item.top, item.width, item.height) for item in line.boxes] == [
        (0, 70, 15, 10),
        (0.1, 0.1, 0.7, 79.9),  # a width that was not clipped is not rounded either
    ]


def test_an_image_that_has_lost_all_its_boxes_is_no_image_of_nothing():
    with pytest.raises(
        BadRecord, match=r"none of its 4 boxes can be learned: box 1 .* outside .*; box 3 .*$"
    ):
        read(label(*[box(left=500)] * 4))
    assert read(label()).boxes == ()


def test_the_same_box_counts_once_and_its_neighbour_counts_too():
    line = read(label(box(), box(), box(class_id=2), box(left=10.01), box(-5, 0, 15, 9), box(-6, 0, 16, 9)))
    assert [(item.class_id, item.left, item.width) for item in line.boxes] == [
        (1, 10, 30),
        (2, 10, 30),
        (1, 10.01, 30),
        (1, 0, 10),
    ]
    assert line.annotations == 6


NUMBERS = st.one_of(
    st.sampled_from(
        [0, -1, 0.4, 0.5, 0.6, 1, 79.5, 80, 99.5, 99.6, 100, 101, 1e-300, 1e300, -1e300, 1.7e308]
    ),
    st.floats(-120, 120),
    st.sampled_from(["5", True, None, "x", 10**400]),
)
BOXES = st.builds(box, *[NUMBERS] * 4, st.sampled_from([0, 1, 2, 2.0, "1", 3, -1, 1.5, 10**400]))
LABELS = st.builds(
    lambda boxes, size, times: label(*boxes, *boxes[:1], size=size, times=times),
    st.lists(st.one_of(st.builds(box), BOXES), max_size=4),
    st.sampled_from([(WIDTH, HEIGHT)] * 6 + [(1, 1), (100_000_001, 1), (0, 5), (10.0, "7"), (1.5, 2)]),
    st.sampled_from([1, 1, 1, 1, 0, 2]),
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(LABELS)
@example(label(box(10.1, 0.1, 0.5, 0.5)))
@example(label(box(left=500)))
@example(label(box(), size=(100, 80), times=2))
def test_dataset_and_container_take_the_same_lines_and_the_same_boxes(value: dict[str, Any]):
    try:
        expected = fractions(read(value))
    except BadRecord:
        with pytest.raises(LabelError):
            parse_label(json.dumps(value).encode(), SETTINGS)
    else:
        found = parse_label(json.dumps(value).encode(), SETTINGS)
        np.testing.assert_allclose(found.boxes, expected, rtol=1e-6, atol=1e-6)


LINES = [
    dump({"source-ref": "s3://b/1.jpg", "review": label(*boxes), "review-metadata": metadata, "camera": 3})
    for boxes, metadata in (
        ((box(), box(left=99.75)), {"class-map": {"1": "dog"}, "creation-date": "2026-10-01T23:30:00-05:00"}),
        ((), {}),
        ((), {"failure-reason": "no answer"}),
    )
]


@pytest.mark.parametrize("examples", [100, pytest.param(4000, marks=pytest.mark.slow)])
def test_of_mutants_of_a_line_the_reader_says_why_or_the_container_learns_them(examples: int):
    @thorough(examples)
    @given(mutants([*LINES, LINES[0].decode().encode("utf-16")]))
    def tried(raw: bytes) -> None:
        try:
            line = TASK.read_line(raw)
        except BadRecord:
            return
        assert moment(line.created) <= moment("9999-12-31T23:59:59-23:59")
        assert Candidate(line, None, "m", 1).label
        learned = parse_label(dump(line.value["review"]), SETTINGS)
        np.testing.assert_allclose(learned.boxes, fractions(line), rtol=1e-6, atol=1e-6)

    tried()
