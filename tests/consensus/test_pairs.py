"""Which boxes of two answers are of one thing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.consensus.boxes import MIN_IOU, Box, TooManyPairs, iou
from include.consensus.pairs import closest_pairs

SIDES = *[st.integers(0, 20)] * 2, *[st.integers(1, 12)] * 2
BOXES = st.lists(st.builds(Box, st.sampled_from(["cat", "dog"]), *SIDES), max_size=12)


def one_by_one(ones: list[Box], others: list[Box], any_label: bool) -> list[tuple[int, int]]:
    """The same by looking at every pair."""
    found = sorted(
        (-iou(one, other), i, j)
        for i, one in enumerate(ones)
        for j, other in enumerate(others)
        if (any_label or one.label == other.label) and iou(one, other) >= MIN_IOU
    )
    pairs: list[tuple[int, int]] = []
    for _, i, j in found:
        if all(i != mine and j != theirs for mine, theirs in pairs):
            pairs.append((i, j))
    return pairs


@given(BOXES, BOXES, st.booleans())
def test_the_closest_boxes_are_pairs_as_if_all_had_been_looked_at(
    ones: list[Box], others: list[Box], any_label: bool
):
    assert closest_pairs(ones, others, any_label) == one_by_one(ones, others, any_label)


def test_a_thousand_boxes_all_over_an_image_find_each_other():
    places = random.Random(1)
    ones = [Box("car", places.uniform(0, 4000), places.uniform(0, 3000), 120, 90) for _ in range(1000)]
    others = [Box("car", box.left + 0.01, box.top - 0.01, 120, 90) for box in ones]
    assert sorted(closest_pairs(ones, others)) == [(place, place) for place in range(1000)]
    rows = [Box("line of text", 100, 20 * place, 900, 18) for place in range(1000)]
    columns = [Box("column", 20 * place, 100, 18, 900) for place in range(1000)]
    assert len(closest_pairs(rows, rows)) == len(closest_pairs(columns, columns)) == 1000


def test_boxes_heaped_on_one_spot_are_refused():
    heap = [Box("car", 100 + place / 100, 100, 200, 200) for place in range(800)]
    with pytest.raises(TooManyPairs):
        closest_pairs(heap, heap[::-1])


def test_boxes_without_an_area_that_a_number_could_hold_pair_with_nothing():
    dust = [Box("dust", 0, 0, 1e-200, 1e-200)]
    assert closest_pairs(dust, dust) == []
