"""Which cells answer for which box."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from include.algorithms.object_detection.loss import Targets, assign, overlap_loss
from include.algorithms.object_detection.network import cells
from include.algorithms.object_detection.predict import decode

CENTRES, STRIDES = (jnp.asarray(array) for array in cells(128))


COMPILED = jax.jit(assign)
PADDING = [-1.0] * 5


def targets(*boxes):
    filled = [*boxes, PADDING, PADDING][:2]  # one shape, one compilation
    found = COMPILED(jnp.asarray([filled], jnp.float32), CENTRES, STRIDES)
    return np.asarray(found.classes[0]), np.asarray(found.distances[0])


def test_the_grids_cover_the_image_at_three_strides():
    assert len(CENTRES) == 16 * 16 + 8 * 8 + 4 * 4
    assert CENTRES[:2].tolist() == [[4.0, 4.0], [12.0, 4.0]]
    assert len(cells(300)[0]) == 40 * 40 + 20 * 20 + 10 * 10  # 300 is filled up to 320


@pytest.mark.parametrize(("side", "stride"), [(30, 8), (90, 16), (126, 32)])
def test_a_box_belongs_to_the_grid_that_suits_its_size(side, stride):
    classes, _ = targets([3, 1, 1, 1 + side, 1 + side])
    chosen = classes == 3
    assert chosen.any()
    assert set(np.asarray(STRIDES)[chosen]) == {stride}
    assert (classes[~chosen] == -1).all()


def test_what_a_cell_should_say_decodes_to_its_box():
    box = [5.0, 20.0, 40.0, 52.0, 80.0]
    classes, distances = targets(box)
    boxes = np.asarray(decode(jnp.asarray(distances), CENTRES, STRIDES))[classes == 5]
    np.testing.assert_allclose(boxes, np.tile(box[1:], (len(boxes), 1)), rtol=1e-4)


def test_a_box_thinner_than_a_cell_still_has_one():
    classes, _ = targets([1, 61, 10, 63, 40])
    assert (classes == 1).sum() >= 1


def test_of_two_boxes_in_one_place_the_smaller_is_answered_for():
    classes, _ = targets([1, 10, 10, 60, 60], [2, 30, 30, 44, 44])
    middle = int(np.argmin(np.abs(np.asarray(CENTRES[:256]) - 37).sum(1)))
    assert classes[middle] == 2


def test_padding_is_nobody():
    classes, _ = targets([-1, -1, -1, -1, -1], [-1, 0, 0, 40, 40])
    assert (classes == -1).all()


def test_the_overlap_loss_is_one_minus_the_generalised_iou():
    """What a cell says of a box of 4 by 4 about its centre."""
    theirs = jnp.log(jnp.array([[[2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0]]]))
    there = Targets(jnp.array([[0, -1]]), theirs)

    def loss(*sides):
        row = [jnp.log(jnp.array(sides)), jnp.zeros(4)]
        return float(overlap_loss(jnp.stack(row)[None], there))

    assert loss(2.0, 2.0, 2.0, 2.0) == pytest.approx(0, abs=1e-6)
    assert loss(2.0, 2.0, 1e-9, 2.0) == pytest.approx(0.5, abs=0.01)
    # A box of 8 by 2: they share 8 and fill 24 of the 32 of the smallest box around both.
    assert loss(4.0, 1.0, 4.0, 1.0) == pytest.approx(1 - (8 / 24 - (32 - 24) / 32), abs=1e-5)
