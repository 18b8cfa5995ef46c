"""How far two answers of classifiers to the same image are apart."""

from __future__ import annotations

from collections.abc import Sequence

from include.loop.tasks.classification.values import ClassScore


def largest_difference(expected: Sequence[ClassScore], answer: Sequence[ClassScore]) -> float:
    """The largest difference of a class's two scores, in whatever order; a class that one of them does not
    speak of has the score 0 there.
    """
    one = {item.class_id: item.score for item in expected}
    other = {item.class_id: item.score for item in answer}
    return max((abs(one.get(index, 0.0) - other.get(index, 0.0)) for index in one | other), default=0.0)
