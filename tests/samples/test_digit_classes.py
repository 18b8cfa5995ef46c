"""The sample of classes: one digit a picture, lines of a classification job, the class as truth."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from include.samples.data_set import Sample
from include.samples.digit_classes import generate, main
from include.samples.digits import CLASSES
from include.samples.scenes import SINGLE_SIDE, draw_single


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_sample_has_the_label_of_each_picture_and_reviewers_know_the_rest(tmp_path, capsys):
    counts = ["--train", "12", "--validation", "2", "--test", "2", "--batches", "2", "--batch-images", "3"]
    main(["--seed", "7", "--out", str(tmp_path), *counts])
    assert "night-2026-11-02: 3 images" in capsys.readouterr().out
    train = lines(tmp_path / "initial/train.manifest")
    assert len({line["review"] for line in train}) > 3
    for index, line in enumerate(train):
        assert line["source-ref"].startswith("s3://nightloop-local/digit-classes/initial/images/")
        picture = Image.open(tmp_path / line["source-ref"].split("/", 4)[4])
        assert picture.size == (SINGLE_SIDE, SINGLE_SIDE)
        # The seed and the part's number are the words of a scene.
        (box,) = draw_single("day", "learning", 7, 0, index).boxes
        assert CLASSES[line["review"]] == box.label == line["review-metadata"]["class-name"]
        assert line["review-metadata"]["type"] == "groundtruth/image-classification"
    truth = lines(tmp_path / "truth.jsonl")
    assert len(truth) == 2 * 2 + 2 * 3
    assert all(record["class"] in CLASSES for record in truth)
    again = tmp_path / "again"
    generate(Sample(7, 12, 2, 2, 2, 3, pipeline="digit-classes"), again)
    assert (again / "truth.jsonl").read_bytes() == (tmp_path / "truth.jsonl").read_bytes()


def test_a_single_digit_is_whole_and_nearly_fills_its_picture():
    for index in range(300):
        scene = draw_single("night", "test", 3, index)
        (box,) = scene.boxes
        assert 0 <= box.left <= box.left + box.width <= SINGLE_SIDE
        assert 0 <= box.top <= box.top + box.height <= SINGLE_SIDE
        assert box.height >= SINGLE_SIDE // 2
        digit = scene.pixels[box.top : box.top + box.height, box.left : box.left + box.width]
        assert np.mean(digit.max(-1)) > np.mean(scene.pixels.max(-1))
