"""One label per image; nothing is known twice, and what cannot be used is named."""

from __future__ import annotations

import pytest

from include.loop import corpus, dataset, layout
from include.loop.errors import ConfigurationError, NotSetUp
from include.loop.sides import Side
from tests.loop.labelled import INITIAL, line, lines, shard, start
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place


def test_a_test_set_with_a_line_that_cannot_be_used_is_refused(make_place):
    place = make_place(test_sets={"day": "test/day.manifest"})
    shard(place, NIGHT, lines(place, "n", 3))
    with pytest.raises(ConfigurationError, match=r"test_sets\.day: no object at s3://"):
        dataset.build(place.workspace)
    gone = line(place, "1.jpg") | {"source-ref": place.storage.uri("gone.jpg")}
    place.storage.write_lines("test/day.manifest", [line(place, "2.jpg"), gone])
    with pytest.raises(ConfigurationError, match=r"1 lines cannot be used, .* line 2: the image is gone"):
        dataset.build(place.workspace)
    assert not list(place.storage.list(layout.SPLITS))


def test_an_image_of_which_there_are_two_has_one_label(place: Place):
    same = patchwork("same")
    one = line(place, "1.jpg", same, created="2026-11-01T00:00:00")
    other = line(place, "2.jpg", same, created="2026-11-02T00:00:00", class_id=1)
    shard(place, NIGHT, [one, other])
    (entry,) = corpus.gather(place.workspace).new
    assert (entry.source, entry.classes) == (place.storage.uri("pictures/2.jpg"), (1,))


def test_a_shard_that_was_changed_after_it_was_committed_is_told(make_place):
    place = make_place(initial=INITIAL)
    start(place, 4, 2)
    shard(place, NIGHT, lines(place, "n", 3))
    found = corpus.gather(place.workspace)
    assert found.lines(found.new).keys() == {entry.label for entry in found.new}
    shard(place, NIGHT, lines(place, "m", 3))
    with pytest.raises(NotSetUp, match="3 labels of the ledger are no longer in their manifests"):
        found.lines(found.new)
    again = corpus.gather(place.workspace)
    assert {item["reason"] for item in again.rejected} == {
        "the line was not usable when its shard was first learned from"
    }


def test_what_is_known_does_not_depend_on_what_is_new(make_place):
    place = make_place(initial=INITIAL)
    start(place, 6, 4)
    before = corpus.gather(place.workspace)
    shard(place, NIGHT, lines(place, "n", 3))
    after = corpus.gather(place.workspace)
    assert (len(before.new), len(after.new)) == (0, 3)
    assert set(before.known) == set(after.known)
    assert len(before.on(Side.TRAIN)) == 6
    assert len(before.on(Side.MEMORY)) == len(before.on(Side.VALIDATION)) == 2
