"""What is drawn of a classifier, and how far two of its answers are apart."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from include.loop.tasks.classification.difference import largest_difference
from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.classification.values import ClassScore, LabelledImage

ONE = ImageClassification(("cat", "dog", "emu"), "review")
MANY = ImageClassification(("cat", "dog", "emu"), "review", multi_label=True)
CAT = LabelledImage("s3://b/1.png", (0,), "", {})
SCORES = st.lists(st.floats(0, 1), min_size=3, max_size=3)


def says(*scores: float) -> list[ClassScore]:
    return sorted(map(ClassScore, range(3), scores), key=lambda item: -item.score)


@pytest.mark.parametrize(
    ("task", "label", "prediction", "told"),
    [
        (ONE, CAT, says(0.7, 0.2, 0.1), "cat 0.70 (right)"),
        (ONE, CAT, says(0.2, 0.7, 0.1), "dog 0.70 (wrong)"),
        (ONE, CAT, [], "no prediction"),
        (MANY, CAT, says(0.7, 0.6, 0.1), "1 right, 1 wrong"),
        (MANY, CAT, says(0.2, 0.4, 0.1), "1 missed"),
        (MANY, LabelledImage("", (), "", {}), says(0.2, 0.4, 0.1), "nothing"),
    ],
)
def test_a_picture_stands_above_its_label_and_what_was_said_of_it(
    task: ImageClassification, label: LabelledImage, prediction: list[ClassScore], told: str
) -> None:
    picture = Image.new("RGB", (300, 200), "green")
    drawn = task.draw(picture, label, prediction, 0.5)
    assert drawn.told == told
    assert drawn.picture.width == 300
    assert drawn.picture.height > 200
    assert (np.asarray(drawn.picture)[:200] == np.asarray(picture)).all()
    assert picture.size == (300, 200)


def test_what_a_model_says_can_be_shown_without_a_label() -> None:
    shown = ONE.show(Image.new("RGB", (300, 200)), says(0.7, 0.2, 0.1), 0.5)
    again = ONE.show(Image.new("RGB", (300, 200)), says(0.6, 0.3, 0.1), 0.5)
    assert shown.size == again.size
    assert shown.tobytes() != again.tobytes()  # the bars are as long as the scores


@given(SCORES, SCORES, st.randoms())
def test_two_answers_differ_by_their_largest_difference_of_a_class(
    one: list[float], other: list[float], random: Random
) -> None:
    expected, answer = says(*one), says(*other)
    random.shuffle(answer)
    assert largest_difference(expected, answer) == max(abs(a - b) for a, b in zip(one, other, strict=True))
    assert largest_difference(answer, answer[::-1]) == 0


def test_a_class_that_one_answer_lacks_is_its_whole_score_away() -> None:
    assert ONE.difference(says(0.7, 0.2, 0.1), [ClassScore(1, 0.2), ClassScore(2, 0.1)]) == 0.7
    assert ONE.difference(says(0.7, 0.2, 0.1), []) == 0.7
    assert (ONE.says_something(says(0.4, 0.3, 0.3)), ONE.says_something([])) == (True, False)
