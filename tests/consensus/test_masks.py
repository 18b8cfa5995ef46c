"""Label maps of several workers: votes, their neighbours where they differ, and the share that agrees."""

from __future__ import annotations

import numpy as np
import pytest

from include.consensus.masks import Map, agree_on_map


def drawn(*rows: str) -> Map:
    return np.array([[int(sign) for sign in row] for row in rows], dtype=np.uint8)


def told(*maps: Map) -> list[str]:
    return ["".join(map(str, row)) for row in agree_on_map(maps).classes]


def test_one_worker_alone_is_right():
    alone = drawn("0120", "3000")
    assert told(alone) == ["0120", "3000"]
    assert agree_on_map([alone]).share == 1


def test_each_pixel_is_a_vote_and_equal_votes_go_to_the_lowest_class():
    assert told(*[drawn("1111", "1111")] * 2, drawn("2211", "2211")) == ["1111", "1111"]
    assert told(drawn("22"), drawn("11")) == ["11"]
    assert told(drawn("2"), drawn("0")) == ["0"]


def test_what_all_painted_stays_however_thin():
    line = drawn("00000", "22222", "00000")
    assert told(line, line, line) == ["00000", "22222", "00000"]


def test_where_workers_differ_the_pixels_around_decide():
    """Two of three left a hole that the third one painted over, like all around it; a speck goes likewise."""
    whole, hole = drawn("111", "111", "111"), drawn("111", "101", "111")
    assert told(hole, hole, whole) == ["111", "111", "111"]
    empty, speck = drawn("000", "000", "000"), drawn("000", "030", "000")
    assert told(speck, speck, empty) == ["000", "000", "000"]


def test_the_pixels_around_give_no_class_that_nobody_gave_here():
    around = "333", "3{}3", "333"
    one, other = (drawn(*(row.format(sign) for row in around)) for sign in "12")
    assert told(one, one, other) == ["333", "313", "333"]


def test_pixels_outside_of_the_image_have_no_vote():
    assert told(drawn("10"), drawn("10"), drawn("00")) == ["00"]  # around the corner: 2 for 1, 4 for 0
    assert told(drawn("11"), drawn("11"), drawn("01")) == ["11"]


def test_the_share_is_the_mean_over_what_anybody_painted():
    maps = drawn("1100"), drawn("1100"), drawn("1000")
    # The first pixel has three voices; the second has two, and around it 1 has five and 0 four.
    agreed = agree_on_map(maps)
    assert ["".join(map(str, row)) for row in agreed.classes] == ["1100"]
    assert agreed.share == pytest.approx((1 + 2 / 3) / 2)
    assert agree_on_map([drawn("00")] * 3).share == 1
