"""Boxes of an image beside reference boxes, on a picture of 100 by 100 pixels."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from include.loop.analysis.matching import Match, match

A, B, EMPTY = (10, 10, 40, 40), (60, 60, 20, 20), ()


def matched(boxes: tuple, references: tuple, confidences: tuple = ()) -> Match:
    ours, theirs = (np.array(side, dtype=float).reshape(-1, 4) for side in (boxes, references))
    return match(ours, theirs, confidences)


@pytest.mark.parametrize(
    ("boxes", "references", "iou"),
    [
        ((A,), (A,), 1.0),
        ((A, B), (A,), 0.5),
        ((A,), (A, B), 0.5),
        (((0, 0, 10, 10),), ((50, 50, 10, 10),), 0.0),
        (EMPTY, EMPTY, 1.0),
        (EMPTY, (A,), 0.0),
        ((A,), EMPTY, 0.0),
    ],
)
def test_an_images_iou_counts_invented_and_missed_boxes_as_nothing(
    boxes: tuple, references: tuple, iou: float
) -> None:
    assert matched(boxes, references).iou == iou


def test_the_surest_box_chooses_first_though_another_lies_closer() -> None:
    found = matched((A, (12, 10, 40, 40)), (A,), (0.6, 0.9))
    assert found.pairs == ((1, 0),)
    assert found.iou == pytest.approx(1520 / 1680 / 2)
    assert round(found.iou, 4) == 0.4524


def test_among_equally_sure_boxes_the_closest_pair_comes_first_in_whatever_order() -> None:
    boxes = ((12, 10, 40, 40), A, (70, 60, 20, 20))
    scores = {round(matched(order, (B, A)).iou, 9) for order in permutations(boxes)}
    assert scores == {round((1 + 200 / 600) / 3, 9)}


def test_boxes_that_touch_or_have_no_area_do_not_lie_together() -> None:
    assert matched(((0, 0, 10, 10), (5, 5, 0, 0)), ((10, 0, 10, 10), (5, 5, 0, 0))).pairs == ()
