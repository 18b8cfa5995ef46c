"""Manifests as people write them: what goes out, what is labeled already, and what fails, alone or whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.review_server.labeling.input_lines import BadManifest, InputLine, cut, judged
from include.review_server.labeling.task_types import TASK_TYPES, TaskType

BOXES = TASK_TYPES["BoundingBox"]
REF = "s3://bucket/1.jpg"


def _line(kind: TaskType | None = BOXES, attribute: str = "box", **members: Any) -> InputLine:
    return judged(json.dumps(members), attribute, kind)


def _box(attribute: str, **metadata: Any) -> dict[str, Any]:
    label = {"image_size": [{"width": 9, "height": 9, "depth": 3}], "annotations": []}
    return {attribute: label, f"{attribute}-metadata": {"type": "groundtruth/object-detection", **metadata}}


def test_lines_end_at_line_feeds_only_and_blank_ones_are_no_objects():
    text = '\ufeff{"source": "a\u2028b"}\r\n\n  \n{"source": "c\x85d"}\n{"sour'.encode()
    lines, used = cut(text, is_first=True, is_last=False)
    assert lines == ['{"source": "a\u2028b"}', '{"source": "c\x85d"}']
    assert text[used:] == b'{"sour'
    assert cut(text[used:], is_first=False, is_last=True) == (['{"sour'], 6)


@pytest.mark.parametrize(
    ("piece", "says"),
    [
        (b"x" * 5000, "more than 5,000 bytes"),
        ('{"source": "ä"}\n'.encode("latin-1"), "no UTF-8 text"),
        ('{"source": "a"}\n'.encode("utf-16-le"), "NUL"),
    ],
)
def test_what_is_no_text_of_lines_is_no_manifest(piece: bytes, says: str):
    with pytest.raises(BadManifest, match=says):
        cut(piece, is_first=True, is_last=False)


def test_a_good_line_goes_out_as_it_came():
    text = '{ "source-ref" : "s3://bucket/1.jpg",  "camera": 3.00, "id": "9e999", "small": 1e-999 }'
    line = judged(text, "box", BOXES)
    assert (line.text, line.problem, line.is_labeled) == (text, None, False)
    assert line.image
    assert line.image.uri == REF
    text = json.dumps({"source": "\u00e9" * 20_000}, ensure_ascii=False)
    assert judged(text, "mood", TASK_TYPES["TextMultiClass"]).problem is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "no JSON object"),
        ('{"source-ref": NaN}', "not JSON"),
        ("{}", "neither source-ref nor source"),
        ('{"source-ref": "s3://b2b/k", "source": "t"}', "both source-ref and source"),
        ('{"source-ref": "s3://bucket/1.jpg", "x": 1e999}', "a number that is too large"),
        ('{"source-ref": "s3://bucket/1.jpg", "x": [-1' + "0" * 400 + ".5]}", "a number that is too large"),
        ('{"source-ref": 7}', "must be a text"),
        ('{"source-ref": ""}', "must be a text"),
        ('{"source-ref": "/home/me/1.jpg"}', "is not an S3 location"),
        ('{"source-ref": "s3://bucket/\\ud800.jpg"}', "half a character"),
        ('{"source-ref": "s3://bucket"}', "names a bucket and no object"),
        ('{"source": "words"}', "an object of BoundingBox is an image in S3"),
        ('{"source-ref": "s3://bucket/1.jpg", "$x": 1}', "begins with $"),
        ('{"source-ref": "s3://bucket/1.jpg", "x": "' + "x" * 20_001 + '"}', "'x' has 20,001 characters"),
        ('{"source-ref": "s3://bucket/1.jpg"' + " " * 100_000 + "}", "100,000 are allowed"),
        ("[" * 20_000, "not JSON"),
    ],
)
def test_what_is_wrong_with_a_line_fails_its_object_with_the_reason(text: str, says: str):
    assert says in (judged(text, "box", BOXES).problem or "")


def test_texts_are_asked_about_as_source():
    problem = _line(TASK_TYPES["NamedEntityRecognition"], **{"source-ref": REF}).problem
    assert problem == "an object of NamedEntityRecognition is a text: write it as source"


def test_a_custom_task_may_be_about_anything():
    assert _line(None, source="words").problem is None
    assert _line(None, **{"source-ref": "s3://bucket/1.wav"}).image is None
    assert _line(None, **{"source-ref": REF}).image


def test_a_line_that_has_the_label_keeps_it_unless_that_job_failed_at_it():
    ref: dict[str, Any] = {"source-ref": REF}
    assert _line(**ref, **_box("box")).is_labeled
    assert _line(TASK_TYPES["ImageMultiClass"], "grade", **ref, grade=0).is_labeled
    assert not _line(**ref, **_box("box", **{"failure-reason": "expired"})).is_labeled
    failed: dict[str, Any] = {"box-metadata": {"failure-reason": "expired"}}
    assert not _line(**ref, **failed).is_labeled
    assert not _line(**ref, box=None).is_labeled
    assert not _line(**ref, **_box("other")).is_labeled


def test_a_review_needs_a_label_to_review():
    adjust, verify = TASK_TYPES["AdjustmentBoundingBox"], TASK_TYPES["VerificationBoundingBox"]
    ref: dict[str, Any] = {"source-ref": REF}
    assert _line(adjust, "box-2", **ref, **_box("box")).problem is None
    assert "no label to review" in (_line(adjust, "box-2", **ref).problem or "")
    assert "no label to review" in (_line(verify, "check", **ref, grade=1).problem or "")
    assert _line(adjust, "box-2", **ref, **_box("box"), **_box("box-2")).is_labeled
    with pytest.raises(BadManifest, match="'box' is the attribute under review"):
        _line(adjust, "box", **ref, **_box("box"))


def test_masks_without_colours_cannot_be_reviewed():
    adjust = TASK_TYPES["AdjustmentSemanticSegmentation"]

    def mask(colours: Any) -> dict[str, Any]:
        metadata = {"type": "groundtruth/semantic-segmentation", "internal-color-map": colours}
        return {"source-ref": REF, "seg-ref": "s3://bucket/1.png", "seg-ref-metadata": metadata}

    assert _line(adjust, "b-ref", **mask({"0": {"hex-color": "#ffffff"}})).problem is None
    for colours in ({"0": {"class-name": "road"}}, None, {"0": "#ffffff"}):
        with pytest.raises(BadManifest, match="hex-color"):
            _line(adjust, "b-ref", **mask(colours))
