"""The sample: the promised layout, boxes that are tight, and a seed that decides every image."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from include.samples.digit_scenes import CLASSES, Sample, generate, main
from include.samples.scenes import SIDE, draw


def small(seed: int) -> Sample:
    first = dt.date(2026, 10, 31)
    return Sample(seed, train=6, validation=2, test=3, batches=2, batch_images=4, first_date=first)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    generate(small(7), out)
    return out


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def digests(folder):
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.jpg")}


def test_the_layout_is_that_of_the_bucket(sample):
    counts = {
        folder: len(list((sample / folder).glob("*.jpg")))
        for folder in (
            "initial/images",
            "test/day",
            "test/night",
            "images/dt=2026-10-31",
            "images/dt=2026-11-01",
        )
    }
    assert list(counts.values()) == [8, 3, 3, 4, 4]
    names = [path.name for path in sample.rglob("*.jpg")]
    assert len(set(names)) == len(names)


def test_manifest_lines_are_those_of_a_bounding_box_job(sample):
    for name, count in (("initial/train", 6), ("initial/validation", 2), ("test/day", 3), ("test/night", 3)):
        found = lines(sample / f"{name}.manifest")
        assert len(found) == count
        for line in found:
            assert line["source-ref"].startswith("s3://nightloop-local/digits/")
            assert (sample / line["source-ref"].split("/", 4)[4]).is_file()
            boxes, metadata = line["review"]["annotations"], line["review-metadata"]
            assert len(metadata["objects"]) == len(boxes) >= 1
            assert set(metadata["class-map"]) == {str(box["class_id"]) for box in boxes}
            assert metadata["type"] == "groundtruth/object-detection"


def test_the_truth_covers_batches_and_tests_and_nothing_else(sample):
    truth = lines(sample / "truth.jsonl")
    assert len(truth) == 2 * 3 + 2 * 4
    for record in truth:
        assert (record["width"], record["height"]) == (SIDE, SIDE)
        assert all(box["label"] in CLASSES for box in record["boxes"])
    assert not any("initial/" in record["source-ref"] for record in truth)


def test_the_same_seed_gives_the_same_bytes_and_another_changes_every_image(sample, tmp_path):
    generate(small(7), tmp_path / "again")
    generate(small(8), tmp_path / "other")
    assert digests(tmp_path / "again") == digests(sample)
    assert not set(digests(tmp_path / "other").values()) & set(digests(sample).values())
    assert (tmp_path / "again/truth.jsonl").read_bytes() == (sample / "truth.jsonl").read_bytes()


def test_another_night_has_other_images(sample):
    assert len(set(digests(sample).values())) == len(digests(sample))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["day", "night"]))
def test_boxes_lie_inside_apart_and_on_ink(seed, light):
    scene = draw(light, "learning", seed)
    assert scene.pixels.shape == (SIDE, SIDE, 3)
    assert 1 <= len(scene.boxes) <= 5
    taken = np.zeros((SIDE, SIDE), bool)
    for box in scene.boxes:
        assert box.left >= 0
        assert box.top >= 0
        place = (slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
        assert taken[place].shape == (box.height, box.width)
        assert not taken[place].any()
        taken[place] = True
        # Ink is dark by day and light by night, so a digit stretches its box's range of brightness that way.
        grey = scene.pixels[place].mean(-1)
        assert grey.min() < 110 if light == "day" else grey.max() > 145


def test_night_is_darker_than_day():
    day, night = (
        np.mean([draw(light, "test", 1, i).pixels.mean() for i in range(20)]) for light in ("day", "night")
    )
    assert night < 100 < 150 < day


def test_the_command_writes_the_files_and_refuses_a_negative_seed(tmp_path, capsys):
    counts = ["--train", "2", "--validation", "1", "--test", "1", "--batch-images", "1"]
    main(
        ["--seed", "3", "--out", str(tmp_path), *counts, "--first-date", "2027-01-01", "--pipeline", "signs"]
    )
    assert "night-2027-01-01: 1 images" in capsys.readouterr().out
    assert Image.open(tmp_path / "images/dt=2027-01-01/night-2027-01-01-0000.jpg").size == (SIDE, SIDE)
    assert lines(tmp_path / "test/day.manifest")[0]["source-ref"].startswith(
        "s3://nightloop-local/signs/test/day/"
    )
    with pytest.raises(SystemExit):
        main(["--seed", "-1", "--out", str(tmp_path)])
