"""Batches have one shape, and jitter moves boxes with their pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from include.algorithms.jitter import jitter
from include.algorithms.object_detection.channels import Example
from include.algorithms.object_detection.dataset import load, moved
from include.algorithms.records import BadRecord


def square(left: int, top: int, side: int = 24) -> Example:
    """A white square on grey, 96 pixels."""
    pixels = np.full((96, 96, 3), 90, np.uint8)
    pixels[top : top + side, left : left + side] = 250
    box = np.array([[2, left / 96, top / 96, (left + side) / 96, (top + side) / 96]], np.float32)
    return Example(pixels, box)


def test_a_bad_record_is_counted_and_named(caplog):
    dataset = load("train", [square(10, 10), BadRecord("train_0[1]", "not an image")], 96)
    assert (len(dataset), dataset.bad) == (1, 1)
    assert "skipping train_0[1]: not an image" in caplog.text


def test_what_is_left_out_of_a_record_is_told_and_the_record_is_used(caplog):
    label = Example(
        square(10, 10).pixels, square(10, 10).boxes, "record 7 of train_0", ("box 2 is flat",) * 30
    )
    with caplog.at_level("INFO"):
        assert len(load("train", [label, BadRecord("x", "y")], 96)) == 1
    lines = caplog.text.splitlines()
    assert sum("train: record 7 of train_0: box 2 is flat" in line for line in lines) == 20
    assert "train: 10 more warnings of this kind" in lines[-2]
    assert "train: 1 images, 1 boxes; 1 records skipped" in lines[-1]


def test_every_batch_has_the_same_shape_and_padding_is_marked():
    examples = [square(10, 10), Example(square(1, 1).pixels, np.empty((0, 5), np.float32))] * 3
    dataset = load("train", examples, 96)
    batches = list(dataset.batches(4, np.random.default_rng(0)))
    assert [(images.shape, boxes.shape) for images, boxes in batches] == [((4, 96, 96, 3), (4, 8, 5))]
    assert set(batches[0][1][:, 0, 0]) == {2.0, -1.0}


def test_a_few_boxes_more_are_no_other_shape():
    crowded = Example(square(1, 1).pixels, np.tile([[2.0, 0.1, 0.1, 0.4, 0.4]], (6, 1)).astype(np.float32))
    few, more = (load("train", [square(10, 10), one], 96) for one in (square(9, 9), crowded))
    (_, narrow), (_, wide) = (next(each.batches(2, np.random.default_rng(0))) for each in (few, more))
    assert narrow.shape == wide.shape


def test_every_other_image_is_mirrored_with_its_boxes_when_that_is_asked_for():
    dataset = load("train", [square(4, 30)] * 16, 96)
    sides = []
    for images, boxes in dataset.batches(16, np.random.default_rng(0), mirrored=True):
        for image, (box, *_) in zip(images, boxes, strict=True):
            xmin, ymin, xmax, ymax = (box[1:] * 96).round().astype(int)
            inside = image[ymin + 2 : ymax - 2, xmin + 2 : xmax - 2]
            assert inside.mean() > image.mean() + 20
            sides.append(xmin > 48)
    assert 3 <= sum(sides) <= 13


def test_the_same_seed_gives_the_same_batches():
    dataset = load("train", [square(at, at) for at in range(0, 60, 6)], 96)
    first, second = (next(dataset.batches(8, np.random.default_rng(3))) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@settings(deadline=None)
@given(st.integers(0, 72), st.integers(0, 72), st.integers(0, 10_000))
def test_a_jittered_box_still_holds_its_square(left, top, seed):
    example = square(left, top)
    pixels, *move = jitter(example.pixels, np.random.default_rng(seed))
    boxes = moved(example.boxes, *move)
    if not len(boxes):
        return  # moved out of the picture
    xmin, ymin, xmax, ymax = boxes[0, 1:] * 96
    grey = pixels.astype(float).mean(-1)
    bright = grey > (grey.min() + grey.max()) / 2
    assert bright[int(ymin + 2) : int(ymax - 1), int(xmin + 2) : int(xmax - 1)].all()
    outside = bright.copy()
    outside[max(0, int(ymin - 1)) : int(ymax + 2), max(0, int(xmin - 1)) : int(xmax + 2)] = False
    assert not outside.any()


def test_jitter_never_turns_light_ink_into_dark():
    example = square(30, 30)
    for seed in range(50):
        pixels, *move = jitter(example.pixels, np.random.default_rng(seed))
        boxes = moved(example.boxes, *move)
        x, y = ((boxes[0, 1:3] + boxes[0, 3:5]) / 2 * 96).astype(int)
        assert pixels[y, x].mean() > np.median(pixels)
