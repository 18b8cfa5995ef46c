"""Object detection as stages see it: what they hand to the task of a pipeline, and what they get from it."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from include.loop.config import Pipeline, load_pipeline
from include.loop.core.errors import BadRecord
from include.loop.tasks import TASKS, task_of
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.values import Origin, ReviewersDisagree

LOOP = "digits-20261101-00112233445566aa"
ORIGIN = Origin("s3://b/1.jpg", "e1", (100, 80), LOOP, "2026-11-01", "top score 0.400 below 0.5")


@pytest.fixture(scope="module")
def task() -> AnyTask:
    return task_of(load_pipeline("digits"))


def output(*answers: list[dict[str, Any]]) -> bytes:
    """A2I's output.json with one worker's boxes each."""
    return json.dumps(
        {
            "humanLoopName": LOOP,
            "humanAnswers": [
                {
                    "workerId": f"w{number}",
                    "submissionTime": f"2026-11-01T08:00:0{number}Z",
                    "answerContent": {
                        "annotatedResult": {
                            "boundingBoxes": boxes,
                            "inputImageProperties": {"width": 100, "height": 80},
                        }
                    },
                }
                for number, boxes in enumerate(answers)
            ],
        }
    ).encode()


def box(label: str, left: int = 10) -> dict[str, Any]:
    return {"label": label, "left": left, "top": 20, "width": 30, "height": 40}


def write_label(task: AnyTask, boxes: list[dict[str, Any]]) -> dict[str, Any]:
    """The line of one worker's boxes."""
    (line,) = task.write_labels([(task.read_answers(output(boxes), LOOP, (100, 80))[0], ORIGIN)])
    assert isinstance(line, dict)
    return line


def test_every_task_that_a_pipeline_may_name_is_there():
    assert set(get_args(Pipeline.model_fields["task"].annotation)) == TASKS.keys()


def test_a_prediction_becomes_what_a_person_begins_with(task: AnyTask):
    said = task.read_prediction(b'{"prediction": [[1, 0.2, 0, 0, 1, 1], [0, 0.9, 0.1, 0.25, 0.4, 0.75]]}')
    assert [(item.class_id, item.score) for item in said] == [(0, 0.9), (1, 0.2)]
    asked = task.question(said, (100, 80), 0.3)
    assert asked["labels"] == list(task.classes)
    assert asked["initialValue"] == [box(task.classes[0])]
    assert task.question(None, (100, 80), 0.3)["initialValue"] == []
    with pytest.raises(BadRecord, match="no prediction: unreadable output"):
        task.read_prediction(b"[0.1, 0.9]")  # a classifier's reply


def test_answers_that_agree_become_a_line_that_is_read_as_the_label_it_is(task: AnyTask):
    zero, one = task.classes[:2]
    answers, rejected = task.read_answers(output([box(zero)], [box(zero, 12)], [box("?")]), LOOP, (100, 80))
    assert [(item.worker, item.labels) for item in answers] == [("w0", [zero]), ("w1", [zero])]
    assert [item.worker for item in rejected] == ["w2"]
    (line,) = task.write_labels([(answers, ORIGIN)])
    assert isinstance(line, dict)
    assert not task.is_negative(line)
    label = task.read_line(json.dumps(line).encode())
    assert (label.source, label.size, label.classes, label.objects) == ("s3://b/1.jpg", (100, 80), (0,), 1)
    assert task.describe(line) == [box(zero, 11)]
    assert task.difficulty(label, [], 0.5) == 1
    doubted = task.read_answers(output([box(zero)], [box(one)]), LOOP, (100, 80))[0]
    again = task.write_labels([(answers, ORIGIN), (doubted, ORIGIN), (answers, ORIGIN)])
    assert [again[0], again[2]] == [line, line]  # each image stands for itself
    assert isinstance(again[1], ReviewersDisagree)
    assert str(again[1]) == "reviewers disagree"


def test_an_answer_without_a_box_is_a_label_that_says_so(task: AnyTask):
    line = write_label(task, [])
    assert task.is_negative(line)
    assert task.read_value(line).classes == ()


def test_labels_of_one_image_are_compared_box_by_box(task: AnyTask):
    def label(*boxes: dict[str, Any]) -> Any:
        return task.read_value(write_label(task, list(boxes)))

    zero, one = task.classes[:2]
    first = label(box(zero), box(one, 60))
    assert task.compare_labels(first, label(box(one, 60), box(zero))).same
    moved = task.compare_labels(first, label(box(zero, 25), box(one, 60)))
    assert not moved.same
    assert sorted(moved.overlaps) == [pytest.approx(1 / 3), 1]
