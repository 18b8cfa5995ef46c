"""What people choose, in every form that crowd elements give it, and what is no class of the pipeline."""

from __future__ import annotations

import pytest

from include.loop.tasks.classification.task import ImageClassification
from tests.loop.tasks.classification.answering import LOOP, MANY, ONE, answers, output

SPARSE = ImageClassification(("4:British_Shorthair", "9:Sphynx", "32:Russian_Blue"), "breed")


@pytest.mark.parametrize("said", ["dog", "1:dog", ["dog"], ["dog", "1:dog"]])
def test_a_class_is_known_by_its_name_or_by_its_number_and_name(said):
    """Of the numbers, a list of labels may have them in front."""
    (answer,) = answers(ONE, said)
    assert (answer.worker, answer.chosen, answer.labels, answer.seconds) == ("w0", (1,), ["dog"], 4.5)


def test_classes_that_are_written_with_numbers_are_names_like_all_others():
    """A list of labels may have gaps, where the number is none of ours."""
    (answer,) = answers(SPARSE, "9:Sphynx")
    assert (answer.chosen, answer.labels) == ((1,), ["9:Sphynx"])
    assert not answers(SPARSE, "Sphynx")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("fox", "unknown label: 'fox' (the pipeline's classes are cat, dog, owl)"),
        ("2:dog", "unknown label: '2:dog' ('dog' is class 1 of the pipeline, not 2; classes whose numbers"),
        ("dog:1", "unknown label: 'dog:1'"),
        (["cat", "dog"], "answer has 2 labels, and an image of this pipeline has one"),
        ([], "answer has no label"),
        (["none of these"], "unknown label: 'none of these'"),
        (None, "answer lacks fields: annotatedResult.label is no text"),
        ([7], "answer lacks fields: annotatedResult.labels is no texts"),
    ],
)
def test_an_answer_that_names_no_class_costs_itself_alone(said, reason):
    usable, rejected = ONE.read_answers(output("cat", said), LOOP, (100, 80))
    assert [item.worker for item in usable] == ["w0"]
    assert [(item.worker, item.reason[: len(reason)]) for item in rejected] == [("w1", reason)]


def test_an_answer_of_another_element_is_told():
    body = output("cat").replace(b'"label"', b'"boundingBoxes"')
    assert "annotatedResult.labels of a multi-select" in ONE.read_answers(body, LOOP, (1, 1))[1][0].reason


def test_of_many_labels_there_may_be_any_number():
    several, single, none, known = answers(MANY, ["owl", "cat", "owl"], "dog", ["none of these"], ["None"])
    assert (several.chosen, several.labels) == ((0, 2), ["cat", "owl"])
    assert single.chosen == (1,)
    assert none.chosen == known.chosen == ()
    assert none.said == ["none of these"]
    _, rejected = MANY.read_answers(output(["none of these", "cat"], []), LOOP, (1, 1))
    assert [item.reason.split(" (")[0] for item in rejected] == [
        "unknown label: 'none of these'",
        "answer has no label",
    ]
