"""A manifest is divided in the same way every time, and nothing is on both sides."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.errors import ConfigurationError
from include.loop.manifests import splits
from include.loop.manifests.places import drafts, with_suffix
from include.loop.manifests.splits import Choice, Parted, Rule
from tests.loop.manifests.lines import boxes, no_s3, numbered

TWENTY = [boxes(f"s3://b/{n}.jpg", n % 2, camera=n % 5) for n in range(20)]


def divide(values: list[Any], rule: Rule, share: float = 0.2, **more: Any) -> tuple[list, list, Parted]:
    choice = Choice("box", rule, share, **more)
    files = [io.BytesIO(), io.BytesIO()]
    parted = splits.write(numbered(values), choice, splits.decide(numbered(values), choice), files)
    train, validation = (
        [json.loads(line)["source-ref"] for line in file.getvalue().split(b"\n")[:-1]] for file in files
    )
    return train, validation, parted


def test_by_hash_the_image_decides_alone_and_new_lines_move_no_old_one():
    train, validation, _ = divide(TWENTY, Rule.HASH)
    expected = [
        line["source-ref"]
        for line in TWENTY
        if int.from_bytes(hashlib.sha256(line["source-ref"].encode()).digest()[:8], "big") % 100 < 20
    ]
    assert validation == expected
    more = [boxes(f"s3://b/new-{n}.jpg", 0) for n in range(5)]
    later = divide([*more, *TWENTY], Rule.HASH)
    assert set(train) <= set(later[0])
    assert set(validation) <= set(later[1])


@given(
    count=st.integers(10, 60),
    share=st.integers(10, 90),
    seed=st.integers(0, 9),
    rule=st.sampled_from([Rule.SHUFFLE, Rule.CLASS, Rule.GROUP]),
)
def test_every_image_is_on_one_side_and_the_seed_repeats_it(count: int, share: int, seed: int, rule: Rule):
    values = [boxes(f"s3://b/{n}.jpg", *range(n % 4 and 1), camera=n % 5) for n in range(count)]
    given = {"seed": seed, "group": "camera"}
    train, validation, parted = divide(values, rule, share / 100, **given)
    assert sorted(train + validation) == sorted(value["source-ref"] for value in values)
    assert train
    assert validation
    assert parted.parts == {"train": len(train), "validation": len(validation)}
    assert (train, validation, parted) == divide(values, rule, share / 100, **given)


def test_a_shuffle_has_the_share_that_was_asked_for():
    train, validation, _ = divide(TWENTY, Rule.SHUFFLE, seed=1)
    assert (len(train), len(validation)) == (16, 4)
    assert validation != divide(TWENTY, Rule.SHUFFLE, seed=2)[1]


def test_a_rare_class_is_on_both_sides():
    values = [boxes(f"s3://b/{n}.jpg", 0) for n in range(50)]
    values += [boxes(f"s3://b/rare-{n}.jpg", 0, 2) for n in range(2)]
    train, validation, _ = divide(values, Rule.CLASS, 0.1)
    assert Counter("rare" in name for name in validation) == {False: 5, True: 1}
    assert sum("rare" in name for name in train) == 1


def test_a_group_is_on_one_side():
    values = [*TWENTY, boxes("s3://b/none.jpg", 0)]
    train, validation, parted = divide(values, Rule.GROUP, group="camera")
    cameras = {line["source-ref"]: line.get("camera") for line in values}
    assert not {cameras[name] for name in train} & {cameras[name] for name in validation}
    assert (len(validation), parted.left_out) == (4, {"no camera": 1})


def test_lines_of_one_image_stay_together_and_what_has_no_label_is_left_out():
    failed = {"source-ref": "s3://b/f", "box-metadata": {"failure-reason": "no"}}
    values = [*TWENTY, *TWENTY, failed, {"source-ref": "s3://b/u"}, b"{"]
    train, validation, parted = divide(values, Rule.SHUFFLE)
    assert not set(train) & set(validation)
    assert (len(train), len(validation)) == (32, 8)
    assert parted.left_out == {
        "not labelled: failure-reason": 1,
        "not labelled": 1,
        "manifest line is not JSON": 1,
    }


def test_images_that_show_nothing_are_divided_too_and_counted():
    values = [boxes(f"s3://b/{n}.jpg") for n in range(10)]
    assert divide(values, Rule.CLASS)[2].empty == {"train": 8, "validation": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (TWENTY[:1], "all 1 images would be for train"),
        ([{"source-ref": "s3://b/u"}], "no line has a label 'box'"),
    ],
)
def test_two_empty_halves_are_refused(values: list[Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        divide(values, Rule.SHUFFLE)


def test_drafts_come_to_their_places_together_or_not_at_all(tmp_path: Path):
    places = [with_suffix(str(tmp_path / "out.manifest"), part) for part in splits.PARTS]
    assert places[1].endswith("/out-validation.manifest")

    def fill(fails: bool) -> None:
        with drafts(places, no_s3) as files:
            for file in files:
                file.write(b"x\n")
            if fails:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(fails=True)
    assert list(tmp_path.iterdir()) == []
    fill(fails=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out-train.manifest",
        "out-validation.manifest",
    ]


@pytest.mark.parametrize(
    ("place", "folder", "expected"),
    [
        ("m", None, "m-train"),
        ("s3://b/a.b/output.manifest", None, "s3://b/a.b/output-train.manifest"),
        ("a/.hidden", None, "a/.hidden-train"),
        ("s3://b/x.jsonl", "out/", "out/x-train.jsonl"),
    ],
)
def test_a_part_is_named_after_the_whole(place: str, folder: str | None, expected: str):
    assert with_suffix(place, "train", folder) == expected
