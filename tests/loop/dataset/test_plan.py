"""A plan says what a training would learn, to the image, and leaves nothing behind."""

from __future__ import annotations

from include.loop.dataset import build
from include.loop.dataset.plan import plan_training
from tests.loop.labelled import INITIAL, lines, shard, start
from tests.loop.place import NIGHT


def test_a_plan_tells_what_a_training_would_learn_and_writes_nothing(make_place):
    place = make_place(initial=INITIAL)
    start(place)
    shard(place, NIGHT, lines(place, "n", 5) + lines(place, "audit", 2, reason="audit"))
    before = [item.uri for item in place.storage.list("")]
    planned = plan_training(place.workspace)
    assert [item.uri for item in place.storage.list("")] == before
    built = build.build(place.workspace)
    assert (planned.new_labels, planned.shards, planned.enough) == (7, 1, True)
    assert (planned.replay, planned.held_out) == (built.replayed, built.held_out)
    assert planned.train == built.train - built.replayed
    assert planned.text.startswith("7 labels from 1 batches are new to job-1: ")
    assert "enough to train (at least 1). Nothing was trained." in planned.text


def test_a_plan_without_any_label_is_a_plan_too(place):
    planned = plan_training(place.workspace)
    assert (planned.new_labels, planned.replay, planned.champion) == (0, 0, None)
    assert "0 labels from 0 batches are new to the first model" in planned.text
