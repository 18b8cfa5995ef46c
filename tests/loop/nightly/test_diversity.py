"""The most diverse images are the same ones every time, and none is like another while others are left."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from include.loop.nightly.diversity import describe, farthest_first


def plain(*colour: int) -> Image.Image:
    return Image.new("RGB", (40, 30), colour)


def stripes(*, down: bool) -> Image.Image:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[::8] = pixels[1::8] = 255
    return Image.fromarray(pixels if down else pixels.swapaxes(0, 1).copy())


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.linalg.norm(describe(one) - describe(other)))


def test_pictures_differ_by_their_colours_and_by_their_edges_and_little_by_their_size():
    assert distance(plain(200, 0, 0), plain(0, 0, 200)) > 0.5
    assert distance(stripes(down=True), stripes(down=False)) > 0.1
    larger = stripes(down=True).resize((256, 256))
    assert distance(stripes(down=True), larger) < distance(stripes(down=True), stripes(down=False)) / 2


def test_the_next_one_is_the_farthest_from_all_before_it():
    points = np.array([[0], [10], [4], [5], [9]], np.float32)  # their mean is 5.6
    assert farthest_first(points, 5) == [3, 0, 1, 2, 4]


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 40))
def test_each_is_chosen_once_and_of_equal_ones_a_second_only_after_every_kind(kinds, count):
    points = np.eye(5, dtype=np.float32)[kinds].reshape(-1, 5)
    chosen = farthest_first(points, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(kinds))
    first = [kinds[index] for index in chosen[: len(set(kinds))]]
    assert len(set(first)) == len(first)
    assert farthest_first(points, count) == chosen
