"""Planted errors are where they are said to be, the same at every run, and an answer with one is wrong."""

from __future__ import annotations

from collections import Counter

from benchmarks.planted import ERRORS, Planted, faults, plant


def test_the_same_seed_plants_the_same_errors() -> None:
    first, again = plant(7, 12), plant(7, 12)
    assert [(each.shown, each.errors) for each in first] == [(each.shown, each.errors) for each in again]
    assert [each.shown for each in first] != [each.shown for each in plant(8, 12)]


def test_every_kind_of_error_is_there_and_some_pictures_are_right() -> None:
    planted = plant(7, 30)
    assert set(Counter(error for each in planted for error in each.errors)) == set(ERRORS)
    assert sum(not each.errors for each in planted) == 5


def test_what_is_shown_is_wrong_where_something_was_planted_and_nowhere_else() -> None:
    for each in plant(7, 30):
        # A wrong class or place is a box that is missing, and one that should not be there.
        expected = sum(2 if error in ("wrong class", "shifted") else 1 for error in each.errors)
        assert len(faults(_answer(each), each.truth)) == expected, each.errors


def test_the_truth_itself_has_no_faults() -> None:
    for each in plant(7, 6):
        assert faults([vars(box) for box in each.truth], each.truth) == []


def _answer(planted: Planted) -> list[dict[str, object]]:
    return [vars(box) for box in planted.shown]
