"""Replies of images that are not SageMaker's are read as its own, or refused with what was wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from include.loop.config import load_pipeline
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.tasks import task_of
from include.loop.tasks.replies import Reply, as_documented
from tests.loop.place import SIZE, picture

PIPELINE = load_pipeline("digits").model_copy(update={"classes": ("cat", "dog")})
COCO = task_of(PIPELINE, "coco-results")
DOG = {"image_id": 7, "category_id": 2, "bbox": [8, 6, 16, 12], "score": 0.9}


def read(body: Any, output: str = "coco-results", image: bytes | None = None) -> list[tuple[float, ...]]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = task_of(PIPELINE, output).read_reply(text, "s3://b/1.jpg", image or picture(90))
    return [(one.class_id, one.score, one.xmin, one.ymin, one.xmax, one.ymax) for one in found]


def test_coco_results_are_read_in_shares_of_the_picture_best_first():
    assert SIZE == (32, 24)
    cat = {"category_id": 1, "bbox": [-4, 0, 20, 30.0], "score": 1}
    assert read([DOG, cat]) == [(0, 1, 0, 0, 0.5, 1), (1, 0.9, 0.25, 0.25, 0.75, 0.75)]
    assert read([]) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "no JSON"),
        ({"prediction": []}, "COCO results are a list, not dict"),
        ([DOG, 5], "result 2 of s3://b/1.jpg: must be an object with category_id, bbox and score"),
        (
            [DOG | {"category_id": 0}],
            "result 1 of .*: category_id must be a class's number, from 1 to 2, not 0",
        ),
        ([DOG | {"category_id": 3}], "from 1 to 2, not 3"),
        ([DOG | {"category_id": "2"}], "from 1 to 2, not '2'"),
        ([DOG | {"score": 1.5}], "score must be from 0 to 1, not 1.5"),
        ([DOG | {"score": 10**400}], "score must be a finite number, not 1000"),
        ([DOG | {"score": None}], "score must be a finite number, not None"),
        ([DOG | {"bbox": [1, 2, 3]}], r"bbox must be \[x, y, width, height\] in pixels, not \[1, 2, 3\]"),
        ([DOG | {"bbox": [1, 2, -3, 4]}], "-3 x 4 is no size"),
        ([DOG | {"bbox": [1, 2, True, 4]}], "a side of bbox must be a finite number, not True"),
    ],
)
def test_a_bad_reply_says_what_was_wrong_where_and_what_is_allowed(body, message):
    with pytest.raises(BadRecord, match=f"no prediction: unreadable output .*{message}"):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
)
NUMBER = st.sampled_from([0, 1, -1, 10**400, 1e308]) | JSON
RESULT = st.fixed_dictionaries(
    {"category_id": NUMBER, "score": NUMBER, "bbox": st.lists(NUMBER, min_size=4, max_size=4) | JSON}
)


@given(JSON | st.lists(RESULT, max_size=3))
@example([{"category_id": 1, "score": 10**400, "bbox": [0, 0, 1, 1]}])
@example([{"category_id": 1, "score": 1, "bbox": [0, 0, 1e308, 1e308]}])
def test_whatever_is_answered_is_boxes_or_a_bad_record(value):
    try:
        found = read(value)
    except BadRecord:
        return
    assert all(0 <= side <= 1 for row in found for side in row[1:])


def test_the_size_of_a_stored_picture_is_asked_for_only_when_boxes_need_it():
    asked = []

    class Images:
        def read(self, location: str, last_byte: int | None = None, *, most: int | None = None) -> bytes:
            if location.endswith(".out"):
                return json.dumps([DOG] if location == "one.out" else []).encode()
            asked.append((location, last_byte))
            return picture(90) if last_byte is None else picture(90)[:30]  # its size lies behind these bytes

    storage: Any = Images()
    assert COCO.read_output(storage, "none.out", "s3://b/1.jpg") == []
    assert asked == []
    assert COCO.read_output(storage, "one.out", "s3://b/1.jpg")[0].xmin == 0.25
    assert asked == [("s3://b/1.jpg", 65535), ("s3://b/1.jpg", None)]


def of_corners(reply: Reply) -> list[list[float]]:
    """A team's own: a line for each box, its class by name and corners in pixels."""
    width, height = reply.size
    rows = []
    for line in reply.body.decode().splitlines():
        name, score, *sides = line.split()
        x0, y0, x1, y1 = map(float, sides)
        box = [x0 / width, y0 / height, x1 / width, y1 / height]
        rows.append([reply.classes.index(name), float(score), *box])
    return rows


def throttled(reply: Reply) -> None:
    raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")


def of_nothing(reply: Reply) -> float:
    return float("nan")


def of_too_much(reply: Reply) -> float:
    return float(10**400)


def test_a_function_of_ones_own_reads_replies_and_what_it_cannot_read_is_a_bad_reply():
    assert read(b"dog 0.5 8 6 24 18", f"{__name__}:of_corners") == [(1, 0.5, 0.25, 0.25, 0.75, 0.75)]
    with pytest.raises(BadRecord, match=r"of_corners: ValueError: tuple.index\(x\): x not in tuple"):
        read(b"cow 0.5 8 6 24 18", f"{__name__}:of_corners")
    with pytest.raises(BadRecord, match="its reader gave what is no JSON"):
        read(b"", f"{__name__}:of_nothing")
    with pytest.raises(BadRecord, match="of_too_much: OverflowError"):
        read(b"", f"{__name__}:of_too_much")
    with pytest.raises(BadRecord, match="no prediction: its reader gave"):  # one of ours is not guarded
        as_documented(of_too_much, Reply(b"", "1.jpg", (), lambda: SIZE))
    with pytest.raises(ClientError):  # a matter of trying again, and no fault of the image
        read(b"", f"{__name__}:throttled")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (f"{__name__}:of_circles", "has no function of_circles"),
        ("tests.loop.tasks.broken_reader:read", "cannot be imported: "),
    ],
)
def test_a_reader_that_is_not_there_is_told_before_anything_is_asked(output, message):
    with pytest.raises(ConfigurationError, match=message):
        task_of(PIPELINE, output)


def test_a_task_has_only_its_own_readers():
    classes = load_pipeline("digit-classes")
    with pytest.raises(ConfigurationError, match="coco-results is none of image-classification; it has sage"):
        task_of(classes, "coco-results")
