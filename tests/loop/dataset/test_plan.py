"""A plan says what a training would learn, to the image, and leaves nothing behind."""

from __future__ import annotations

from collections import Counter

from include.loop.core import layout
from include.loop.core.records.splits import Entry
from include.loop.dataset import build
from include.loop.dataset.plan import plan_training
from tests.loop.labelled import INITIAL, lines, shard, start
from tests.loop.pictures import patchwork
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


def test_pictures_that_were_read_once_are_not_read_again_unless_they_were_replaced(make_place):
    place = make_place(initial=INITIAL)
    start(place)
    shard(place, NIGHT, lines(place, "n", 5))
    read: Counter[str] = Counter()

    def count(params: dict, **_: object) -> None:
        read[params["Key"].rpartition("/")[2]] += 1

    place.s3.meta.events.register("provide-client-params.s3.GetObject", count)
    before = {item.uri for item in place.storage.list("")}
    first = plan_training(place.workspace, pictures=True)
    assert {item.uri for item in place.storage.list("")} - before == {
        place.storage.uri(layout.pictures_file(NIGHT))  # no split is settled by a plan
    }
    pictures = {f"n{number}.jpg": 1 for number in range(5)}
    assert pictures.items() <= read.items()
    read.clear()
    assert plan_training(place.workspace, pictures=True) == first
    assert not pictures.keys() & read.keys()
    place.put("pictures/n3.jpg", patchwork("another"))
    built = build.build(place.workspace)
    assert pictures.keys() & read.keys() == {"n3.jpg"}
    assert (built.new, built.rejected) == (4, 1)
    entries = list(Entry.read_all(place.storage, NIGHT))
    assert [item.source.rpartition("/")[2] for item in entries if not item.sha256] == ["n3.jpg"]
    place.s3.meta.events.unregister("provide-client-params.s3.GetObject", count)


def test_a_damaged_list_of_pictures_is_passed_over(make_place):
    place = make_place(initial=INITIAL)
    start(place)
    shard(place, NIGHT, lines(place, "n", 3))
    first = plan_training(place.workspace, pictures=True)
    place.storage.write(layout.pictures_file(NIGHT), b'{"source": 1}\n')
    assert plan_training(place.workspace) == first
