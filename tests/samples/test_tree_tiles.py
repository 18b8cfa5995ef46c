"""The sample of trees: what is measured with was never learned, and a seed decides the rest."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from include.samples import photographs, tree_tiles
from include.samples.data_set import Sample, SampleError
from include.samples.tree_tiles import SCALE, SIDE, SITE_A, SITE_B, layout, main
from tests.samples.wheels import png, voc, wheel

SIZES = {SITE_A: (2299, 2472), SITE_B: (1249, 1035)}
LONGEST = {SITE_A: 108, SITE_B: 93}  # pixels of a crown, down at site A and across at site B
WHOLE = Sample(seed=42, train=60, validation=51, test=119, batches=3, batch_images=45, pipeline="trees")


@pytest.fixture
def sites(tmp_path, monkeypatch):
    """In place of the package one like it, with a row of crowns down the middle of every tile."""
    files: dict[str, bytes] = {}
    for site, (width, height) in SIZES.items():
        crowns = [
            (x, y, x + 40, y + 30) for x in range(20, width - 40, 64) for y in range(20, height - 30, 64)
        ]
        files |= {f"{site}_png": png(width, height), f"{site}_xml": voc(crowns)}
    cache = tmp_path / "cache" / "nightloop"
    cache.mkdir(parents=True)
    path = wheel(cache / photographs.WHEEL, **files)
    monkeypatch.setattr(photographs, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_no_part_shows_a_pixel_or_a_crown_of_another_but_one_night_of_another():
    pieces = layout(WHOLE)
    assert [len(piece.tiles) for piece in pieces] == [60, 51, 119, 32, 45, 45, 45]
    for one, other in combinations(pieces, 2):
        if one.site != other.site or (one.name.startswith("night") and other.name.startswith("night")):
            continue
        apart = min(a.apart(b) for a in one.tiles for b in other.tiles)
        assert apart >= LONGEST[one.site], (one.name, other.name)


def test_every_tile_lies_in_its_photograph_and_comes_once():
    for site, (width, height) in SIZES.items():
        tiles = [tile for piece in layout(WHOLE) if piece.site == site for tile in piece.tiles]
        assert len(set(tiles)) == len(tiles)
        assert all(tile.left >= 0 and tile.right <= width for tile in tiles)
        assert all(tile.top >= 0 and tile.bottom <= height for tile in tiles)


def test_what_is_measured_with_shares_no_pixel_within_itself_either():
    for piece in layout(WHOLE):
        if not piece.name.startswith("night"):
            assert all(one.apart(other) >= 0 for one, other in combinations(piece.tiles, 2)), piece.name


def test_another_seed_learns_other_tiles_and_is_measured_with_the_same():
    def parts(seed):
        pieces = layout(Sample(seed, 60, 51, 119, 3, 45, pipeline="trees"))
        return {piece.name: piece.tiles for piece in pieces}

    first, again, other = parts(1), parts(1), parts(2)
    assert first == again
    same = {name for name in first if first[name] == other[name]}
    assert same == {"validation", "test-site-a", "test-site-b"}


def test_more_tiles_than_there_are_is_an_error_that_says_how_many_there_are():
    with pytest.raises(SampleError, match=f"--train: 120 tiles are wanted, and {SITE_A} has 119"):
        layout(Sample(1, train=120, test=1))
    with pytest.raises(SampleError, match=r"--batch-images: 136 tiles .* has 135"):
        layout(Sample(1, train=1, test=1, batches=2, batch_images=68))


def test_the_command_writes_labels_for_site_a_and_the_reviewers_truth_for_site_b(sites, tmp_path, capsys):
    counts = ["--train", "3", "--validation", "2", "--test", "2", "--batches", "2", "--batch-images", "2"]
    main(["--seed", "3", "--out", str(tmp_path), *counts])
    assert "test-site-b: 2 images" in capsys.readouterr().out
    for name, count in (
        ("initial/train", 3),
        ("initial/validation", 2),
        ("test/site-a", 2),
        ("test/site-b", 2),
    ):
        found = lines(tmp_path / f"{name}.manifest")
        assert len(found) == count
        for line in found:
            assert line["source-ref"].startswith("s3://nightloop-local/trees/")
            image = Image.open(tmp_path / line["source-ref"].split("/", 4)[4])
            assert image.size == (SIDE * SCALE, SIDE * SCALE)
            assert line["review"]["image_size"] == [{"width": 256, "height": 256, "depth": 3}]
            assert line["review-metadata"]["class-map"] == {"0": "tree"}
            assert len(line["review"]["annotations"]) == len(line["review-metadata"]["objects"]) >= 4
    truth = lines(tmp_path / "truth.jsonl")
    assert [line["source-ref"].split("/", 4)[4].rsplit("/", 1)[0] for line in truth] == [
        "test/site-a", "test/site-a", "test/site-b", "test/site-b",
        "images/dt=2026-11-01", "images/dt=2026-11-01", "images/dt=2026-11-02", "images/dt=2026-11-02",
    ]  # fmt: skip
    assert all(box["label"] == "tree" for line in truth for box in line["boxes"])


def test_an_image_shows_the_place_that_the_layout_says(sites, tmp_path):
    sample = Sample(3, 2, 1, 1, 1, 2, first_date=dt.date(2026, 11, 1), pipeline="trees")
    tree_tiles.generate(sample, tmp_path)
    for piece in layout(sample):
        width, height = SIZES[piece.site]
        for index, tile in enumerate(piece.tiles):
            pixels = Image.open(tmp_path / piece.folder / f"{piece.name}-{index:04d}.jpg")
            red, green, _ = np.asarray(pixels).mean((0, 1))
            assert red == pytest.approx(255 * (tile.left + SIDE / 2) / width, abs=3)
            assert green == pytest.approx(255 * (tile.top + SIDE / 2) / height, abs=3)


def test_without_the_photographs_the_command_ends_with_the_reason(sites, tmp_path, monkeypatch):
    monkeypatch.setattr(photographs, "SHA256", "0" * 64)
    with pytest.raises(SystemExit, match="Remove it"):
        main(["--seed", "3", "--out", str(tmp_path / "out")])
