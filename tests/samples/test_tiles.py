"""A tile shows its piece of the photograph, and the boxes of which enough lies in it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from include.samples.photographs import Photograph
from include.samples.scenes import Box
from include.samples.tiles import LEAST_SHOWN, Region, cut

GREY = Image.new("RGB", (60, 60))
SIDES = st.integers(1, 30)
PLACES = st.integers(0, 30)


def test_pixels_and_boxes_are_those_of_the_place_enlarged():
    image = Image.new("RGB", (60, 60))
    image.paste("white", (20, 10, 30, 18))
    scene = cut(Photograph(image, (Box("tree", 20, 10, 10, 8),)), Region(16, 4, 36, 24), 2)
    assert scene.pixels.shape == (40, 40, 3)
    assert scene.boxes == (Box("tree", 8, 12, 20, 16),)
    bright = np.argwhere(scene.pixels[:, :, 0] > 127)
    assert (bright.min(0).tolist(), bright.max(0).tolist()) == ([12, 8], [27, 27])


@given(PLACES, PLACES, SIDES, SIDES)
def test_a_box_is_clipped_to_its_tile_and_kept_when_enough_of_it_is_seen(left, top, width, height):
    seen = np.zeros((60, 60), bool)
    seen[top : top + height, left : left + width] = True
    inside = seen[15:35, 15:35]
    boxes = cut(Photograph(GREY, (Box("tree", left, top, width, height),)), Region(15, 15, 35, 35), 1).boxes
    # Not of what lies on the limit: 0.4 is no number of a computer.
    if inside.sum() > (LEAST_SHOWN + 0.001) * seen.sum():
        (box,) = boxes
        drawn = np.zeros_like(inside)
        drawn[box.top : box.top + box.height, box.left : box.left + box.width] = True
        assert (drawn == inside).all()
        assert drawn.sum() == box.width * box.height
    elif inside.sum() < (LEAST_SHOWN - 0.001) * seen.sum():
        assert boxes == ()


@given(PLACES, PLACES, st.integers(20, 100), st.integers(20, 100), SIDES, st.integers(1, 30))
def test_the_tiles_of_a_grid_stay_in_their_region_and_overlap_by_their_step_only(
    left, top, wide, high, side, step
):
    region = Region(left, top, left + wide, top + high)
    tiles = region.grid(side, step)
    assert len(set(tiles)) == len(tiles)
    for tile in tiles:
        assert (tile.right - tile.left, tile.bottom - tile.top) == (side, side)
        assert left <= tile.left <= tile.right <= left + wide
        assert top <= tile.top <= tile.bottom <= top + high
    # As many as fit.
    assert len(tiles) == len(range(0, wide - side + 1, step)) * len(range(0, high - side + 1, step))
    assert all(one.apart(other) >= step - side for one, other in combinations(tiles[:20], 2))


@given(PLACES, PLACES, SIDES, PLACES, PLACES, SIDES)
def test_regions_are_apart_when_no_pixel_is_in_both(x, y, side, u, v, other):
    one, two = Region(x, y, x + side, y + side), Region(u, v, u + other, v + other)
    pixels = [{(i, j) for i in range(r.left, r.right) for j in range(r.top, r.bottom)} for r in (one, two)]
    assert (one.apart(two) >= 0) == pixels[0].isdisjoint(pixels[1])
    assert one.apart(two) == two.apart(one)
