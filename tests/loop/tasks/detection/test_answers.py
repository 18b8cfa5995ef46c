"""Usable answers become boxes inside the image; every other one gets a reason, and costs nobody else's
answer.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.errors import BadRecord
from include.loop.tasks.detection.answers import Box, read_answer, read_output
from include.loop.tasks.detection.consensus import agree
from include.loop.tasks.values import ReviewersDisagree
from tests.support.mutants import mutants, thorough

CLASSES = ("cat", "dog")
SIZE = (100, 80)


def box(label="cat", left=10.0, top=10.0, width=20.0, height=20.0, **other):
    return {"label": label, "left": left, "top": top, "width": width, "height": height} | other


def human(*boxes, worker="w1", size=SIZE, **other):
    result = {
        "boundingBoxes": list(boxes),
        "inputImageProperties": {"width": size[0], "height": size[1]},
    }
    answer = {
        "answerContent": {"annotatedResult": result, "reviewer": "simulated"},
        "submissionTime": "2026-11-02T03:04:05.678Z",
        "workerId": worker,
    }
    return answer | other


def output(*answers, loop="loop-1"):
    return json.dumps({"humanLoopName": loop, "humanAnswers": list(answers), "inputContent": {}}).encode()


def test_an_answer_is_read_with_its_worker_its_time_and_its_boxes():
    (answer,), rejected = read_output(output(human(box(), timeSpentInSeconds=4.5)), "loop-1", CLASSES, SIZE)
    assert rejected == []
    assert answer.boxes == (Box("cat", 10, 10, 20, 20),)
    assert (answer.worker, answer.seconds, answer.width) == ("w1", 4.5, 100)
    assert answer.submitted == datetime(2026, 11, 2, 3, 4, 5, 678000, UTC)


def test_an_answer_without_boxes_is_a_valid_negative():
    (answer,), rejected = read_output(output(human()), "loop-1", CLASSES, SIZE)
    assert (answer.boxes, rejected) == ((), [])


def test_fields_that_only_newer_outputs_carry_are_optional():
    assert read_answer(human(box()), CLASSES).seconds is None


@pytest.mark.parametrize("spent", [-1, -1e300, 1e9, float("inf"), float("nan"), "long", None, [3]])
def test_a_time_that_is_none_is_not_told_and_costs_no_answer(spent):
    (answer,), rejected = read_output(output(human(box(), timeSpentInSeconds=spent)), "loop-1", CLASSES, SIZE)
    assert (answer.seconds, len(answer.boxes), rejected) == (None, 1, [])


def test_the_same_box_drawn_twice_is_one():
    answer = read_answer(human(box(), box("dog"), box(left=10.2), box(left=12)), CLASSES, SIZE)
    assert answer.boxes == (
        Box("cat", 10, 10, 20, 20),
        Box("dog", 10, 10, 20, 20),
        Box("cat", 12, 10, 20, 20),
    )


def test_of_two_answers_of_one_worker_the_later_one_counts_by_time_and_not_by_text():
    """23:30 in New York is later than 01:00 of the next day in a time without zone, which is UTC."""
    early = human(box("dog"), submissionTime="2026-10-02T01:00:00")
    late = human(box("cat"), submissionTime="2026-10-01T23:30:00-05:00")
    for both in ((early, late), (late, early)):
        answers, rejected = read_output(output(*both, human(worker="w2")), "loop-1", CLASSES, SIZE)
        assert [(item.worker, len(item.boxes)) for item in answers] == [("w1", 1), ("w2", 0)]
        assert answers[0].boxes[0].label == "cat"
        assert answers[0].submitted == datetime(2026, 10, 2, 4, 30, tzinfo=UTC)
        assert [item.reason.split(":")[0] for item in rejected] == [
            "the same worker has answered again later"
        ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (human(box("bird")), "unknown label: 'bird'"),
        (
            human(box(left=90.0, width=12.0)),
            "box outside the image: cat at 90,10 of 12 x 20 in 100 x 80 pixels",
        ),
        (human(box(top=-2.0)), "box outside the image"),
        (human(box(width=0.0)), "box without area"),
        (human(box(width=-30.0)), "box without area"),
        (human(box(left="left")), "answer lacks fields: boundingBoxes.0.left"),
        (human(box(left=float("nan"))), "answer lacks fields: boundingBoxes.0.left"),
        (human({"label": "cat"}), "answer lacks fields: boundingBoxes.0.left"),
        (human(box(), size=(80, 100)), "answer is for an image of 80 x 100 pixels, not 100 x 80"),
        (human(box(), answerContent={}), "answer lacks fields: answerContent.annotatedResult"),
        (human(box(), answerContent={"annotatedResult": []}), "answer lacks fields"),
        (human(box(), answerContent={"annotatedResult": {"boundingBoxes": []}}), "inputImageProperties"),
        (human(box(), submissionTime="late"), "answer lacks fields: submissionTime"),
        (human(*[box()] * 1001), "answer has 1,001 boxes, more than 1,000"),
        (human(box(), workerId=None), "answer lacks fields: workerId"),
        ("no object", "answer lacks fields"),
    ],
)
def test_a_bad_answer_is_rejected_with_its_reason_and_the_others_are_kept(answer, reason):
    good, rejected = read_output(output(answer, human(box(), worker="w2")), "loop-1", CLASSES, SIZE)
    assert [item.worker for item in good] == ["w2"]
    assert len(rejected) == 1
    assert reason in rejected[0].reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x89PNG", "output.json is not JSON"),
        (b'{"humanAnswers": [', "output.json is not JSON"),
        (b"[]", "output.json lacks fields: humanAnswers"),
        (b"{}", "output.json lacks fields: humanAnswers"),
        (output(), "output.json holds no answer"),
        (output(human(box()), loop="another"), "output.json belongs to another loop: another"),
    ],
)
def test_an_unusable_file_is_refused_as_a_whole(body, reason):
    with pytest.raises(BadRecord) as caught:
        read_output(body, "loop-1", CLASSES, SIZE)
    assert reason in str(caught.value)


def test_a_box_that_leaves_the_image_by_a_pixel_is_clipped():
    (answer,), _ = read_output(
        output(human(box(left=-0.9, width=20.0), box(left=81.0))), "loop-1", CLASSES, SIZE
    )
    assert answer.boxes == (Box("cat", 0, 10, 19, 20), Box("cat", 81, 10, 19, 20))


NUMBERS = st.floats(-200, 200) | st.integers(-200, 200)


@given(st.lists(st.tuples(st.sampled_from(CLASSES), NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=5))
def test_boxes_of_a_usable_answer_lie_inside_the_image_and_have_area(values):
    try:
        answer = read_answer(human(*(box(*value) for value in values)), CLASSES, SIZE)
    except BadRecord:
        return
    assert len(set(answer.boxes)) == len(answer.boxes) <= len(values)
    for item in answer.boxes:
        assert 0 <= item.left < item.left + item.width <= SIZE[0]
        assert 0 <= item.top < item.top + item.height <= SIZE[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "humanAnswers",
                    "humanLoopName",
                    "answerContent",
                    "annotatedResult",
                    "boundingBoxes",
                    "workerId",
                    "submissionTime",
                    "inputImageProperties",
                    "label",
                    "left",
                    "width",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_no_json_whatever_crashes_the_reader(value):
    with suppress(BadRecord):
        read_output(json.dumps(value).encode(), "loop-1", CLASSES, SIZE)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_crash_the_reader(body):
    with pytest.raises(BadRecord):
        read_output(body, "loop-1", CLASSES, SIZE)


def fields(body: bytes) -> list[bytes]:
    """The parts of a JSON text: every value with its name, and every bracket."""
    return re.findall(rb"[^,\[\]{}]*[,\[\]{}]|[^,\[\]{}]+", body)


GOOD_FILES = [
    output(human(box(), box("dog", left=50), timeSpentInSeconds=4.5), human(worker="w2")),
    output(*(human(box(left=n), worker=f"w{n}", submissionTime=f"2026-11-02T0{n}:00:00") for n in range(3))),
    json.dumps({"humanLoopName": "loop-1", "humanAnswers": [human(box("dog"))]}, indent=2).encode("utf-16"),
]


VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    10**400,
    "",
    "\u2028",
    "9",
    [],
    {},
    [[]],
    {"": None},
)


def damaged(number: int) -> bytes:
    """A good file that is still JSON, with one to three of its values lost, said twice or become others."""
    dice = Random(number)
    value = json.loads(dice.choice(GOOD_FILES[:2]))
    for _ in range(dice.randint(1, 3)):
        place: Any = value
        while True:
            key = dice.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not place[key] or not isinstance(place[key], dict | list) or not dice.randrange(8):
                break
            place = place[key]
        match dice.randrange(4):
            case 0 if len(place) > 1:
                del place[key]
            case 1 if isinstance(place, list):
                place.insert(key, deepcopy(place[key]))
            case _:
                place[key] = deepcopy(dice.choice(VALUES))
    return json.dumps(value).encode()


@pytest.mark.slow
@thorough(4000)
@given(mutants(GOOD_FILES, fields) | st.integers(0, 2**64 - 1).map(damaged))
def test_of_a_damaged_file_every_answer_is_usable_or_has_a_reason(body):
    try:
        answers, rejected = read_output(body, "loop-1", CLASSES, SIZE)
    except BadRecord:
        return
    assert answers or rejected
    assert len({item.worker for item in answers}) == len(answers)
    for answer in answers:
        assert answer.submitted.tzinfo is not None
        assert answer.seconds is None or answer.seconds >= 0
        assert len(set(answer.boxes)) == len(answer.boxes)
        for item in answer.boxes:
            assert item.label in CLASSES
            assert 0 <= item.left < item.left + item.width <= SIZE[0]
            assert 0 <= item.top < item.top + item.height <= SIZE[1]
    told = [item.worker + item.reason for item in rejected] + [item.worker for item in answers]
    json.dumps(told, ensure_ascii=False).encode()  # can be written beside the record
    if answers:
        with suppress(ReviewersDisagree):
            agree(answers)


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "-0.0", "1" * 5000])
@pytest.mark.parametrize("field", ["left", "size"])
def test_absurd_numbers_are_a_reason_and_not_a_crash(number, field):
    answer = json.dumps(human(box(left=10.5), size=(100, 7777))).replace(
        "10.5" if field == "left" else "7777", number
    )
    body = b'{"humanLoopName": "loop-1", "humanAnswers": [' + answer.encode() + b"]}"
    with suppress(BadRecord):
        read_output(body, "loop-1", CLASSES)


def test_absurd_nesting_is_a_reason_and_not_a_crash():
    with pytest.raises(BadRecord, match="not JSON"):
        read_output(b"[" * 100_000, "loop-1", CLASSES)
