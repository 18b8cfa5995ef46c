"""The strategies that judge the scores of classes: margin, entropy, and those that the model gets wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.strategies import ImageScores, entropy, margin, misclassified
from include.loop.tasks.classification.values import ClassScore

CLASSES = ("cat", "dog", "bird")
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=9)


def image(*scores: float, many: bool = False, reference: set[int] | None = None) -> ImageScores:
    said = sorted((ClassScore(index, score) for index, score in enumerate(scores)), key=lambda s: -s.score)
    known = None if reference is None else frozenset(reference)
    return ImageScores(said, 0.5, multi_label=many, reference=known, classes=CLASSES)


def test_the_margin_is_that_of_the_best_two_and_the_closest_come_first():
    wavering, sure = margin.doubt(image(0.1, 0.42, 0.48), 0.2), margin.doubt(image(0.05, 0.05, 0.9), 0.2)
    assert (wavering.ask, wavering.reason) == (True, "margin 0.060 below 0.2")
    assert (sure.ask, sure.reason) == (False, "margin 0.850")
    assert wavering.urgency > sure.urgency
    assert margin.doubt(image(), 0.2).ask


def test_with_many_labels_the_least_certain_class_decides():
    one_open = image(0.99, 0.52, 0.01, many=True)
    assert margin.doubt(one_open, 0.2).reason == "margin 0.040 below 0.2"
    assert entropy.doubt(one_open, 0.9).reason == "entropy 0.999 above 0.9"
    for decided in (image(0.99, 0.98, 0.01, many=True), image(0.01, 0.01, 0.01, many=True)):
        assert not margin.doubt(decided, 0.2).ask  # none of them is an answer as well
        assert not entropy.doubt(decided, 0.9).ask


@pytest.mark.parametrize("classes", [2, 3, 1000])
def test_entropy_is_one_without_any_idea_and_zero_with_certainty_however_many_classes_there_are(classes):
    assert entropy.doubt(image(*[1 / classes] * classes), 0.99).urgency == pytest.approx(1)
    assert entropy.doubt(image(1.0, *[0.0] * (classes - 1)), 0).ask is False


def test_entropy_tells_apart_what_the_best_score_does_not():
    """Two rivals, or the rest spread over all others."""
    two, spread = image(0.5, 0.5, 0, 0, 0), image(0.5, 0.125, 0.125, 0.125, 0.125)
    assert entropy.doubt(two, 0.7).ask is False
    assert entropy.doubt(spread, 0.7).ask is True


@given(SCORES, st.booleans(), st.floats(0, 1), st.randoms())
def test_neither_depends_on_the_order_of_the_classes(scores, many, threshold, random):
    given = image(*scores, many=many)
    shuffled = replace(given, scores=random.sample(list(given.scores), len(given.scores)))
    for rule in (margin.doubt, entropy.doubt):
        assert rule(given, threshold).urgency == pytest.approx(rule(shuffled, threshold).urgency)
        assert 0 <= rule(given, threshold).urgency <= 1


def test_what_the_model_gets_wrong_is_asked_and_what_nobody_knows_is_not():
    wrong = misclassified.doubt(image(0.2, 0.7, 0.1, reference={2}), 0.99)
    assert (wrong.ask, wrong.reason) == (True, "said dog, reference bird")
    assert not misclassified.doubt(image(0.2, 0.7, 0.1, reference={1}), 0.99).ask
    unknown = misclassified.doubt(image(0.2, 0.7, 0.1), 0.99)
    assert (unknown.ask, unknown.reason) == (False, "no reference label")


def test_with_many_labels_one_too_many_or_too_few_is_a_mistake():
    said = (0.9, 0.6, 0.1)
    assert not misclassified.doubt(image(*said, many=True, reference={0, 1}), 0.5).ask
    many = misclassified.doubt(image(*said, many=True, reference={0}), 0.5)
    assert (many.ask, many.reason) == (True, "said cat and dog, reference cat")
    few = misclassified.doubt(image(*said, many=True, reference={0, 1}), 0.7)
    assert (few.ask, few.reason) == (True, "said cat, reference cat and dog")
    none = misclassified.doubt(image(0.1, 0.1, 0.1, many=True, reference=set()), 0.5)
    assert (none.ask, none.reason) == (False, "said nothing, reference nothing")
