"""One label per image; nothing is known twice, and what cannot be used is named."""

from __future__ import annotations

import pytest

from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.labels import parse_label
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NothingToLearn, NotSetUp
from include.loop.core.identity import content_hash
from include.loop.core.storage import dump, parse
from include.loop.dataset import build, label_pool
from include.loop.dataset.split_register import LABEL_CHARS
from include.loop.dataset.split_rules import Split
from tests.loop.labelled import INITIAL, line, lines, shard, start
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place

OUTSIDE = {"class_id": 1, "left": 64, "top": 6, "width": 16, "height": 12}


def drawn(value: dict, *boxes: dict) -> dict:
    """The same line with other boxes."""
    return value | {"review": value["review"] | {"annotations": list(boxes)}}


def test_a_test_set_with_a_line_that_cannot_be_used_is_refused(make_place):
    place = make_place(test_sets={"day": "test/day.manifest"})
    shard(place, NIGHT, lines(place, "n", 3))
    with pytest.raises(ConfigurationError, match=r"test_sets\.day: no object at s3://"):
        build.build(place.workspace)
    gone = line(place, "1.jpg") | {"source-ref": place.storage.uri("gone.jpg")}
    place.storage.write_lines("test/day.manifest", [line(place, "2.jpg"), gone])
    with pytest.raises(ConfigurationError, match=r"1 lines cannot be used, .* line 2: the image is gone"):
        build.build(place.workspace)
    half = drawn(line(place, "2.jpg"), *line(place, "2.jpg")["review"]["annotations"], OUTSIDE)
    place.storage.write_lines("test/day.manifest", [line(place, "1.jpg"), half])
    with pytest.raises(ConfigurationError, match=r"1 boxes cannot be used, .* line 2: box 2 .* lies outside"):
        build.build(place.workspace)
    assert not list(place.storage.list(layout.SPLITS))


def test_boxes_and_lines_that_cannot_be_learned_are_told_and_what_is_counted_is_learned(place: Place):
    good = [line(place, f"{n}.jpg") for n in range(6)]
    (box,) = good[0]["review"]["annotations"]
    failed = good[3] | {"review-metadata": {"failure-reason": "the image could not be shown"}}
    values = [good[0], drawn(good[1], OUTSIDE, box, box), drawn(good[2], OUTSIDE), failed, *good[4:]]
    shard(place, NIGHT, values)
    built = build.build(place.workspace, min_new_labels=1)
    assert (built.new, built.rejected, built.rejected_boxes) == (4, 2, 1)
    told = place.storage.read_lines(layout.dataset_rejected(built.dataset_id))
    assert [(item["line"], item.get("box"), item["reason"][:30]) for item in told] == [
        ("2", "1", "box 1 (class_id 1 at 64,6 of 1"),
        ("3", None, "none of its 1 boxes can be lea"),
        ("4", None, "the image was not labelled: fa"),
    ]
    record = place.storage.read_json(layout.dataset_file(built.dataset_id))
    manifests = [
        place.storage.read_raw_lines(layout.dataset_manifest(built.dataset_id, split))
        for split in ("train", "validation")
    ]
    settings = parse_hyperparameters({"num_classes": "2", "num_training_samples": "1"})
    labels = [parse_label(dump(parse(raw)["review"]), settings) for lines in manifests for raw in lines]
    assert len(labels) == record["train"] + record["validation"] == 4
    assert [len(item.boxes) for item in labels] == [1] * 4
    assert record["max_boxes"] == 3  # label_width makes room for what is written


def test_lines_that_an_older_version_took_and_this_one_refuses_stop_nothing(make_place):
    place = make_place(initial=INITIAL)
    start(place, 6, 4)
    root = label_pool.gather(place.workspace).lineage
    assert root.root
    assert root.initial
    train = layout.dataset_manifest(root.root, "train")
    values = list(place.storage.read_lines(train))
    refused = drawn(values[0], OUTSIDE)
    old = content_hash(values[0], length=LABEL_CHARS), content_hash(refused, length=LABEL_CHARS)
    entries = list(place.storage.read_lines(layout.split_file(root.initial)))
    place.storage.write_lines(train, [refused, *values[1:]])
    place.storage.write_lines(
        layout.split_file(root.initial),
        [item | {"label": old[1]} if item["label"] == old[0] else item for item in entries],
    )
    found = label_pool.gather(place.workspace)
    assert found.lines(found.known).keys() == {item.label for item in found.known} - {old[1]}
    shard(place, NIGHT, lines(place, "n", 3))
    built = build.build(place.workspace, min_new_labels=1)
    written = place.storage.read_lines(layout.dataset_manifest(built.dataset_id, "train"))
    assert built.train == len(list(written))


def test_a_first_manifest_in_another_encoding_is_named(make_place):
    place = make_place(initial=INITIAL)
    for split, name in INITIAL.items():
        place.put(name, (dump(line(place, f"{split}.jpg")) + b"\n").decode().encode("utf-16"))
    with pytest.raises(
        NothingToLearn, match=r"there are 0 to train .*, line 1: manifest is UTF-16; save it as"
    ):
        build.build_initial(place.workspace)


def test_an_image_of_which_there_are_two_has_one_label(place: Place):
    same = patchwork("same")
    one = line(place, "1.jpg", same, created="2026-11-01T00:00:00")
    other = line(place, "2.jpg", same, created="2026-11-02T00:00:00", class_id=1)
    shard(place, NIGHT, [one, other])
    (entry,) = label_pool.gather(place.workspace).new
    assert (entry.source, entry.classes) == (place.storage.uri("pictures/2.jpg"), (1,))


def test_a_shard_that_was_changed_after_it_was_committed_is_told(make_place):
    place = make_place(initial=INITIAL)
    start(place, 4, 2)
    shard(place, NIGHT, lines(place, "n", 3))
    found = label_pool.gather(place.workspace)
    assert found.lines(found.new).keys() == {entry.label for entry in found.new}
    shard(place, NIGHT, lines(place, "m", 3))
    with pytest.raises(NotSetUp, match="3 labels of the register are no longer in their manifests"):
        found.lines(found.new)
    again = label_pool.gather(place.workspace)
    assert {item.reason for item in again.rejected} == {
        "the line was not usable when its shard was first learned from"
    }


def test_what_is_known_does_not_depend_on_what_is_new(make_place):
    place = make_place(initial=INITIAL)
    start(place, 6, 4)
    before = label_pool.gather(place.workspace)
    shard(place, NIGHT, lines(place, "n", 3))
    after = label_pool.gather(place.workspace)
    assert (len(before.new), len(after.new)) == (0, 3)
    assert set(before.known) == set(after.known)
    assert len(before.of(Split.TRAIN)) == 6
    assert len(before.of(Split.RETENTION)) == len(before.of(Split.VALIDATION)) == 2
