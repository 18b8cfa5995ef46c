"""Lines are written as Ground Truth writes them, byte for byte the same; lines of others are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.errors import BadRecord
from include.loop.core.storage import dump
from include.loop.tasks.detection.answers import Box, BoxAnswer
from include.loop.tasks.detection.consensus import AgreedBox
from include.loop.tasks.detection.manifest import manifest_value
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.tasks.manifest_lines import moment
from include.loop.tasks.values import ClassMapMismatch, Origin

CLASSES = ("cat", "dog", "bird")
TASK = ObjectDetection(CLASSES, "review")
SUBMITTED = datetime(2026, 11, 2, 3, 4, 5, 678000, UTC)


ORIGIN = Origin(
    image="s3://b/pets/images/1.jpg",
    etag="e1",
    size=(100, 80),
    loop="pets-20261101-0123456789abcdef",
    batch="2026-11-01",
    reason="least_confident",
)


def value(*boxes: AgreedBox, submitted=SUBMITTED, **other):
    origin = replace(ORIGIN, **other)
    return manifest_value("review", CLASSES, origin, boxes, submitted, ["w2", "w1"])


def test_a_line_has_ground_truths_shape_for_bounding_boxes():
    line = value(AgreedBox(Box("bird", 1, 2, 3, 4), 0.6667), AgreedBox(Box("cat", 5, 6, 7, 8), 1.0))
    assert line == {
        "source-ref": "s3://b/pets/images/1.jpg",
        "review": {
            "annotations": [
                {"class_id": 2, "left": 1, "top": 2, "width": 3, "height": 4},
                {"class_id": 0, "left": 5, "top": 6, "width": 7, "height": 8},
            ],
            "image_size": [{"width": 100, "height": 80, "depth": 3}],
        },
        "review-metadata": {
            "objects": [{"confidence": 0.6667}, {"confidence": 1.0}],
            "class-map": {"0": "cat", "2": "bird"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2026-11-02T03:04:05.678000",
            "job-name": "a2i/pets-20261101-0123456789abcdef",
        },
        "loop": "pets-20261101-0123456789abcdef",
        "batch": "2026-11-01",
        "etag": "e1",
        "reason": "least_confident",
        "workers": ["w1", "w2"],
    }


def test_who_answers_within_a_second_is_named_in_the_metadata():
    answers = [
        BoxAnswer(f"w{number}", (Box("cat", 5, 6, 7, 8),), 100, 80, SUBMITTED, seconds)
        for number, seconds in enumerate((0.99, 1.0, None, 0.0))
    ]
    slow, fast = TASK.write_labels([(answers[1:3], ORIGIN), (answers, ORIGIN)])
    assert isinstance(slow, dict)
    assert isinstance(fast, dict)
    assert "answered-too-fast" not in slow["review-metadata"]
    assert fast["review-metadata"]["answered-too-fast"] == ["w0", "w3"]
    assert TASK.read_line(dump(fast)).boxes == TASK.read_line(dump(slow)).boxes


def test_an_image_without_objects_keeps_its_size_and_empty_lists():
    line = value()
    assert line["review"] == {"annotations": [], "image_size": [{"width": 100, "height": 80, "depth": 3}]}
    assert (line["review-metadata"]["objects"], line["review-metadata"]["class-map"]) == ([], {})
    assert TASK.read_line(dump(line)).boxes == ()


BOXES = st.builds(
    AgreedBox,
    # Inside the image of 100 x 80: what is clipped can become equal, and equal boxes count once.
    st.builds(Box, st.sampled_from(CLASSES), *[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2),
    st.floats(0.1, 1),
)


@given(st.lists(BOXES, max_size=6), st.text(min_size=1), st.text(min_size=1))
def test_what_is_written_is_one_line_and_reads_back(boxes, name, etag):
    body = dump(value(*boxes, image=f"s3://b/{name}", etag=etag))
    assert b"\n" not in body
    line = TASK.read_line(body)
    assert (line.source, line.value["etag"]) == (f"s3://b/{name}", etag)
    drawn = list(dict.fromkeys(item.box for item in boxes))
    assert [CLASSES[item.class_id] for item in line.boxes] == [box.label for box in drawn]
    assert (line.lost, line.annotations) == ((), len(boxes))
    assert dump(line.value) == body


def test_the_creation_date_is_utc_without_a_zone():
    line = value(submitted=SUBMITTED.astimezone(timezone(timedelta(hours=5))).astimezone(UTC))
    assert line["review-metadata"]["creation-date"] == "2026-11-02T03:04:05.678000"


def ground_truth(**changes):
    line = {
        "source-ref": "s3://b/1.jpg",
        "review": {
            "annotations": [{"class_id": 1, "left": 1, "top": 1, "width": 5, "height": 5}],
            "image_size": [{"width": 10, "height": 10, "depth": 3}],
        },
        "review-metadata": {"class-map": {"1": "dog"}, "creation-date": "2026-01-01T00:00:00"},
        "camera": 3,
    }
    return json.dumps(line | changes).encode()


def test_a_line_of_ground_truth_is_read_with_its_other_keys_kept():
    line = TASK.read_line(ground_truth())
    assert line.source == "s3://b/1.jpg"
    assert line.value["camera"] == 3
    assert line.created == "2026-01-01T00:00:00"


def test_the_length_of_a_line_is_counted_in_characters():
    line = ground_truth(note="").replace(b'"note": ""', f'"note": "{"é" * 60_000}"'.encode())
    assert len(line) > 100_000
    assert TASK.read_line(line).width == 10


def annotation(**changes):
    one = {"class_id": 1, "left": 1, "top": 1, "width": 5, "height": 5} | changes
    return {"annotations": [one], "image_size": [{"width": 10, "height": 10}]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b'{"a": "' + b"x" * 100_000 + b'"}', "longer than 100,000"),
        (ground_truth(camera=float("nan")), "not JSON"),
        (ground_truth(camera=3).replace(b'"camera": 3', b'"camera": 1e999'), "not JSON"),
        (ground_truth(camera="\ud800"), "not JSON"),
        (b"[]", "lacks source-ref"),
        (ground_truth(**{"source-ref": "/tmp/1.jpg"}), "lacks source-ref (an S3 URI)"),
        (ground_truth(**{"source-ref": "s3://bucket"}), "lacks source-ref (an S3 URI)"),
        (ground_truth(review=None), "review"),
        (b'{"source-ref": "s3://b/1.jpg"}', "has no label 'review'"),
        (ground_truth(review=annotation(class_id=3)), "class_id 3 is not one of the pipeline's 3 classes"),
        (ground_truth(review=annotation(class_id=-1)), "review.annotations.0.class_id"),
        (ground_truth(review=annotation(width="wide")), "review.annotations.0.width"),
        (ground_truth(review={"annotations": [], "image_size": []}), "review.image_size"),
    ],
)
def test_a_line_that_cannot_be_trained_on_is_refused_with_its_reason(line, reason):
    with pytest.raises(BadRecord) as caught:
        TASK.read_line(line)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("class_map", "reason"),
    [
        ({"1": "horse"}, "class_id 1 is 'horse' in the line's class-map, but 'dog' in the pipeline"),
        ({"1": "dog", "0": "Cat"}, "class_id 0 is 'Cat' in the line's class-map, but 'cat' in the pipeline"),
        ({"3": "fish"}, "class_id 3 is 'fish' in the line's class-map, but the pipeline has 3 classes only"),
        (
            {"one": "dog"},
            "class_id one is 'dog' in the line's class-map, but the pipeline has 3 classes only",
        ),
        ({"01": "cat"}, "class_id 01 is 'cat' in the line's class-map, but 'dog' in the pipeline"),
        ({"": "cat"}, "class_id  is 'cat' in the line's class-map, but the pipeline has 3 classes only"),
        ({"1": 7}, "class_id 1 is 7 in the line's class-map, but 'dog' in the pipeline"),
    ],
)
def test_a_line_of_another_list_of_classes_is_told_from_other_bad_lines(class_map, reason):
    with pytest.raises(ClassMapMismatch) as caught:
        TASK.read_line(ground_truth(**{"review-metadata": {"class-map": class_map}}))
    assert str(caught.value) == reason


@pytest.mark.parametrize("metadata", [None, [], "x", {}, {"class-map": None}, {"class-map": []}])
def test_a_line_without_names_of_its_classes_is_taken_at_its_numbers(metadata):
    line = TASK.read_line(ground_truth(**{"review-metadata": metadata}))
    assert [box.class_id for box in line.boxes] == [1]


@pytest.mark.parametrize("key", ["1", "01", "0001"])
def test_keys_of_a_class_map_are_numbers_that_may_be_filled_up_with_zeros(key):
    metadata = {"class-map": {"00": "cat", key: "dog"}}
    assert TASK.read_line(ground_truth(**{"review-metadata": metadata})).boxes


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16"),  # with a byte order mark
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_every_line_of_a_manifest_in_another_encoding_is_refused_by_its_name(encoding, name):
    text = "".join(
        json.dumps({"source-ref": f"s3://b/é{n}.jpg"}, ensure_ascii=False) + "\n" for n in range(3)
    )
    lines = [line for line in text.encode(encoding).split(b"\n") if line.strip(b"\0")]
    assert len(lines) == 3
    for line in lines:
        with pytest.raises(BadRecord, match=f"^manifest is {name}; save it as UTF-8$"):
            TASK.read_line(line)


def test_a_byte_order_mark_of_utf_8_does_no_harm_and_a_torn_line_of_zeros_is_no_other_encoding():
    assert TASK.read_line(b"\xef\xbb\xbf" + ground_truth()).width == 10
    with pytest.raises(BadRecord, match="is not JSON"):
        TASK.read_line(b"\0" * 100)


@pytest.mark.parametrize("label", [{"review": annotation()}, {"review": {}}, {}])
def test_an_object_that_ground_truth_could_not_get_labelled_is_no_image_of_nothing(label):
    failed = {"review-metadata": {"failure-reason": "ClientError: the image could not be read"}}
    line = {"source-ref": "s3://b/1.jpg"} | failed | label
    with pytest.raises(BadRecord) as caught:
        TASK.read_line(json.dumps(line).encode())
    assert str(caught.value) == (
        "the image was not labelled: failure-reason: ClientError: the image could not be read"
    )


def test_times_are_compared_as_times_and_without_a_zone_they_are_utc():
    ordered = [
        "yesterday",
        "0001-01-01T00:00:00+23:59",  # earlier than what a datetime of UTC can say
        "2026-10-01",
        "2026-10-02T01:00:00",
        "2026-10-02T03:30:00+02:00",
        "2026-10-02T02:00:00Z",
        "2026-10-01T23:30:00-05:00",
        "9999-12-31T23:59:59-23:59",
    ]
    assert sorted(ordered[3:] + ordered[:3], key=moment)[2:] == ordered[2:]
    assert moment("2026-10-02T01:00:00.5") == moment("2026-10-02T03:00:00.500+02:00")
    assert moment("") == moment("1. 10. 2026") < moment("2026-10-01")


@given(st.binary(max_size=300))
def test_no_bytes_whatever_crash_the_reader(line):
    with pytest.raises(BadRecord):
        TASK.read_line(line)
