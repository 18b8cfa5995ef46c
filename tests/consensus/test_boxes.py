"""Boxes of several workers by Ground Truth's documented rule: the most similar ones, averaged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.consensus import boxes
from include.consensus.boxes import Box, TooManyPairs, agree_on_boxes, iou

SIDES = *[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2
BOXES = st.builds(Box, st.sampled_from(["cat", "dog"]), *SIDES)


def told(*answers: list[Box]) -> list[tuple[str, float, float, float, float, float]]:
    """Label, mean sides and share of every box that they agree on."""
    return [
        (
            item.label,
            item.mean(lambda box: box.left),
            item.mean(lambda box: box.top),
            item.mean(lambda box: box.width),
            item.mean(lambda box: box.height),
            item.share,
        )
        for item in agree_on_boxes(answers)
    ]


CAT = Box("cat", 10, 10, 20, 20)


def test_sides_are_averaged_and_not_rounded():
    assert told([CAT], [Box("cat", 13, 10, 20, 21)]) == [("cat", 11.5, 10, 20, 20.5, 1)]


def test_more_than_half_of_the_workers_make_a_box_and_nobody_is_in_doubt():
    elsewhere = Box("cat", 70, 70, 10, 10)
    assert [item[-1] for item in told([CAT], [CAT], [elsewhere])] == [pytest.approx(2 / 3)]
    assert told([CAT], []) == []  # exactly half
    assert told([CAT], [Box("dog", 10, 10, 20, 20)]) == []  # of two names
    assert told([CAT, elsewhere]) == [("cat", 10, 10, 20, 20, 1), ("cat", 70, 70, 10, 10, 1)]  # alone


def test_overlap_by_half_is_enough_and_less_is_not():
    half, less = Box("cat", 10, 10, 20, 10), Box("cat", 10, 10, 20, 9.9)
    assert iou(CAT, half) == 0.5
    assert len(told([CAT], [half])) == 1
    assert told([CAT], [less]) == []


def test_the_closest_pairs_are_joined_first_and_never_two_boxes_of_one_worker():
    """Nine workers; the first also draws one that is farther off."""
    near = [Box("cat", 10 + step / 10, 10, 20, 20) for step in range(9)]
    (found,) = agree_on_boxes([[near[0], Box("cat", 15, 10, 20, 20)], *([box] for box in near[1:])])
    assert sorted(box.left for box in found.drawn) == [box.left for box in near]
    assert found.share == 1


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_whole_only_with_itself(one, other):
    assert iou(one, other) == iou(other, one)
    assert 0 <= iou(one, other) <= 1
    assert iou(one, one) == 1


@settings(max_examples=40)
@given(st.lists(st.lists(BOXES, max_size=4, unique=True), min_size=1, max_size=9), st.randoms())
def test_the_order_of_workers_and_boxes_does_not_matter(answers, random):
    mixed = [random.sample(drawn, len(drawn)) for drawn in random.sample(answers, len(answers))]
    assert _parts(answers) == _parts(mixed)


def _parts(answers: list[list[Box]]) -> list[list[tuple[float, ...]]]:
    return sorted(
        sorted((box.left, box.top, box.width, box.height) for box in item.drawn)
        for item in agree_on_boxes(answers)
    )


def test_more_boxes_on_one_spot_than_people_draw_are_refused(monkeypatch):
    monkeypatch.setattr(boxes, "MOST_PAIRS", 1_000)
    with pytest.raises(TooManyPairs, match="lie over each other"):
        agree_on_boxes([[Box("cat", step / 100, 0, 50, 50) for step in range(50)]] * 3)
