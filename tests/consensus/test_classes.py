"""Class consensus by the numbers that Ground Truth's own results were reproduced with."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from include.consensus.classes import MOST_OBJECTS, agree_on_class, agree_on_labels


def told(*columns: str) -> list[dict[str, int]]:
    """One object for each text: the answers of workers a, b, c; ``-`` did not answer."""
    return [
        {worker: int(label) for worker, label in zip("abc", column, strict=False) if label != "-"}
        for column in columns
    ]


@pytest.mark.parametrize(
    ("answers", "classes", "labels", "probabilities", "confidences"),
    [
        (
            ("000", "001", "110", "111", "010"),
            2,
            [0, 0, 1, 1, 0],
            [0.9445, 0.8339, 0.7941, 0.9289, 0.7403],
            [0.90, 0.80, 0.76, 0.89, 0.72],
        ),
        (("001",), 2, [0], [0.9190], [0.88]),
        (("001",), 10, [0], [0.9999], [0.95]),
        (("111",), 2, [1], [0.9993], [0.95]),
        (("111",), 20_000, [1], [1.0], [0.95]),  # no table of all classes by all classes
        (("01",), 2, [0], [0.5], [0.50]),
        (
            ("002", "11-", "212", "--0"),
            3,
            [0, 1, 2, 0],
            [0.9293, 0.9279, 0.8526, 0.6458],
            [0.89, 0.89, 0.82, 0.63],
        ),
    ],
)
def test_labels_and_confidences_are_ground_truths(answers, classes, labels, probabilities, confidences):
    found = agree_on_class(told(*answers), classes)
    assert [item.label for item in found] == labels
    assert [item.probability for item in found] == pytest.approx(probabilities, abs=5e-5)
    assert [item.confidence for item in found] == confidences


def test_equally_probable_classes_are_told():
    (found,) = agree_on_class(told("01"), 2)
    assert (found.tied, found.label) == (True, 0)
    assert not any(item.tied for item in agree_on_class(told("000", "001", "110"), 2))


def test_who_is_alone_is_right_and_nobody_is_sure():
    """However rare the class: there is no second answer by which a worker could be judged."""
    found = agree_on_class([{"a": 0}] * 49 + [{"b": 1}], 2)
    assert [item.label for item in found] == [0] * 49 + [1]
    assert {item.confidence for item in found} == {0}


def test_objects_beyond_the_fiftieth_are_judged_by_themselves():
    many = told("000", "001", "110", "111", "010") * 11
    together, alone = agree_on_class(many, 2), agree_on_class(many[MOST_OBJECTS:], 2)
    assert together[MOST_OBJECTS:] == alone
    assert together[:5] != alone  # fifty answers tell more of a worker than five


def test_the_order_of_the_answers_says_nothing():
    straight = told("002", "112", "212")
    turned = [dict(reversed(item.items())) for item in straight]
    assert agree_on_class(straight, 3) == agree_on_class(turned, 3)


def test_each_of_many_labels_is_a_question_of_its_own():
    """Label 7 has the votes 000 001 110 111 010 of the first vector, label 3 those of its complement."""
    votes = told("000", "001", "110", "111", "010")
    found = agree_on_labels(
        [{who: {7} if vote else {3} for who, vote in answers.items()} for answers in votes]
    )
    assert [sorted(item) for item in found] == [[3], [3, 7], [3, 7], [7], [3, 7]]
    # 0.05 + 0.9 times the probability that it is one, also where it probably is none.
    assert [item[7].confidence for item in found if 7 in item] == [0.20, 0.76, 0.89, 0.28]
    assert [item[7].label for item in found if 7 in item] == [0, 1, 1, 0]
    assert [item[3].confidence for item in found if 3 in item] == [0.90, 0.80, 0.24, 0.72]


def test_no_label_at_all_is_an_answer_as_well():
    assert agree_on_labels([{"a": set(), "b": set()}]) == [{}]
    (alone,) = agree_on_labels([{"a": {2, 0}}])
    assert {label: (item.label, item.confidence) for label, item in alone.items()} == {0: (1, 0), 2: (1, 0)}
    (tied,) = agree_on_labels([{"a": {1}, "b": set()}])
    assert tied[1].tied


def test_a_published_job_comes_out_label_by_label_and_confidence_by_confidence():
    text = Path(__file__).with_name("published_job.txt").read_text()
    rows = [line.split() for line in text.split("\n") if line and not line.startswith("#")]
    found, published = [], []
    for _, request in groupby(rows, key=lambda row: row[0]):
        objects = list(request)
        published += [(int(label), float(confidence)) for *_, label, confidence in objects]
        answers = [dict(answer.split(":") for answer in row[1:-2]) for row in objects]
        told = [{worker: int(label) for worker, label in item.items()} for item in answers]
        found += [(item.label, item.confidence) for item in agree_on_class(told, 10)]
    assert len(published) == 302
    assert found == published
