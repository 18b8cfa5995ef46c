"""Label category files of every age, and what is wrong with others."""

from __future__ import annotations

import json

import pytest

from include.review_server.labeling.categories import parse
from include.review_server.labeling.task_types import TASK_TYPES


def _file(*labels: object, **members: object) -> bytes:
    return json.dumps({"labels": [{"label": label} for label in labels], **members}).encode()


def test_the_order_of_the_file_gives_the_ids():
    boxes, instructions = TASK_TYPES["BoundingBox"], {"shortInstruction": "<p>x</p>"}
    assert parse(_file("rust", "dent"), boxes) == ["rust", "dent"]
    assert parse(b"\xef\xbb\xbf" + _file("Bird", **{"document-version": "2021-05-13"}), boxes) == ["Bird"]
    assert parse(_file("a", "b", instructions=instructions), TASK_TYPES["NamedEntityRecognition"])
    assert len(parse(_file(*range_of(5_000)), TASK_TYPES["ImageMultiClass"])) == 5_000


def range_of(count: int) -> list[str]:
    return [f"class {number}" for number in range(count)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"labels: [dent]", "not JSON"),
        (b"[]", "an object with a list"),
        (b'{"labels": {"label": "dent"}}', "an object with a list"),
        (b'{"labels": ["dent"]}', r"labels\[0\] must be"),
        (_file("dent", ""), r"labels\[1\] must be"),
        (_file("x" * 257), "1 to 256 characters"),
        (_file(7), r"labels\[0\] must be"),
        (_file("dent", "rust", "dent"), "'dent' is there twice"),
        (_file(), "BoundingBox takes 1 to 50"),
        (_file(*range_of(51)), "it has 51 labels"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(text: bytes, says: str):
    with pytest.raises(ValueError, match=says):
        parse(text, TASK_TYPES["BoundingBox"])


def test_one_class_is_nothing_to_choose_from():
    with pytest.raises(ValueError, match="ImageMultiClass takes at least 2"):
        parse(_file("dent"), TASK_TYPES["ImageMultiClass"])
