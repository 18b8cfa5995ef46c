"""Lines of classification and verification jobs, as Ground Truth writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.review_server.labeling.consolidation import AnsweredObject, JobFacts, consolidate
from include.review_server.labeling.task_types import TASK_TYPES
from tests.review_server.labeling.consolidation.asking import NOW, check_bad_answer, labels, reason

GRADES = ("fine", "scratched", "bad")


def chosen(column: str) -> list[dict[str, Any] | None]:
    """The answers of workers a, b, c: a digit is a category, ``-`` did not answer."""
    return [None if sign == "-" else {"label": GRADES[int(sign)]} for sign in column]


def test_the_classes_of_a_batch_are_those_of_the_method_with_its_confidences():
    found = labels("ImageMultiClass", GRADES, *map(chosen, ("002", "11-", "212", "--0")))
    assert [label for label, _ in found] == [0, 1, 2, 0]
    assert [metadata["confidence"] for _, metadata in found] == [0.89, 0.89, 0.82, 0.63]
    two = labels("TextMultiClass", GRADES[:2], *map(chosen, ("000", "001", "110", "111", "010")))
    assert [(label, metadata["confidence"]) for label, metadata in two] == [
        (0, 0.90),
        (0, 0.80),
        (1, 0.76),
        (1, 0.89),
        (0, 0.72),
    ]


def test_a_class_has_ground_truths_bytes():
    ((label, metadata),) = labels("ImageMultiClass", GRADES, chosen("2"))
    assert json.dumps([label, metadata]) == (
        '[2, {"confidence": 0, "job-name": "labeling-job/grade-r1", "class-name": "bad", '
        '"human-annotated": "yes", "creation-date": "2026-02-11T09:14:03.120551", '
        '"type": "groundtruth/image-classification"}]'
    )


def test_a_verification_has_its_class_as_a_text_and_what_the_workers_remarked():
    bad = {"label": "bad", "workerComment": "one missed"}
    (agreed,) = labels("VerificationBoundingBox", ("good", "bad"), [bad, bad, {"label": "bad"}])
    assert json.dumps(agreed) == (
        '["1", {"class-name": "bad", "confidence": 0.95, "type": "groundtruth/label-verification", '
        '"job-name": "labeling-job/grade-r1", "human-annotated": "yes", '
        '"creation-date": "2026-02-11T09:14:03.120551", '
        '"worker-feedback": [{"comment": "one missed"}, {"comment": "one missed"}]}]'
    )
    ((_, silent),) = labels("VerificationBoundingBox", ("good", "bad"), [bad | {"workerComment": 7}])
    assert "worker-feedback" not in silent  # and a broken comment spoils no class


def test_a_remark_is_cut_and_has_whole_characters_only():
    told = {"label": "bad", "workerComment": "a\0b\ud800" + "c" * 100_000}
    ((_, metadata),) = labels("VerificationBoundingBox", ("good", "bad"), [told])
    ((_, comment),) = metadata["worker-feedback"][0].items()
    assert comment.startswith("ab?ccc")
    assert len(comment) < 1_000


def deep(levels: int) -> Any:
    value: Any = "fine"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"label": "worse"}, "worker w0: label 'worse' is none of the job's categories: 'fine', 'scratched'"),
        ({"label": "x" * 10**6}, "is none of the job's categories"),
        ({"label": deep(10_000)}, "label a list is none"),
        ({"label": 1}, "label 1 is none"),
        ({"label": 10**5000}, "label a number beyond all bounds is none"),
        ({"label": float("nan")}, "label nan is none"),
        ({"labels": ["fine"]}, "answer has no 'label'"),
        (["fine"], "answer is a list, not an object"),
        ("fine", "answer is 'fine', not an object"),
    ],
)  # fmt: skip
def test_a_bad_answer_costs_no_other_answer_and_no_other_object(told, says):
    check_bad_answer("ImageMultiClass", GRADES, {"label": "bad"}, told, says)


def test_without_an_answer_or_the_element_the_reason_says_so():
    assert reason("ImageMultiClass", GRADES) == "nobody answered"
    for content in ({"grade": {"label": "fine"}}, "fine", None):
        (item,) = consolidate(
            TASK_TYPES["ImageMultiClass"],
            JobFacts("a", "b", GRADES, ""),
            [AnsweredObject(0, {}, {"w": content})],
            NOW,
        )
        assert item.failure_reason == (
            "answer of worker w: there is no 'crowd-image-classifier': "
            "the template's element must have this name"
        )


def test_objects_come_back_in_the_order_of_their_numbers_however_they_went_in():
    job, task = JobFacts("a", "b", GRADES, ""), TASK_TYPES["ImageMultiClass"]
    objects = [
        AnsweredObject(number, {}, {w: {task.element: {"label": GRADES[number % 3]}} for w in "ab"})
        for number in (5, 3, 10)
    ]
    straight = consolidate(task, job, objects, NOW)
    assert [item.number for item in straight] == [3, 5, 10]
    assert consolidate(task, job, objects[::-1], NOW) == straight
