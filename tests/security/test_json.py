"""JSON of strangers: a bad record costs itself, whatever it holds, and leaves by one kind of error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.storage import DEEPEST, Storage, dump, parse
from include.loop.tasks.a2i_output import MOST_BYTES
from include.loop.tasks.detection.answers import read_output
from include.loop.tasks.detection.predictions import read_detections
from include.loop.tasks.detection.task import ObjectDetection
from tests.support.cloud import LocalCloud

CLASSES = ("cat", "dog")
TASK = ObjectDetection(CLASSES, "review")
LINE = {
    "source-ref": "s3://bucket/1.jpg",
    "review": {
        "annotations": [{"class_id": 0, "left": 1, "top": 1, "width": 5, "height": 5}],
        "image_size": [{"width": 10, "height": 10, "depth": 3}],
    },
    "review-metadata": {"creation-date": "2026-11-01T00:00:00"},
}
GOOD = {
    "workerId": "good",
    "submissionTime": "2026-11-01T00:00:00Z",
    "answerContent": {
        "annotatedResult": {
            "boundingBoxes": [{"label": "cat", "left": 1, "top": 1, "width": 5, "height": 5}],
            "inputImageProperties": {"width": 10, "height": 10},
        }
    },
}
OTHER = json.dumps(GOOD | {"workerId": "other"})
# As JSON text: what a stranger may write where a value is expected.
VALUES = {
    "deep list": "[" * 900 + "]" * 900,
    "deep object": '{"a":' * 900 + "1" + "}" * 900,
    "just too deep": "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    "not a number": "NaN",
    "infinity": "-Infinity",
    "1e999": "1e999",
    "thousands of digits": "9" * 5_000,
    "half a character": '"\\ud800"',
}


def put(value: dict[str, Any], path: tuple[Any, ...], text: str) -> str:
    """The value as JSON with this text in one place."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = "HERE"
    return json.dumps(copy).replace('"HERE"', text)


def output(*answers: str) -> bytes:
    return f'{{"humanLoopName": "loop", "humanAnswers": [{",".join(answers)}]}}'.encode()


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "path",
    [("workerId",), ("submissionTime",),
     ("answerContent", "annotatedResult", "boundingBoxes", 0, "label"),
     ("answerContent", "annotatedResult", "boundingBoxes", 0, "left"),
     ("answerContent", "annotatedResult", "inputImageProperties", "width")],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_one_workers_answer_costs_nobody_elses(path: tuple[Any, ...], text: str) -> None:
    answers, rejected = read_output(output(put(GOOD, path, text), OTHER), "loop", CLASSES)
    if path == ("workerId",) and text == VALUES["half a character"]:
        assert [answer.worker for answer in answers] == ["?", "other"]
    else:
        assert ([answer.worker for answer in answers], len(rejected)) == (["other"], 1)
    dump([vars(item) for item in rejected])  # as the quarantine keeps it


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "path",
    [("more",), ("answerContent", "more"), ("timeSpentInSeconds",)],
    ids=["beside", "inside", "seconds"],
)
def test_fields_that_say_nothing_of_the_boxes_cost_no_answer(path: tuple[Any, ...], text: str) -> None:
    """A form may have other elements, a service may add what it likes, and nobody's clock is a label."""
    answers, rejected = read_output(output(put(GOOD, path, text), OTHER), "loop", CLASSES)
    assert (len(answers), rejected) == (2, [])
    assert all(answer.seconds is None for answer in answers)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("submissionTime",), '"0001-01-01T00:00:00+14:00"'),
        (("submissionTime",), '"9999-12-31T23:59:59-14:00"'),
        (("answerContent", "annotatedResult", "inputImageProperties", "width"), "9" * 900),
        (("answerContent", "annotatedResult", "boundingBoxes", 0, "width"), "9" * 900),
    ],
)
def test_times_and_sizes_of_no_world_are_refused(path: tuple[Any, ...], text: str) -> None:
    """Sums of them would end the night: they are no JSON, or no time."""
    answers, rejected = read_output(output(put(GOOD, path, text), OTHER), "loop", CLASSES)
    assert ([answer.worker for answer in answers], len(rejected)) == (["other"], 1)


@pytest.mark.parametrize("text", ['"nan"', "1e300", "-1", '"-5"'])
def test_seconds_of_no_world_are_none(text: str) -> None:
    answers, rejected = read_output(output(put(GOOD, ("timeSpentInSeconds",), text)), "loop", CLASSES)
    assert ([answer.seconds for answer in answers], rejected) == ([None], [])


def test_what_is_told_of_a_bad_answer_is_short_and_one_can_read_it() -> None:
    long = "x" * 1_000_000
    answer = put(GOOD, ("workerId",), json.dumps(long)).replace('"cat"', json.dumps(long))
    [rejected] = read_output(output(answer), "loop", CLASSES)[1]
    assert len(rejected.worker) == len(rejected.reason) == 500
    with pytest.raises(BadRecord) as caught:
        read_output(output(json.dumps(GOOD)).replace(b'"loop"', json.dumps(long).encode()), "loop", CLASSES)
    assert len(str(caught.value)) < 600


def test_an_output_of_any_size_is_refused_unparsed() -> None:
    with pytest.raises(BadRecord, match=r"output\.json is larger than"):
        read_output(b"[" * (MOST_BYTES + 1), "loop", CLASSES)


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("path", [("more",), ("source-ref",), ("review", "annotations", 0, "left")])
def test_a_manifest_line_costs_itself(path: tuple[Any, ...], text: str) -> None:
    with pytest.raises(BadRecord):
        TASK.read_line(put(LINE, path, text).encode())


def test_a_manifest_line_that_says_two_things_is_refused() -> None:
    line = json.dumps(LINE)
    assert TASK.read_line(line.encode()).width == 10
    twice = line.replace('"class_id": 0', '"class_id": 0, "class_id": 1')
    with pytest.raises(BadRecord, match="manifest line is not JSON"):
        TASK.read_line(twice.encode())


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_a_prediction_costs_itself(text: str) -> None:
    for body in (f'{{"prediction": {text}}}', f'{{"prediction": [[0, {text}, 0, 0, 1, 1]]}}'):
        with pytest.raises(BadRecord):
            read_detections(body.encode(), 2)


@pytest.mark.parametrize("depth", [*range(DEEPEST - 2, DEEPEST + 3), *range(940, 1_000, 3)])
def test_what_was_read_can_be_written_from_a_deeper_stack(depth: int) -> None:
    """Python's own limit counts the callers: what one frame could read another could not write."""

    def deeper(frames: int, value: Any) -> bytes:
        return deeper(frames - 1, value) if frames else dump(value)

    try:
        value = parse(b"[" * depth + b"]" * depth)
    except ValueError:
        assert depth > DEEPEST
    else:
        assert depth <= DEEPEST
        assert len(deeper(100, value)) == 2 * depth


@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"not a number", "infinity", "1e999"}))
def test_a_broken_object_of_ours_is_named(cloud: LocalCloud, bucket: str, name: str) -> None:
    storage = Storage(cloud.client("s3"), bucket, "pets")
    storage.write("dataset.json", f'{{"new": {VALUES[name]}}}'.encode())
    for read in (
        storage.read_json,
        storage.find_json,
        storage.find_version,
        lambda x: list(storage.read_lines(x)),
    ):
        with pytest.raises(Fatal, match=rf"s3://{bucket}/pets/dataset\.json is not JSON"):
            read("dataset.json")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.lists(ANY, max_size=3))
@settings(max_examples=100, deadline=None)
def test_whatever_else_is_in_an_output_the_good_answer_is_read(values: list[Any]) -> None:
    body = output(*(json.dumps(value) for value in values), json.dumps(GOOD))
    answers, rejected = read_output(body, "loop", CLASSES)
    assert [answer.worker for answer in answers] == ["good"]
    assert len(rejected) == len(values)
