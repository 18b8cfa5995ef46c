"""Labels of another list of classes never reach a training, and neither do those that somebody discarded."""

from __future__ import annotations

import re

import pytest

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, Incompatible, NothingToLearn
from include.loop.core.records.nightly import LabelSummary
from include.loop.dataset import build
from include.loop.dataset.candidates import read_candidates
from include.loop.dataset.split_rules import Split
from include.loop.trials import shards
from include.loop.trials.shards import committed_shards
from tests.loop.labelled import INITIAL, line, lines, read, set_champion, shard, sources, start
from tests.loop.place import NIGHT, Place


def named(value: dict, class_map: dict[str, str]) -> dict:
    """The same line with names for its class ids."""
    return value | {"review-metadata": value["review-metadata"] | {"class-map": class_map}}


def test_a_shard_counts_only_when_it_is_committed(place: Place):
    store = place.storage
    for batch in ("2026-11-02", "2026-11-01", "2026-11-01.1", "2026-11-03"):
        store.write(layout.labels_manifest(batch), b"")
    for batch in ("2026-11-02", "2026-11-01", "2026-11-01.1"):
        LabelSummary(batch=batch, labels=0).write(store, batch)
    committed = ["2026-11-01", "2026-11-01.1", "2026-11-02"]
    assert [batch for batch, _ in committed_shards(store)] == committed
    assert [batch for batch, _ in committed_shards(store, known=committed[:2])] == committed[2:]


def test_a_shard_of_another_list_of_classes_is_refused_by_name(place: Place):
    good, other = line(place, "1.jpg"), line(place, "2.jpg")
    shard(place, NIGHT, [named(good, {"0": "cat"}), named(other, {"0": "horse"})])
    where = r"s3://.*/labels/dt=2026-11-01/augmented\.manifest, line 2: class_id 0 is 'horse'"
    with pytest.raises(Incompatible, match=rf"{where} in the line's class-map, but 'cat' in the pipeline"):
        build.build(place.workspace)
    assert not list(place.storage.list(layout.SPLITS))


def test_first_manifests_of_another_list_of_classes_are_refused_too(make_place):
    place = make_place(initial=INITIAL)
    place.storage.write_lines(INITIAL["train"], [named(line(place, "1.jpg"), {"2": "bird"})])
    place.storage.write_lines(INITIAL["validation"], [line(place, "2.jpg")])
    with pytest.raises(Incompatible, match=r"class_id 2 is 'bird' .* the pipeline has 2 classes only"):
        build.build_initial(place.workspace)


def test_classes_that_the_champion_has_under_other_numbers_are_refused(make_place):
    place = make_place(initial=INITIAL)
    made = start(place, 4, 2)
    shard(place, NIGHT, lines(place, "n", 3))
    with pytest.raises(Incompatible, match=rf"class_id 0 is 'dog', but 'cat' in s3://.*/datasets/{made}/"):
        build.build(place.but(classes=("dog", "cat")))


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (None, Split.AUDIT),
        (Split.TRAIN, Split.AUDIT),
        (Split.VALIDATION, Split.VALIDATION),
        (Split.TEST, Split.TEST),
    ],
)
def test_audits_are_never_candidates_for_training(place: Place, wish: Split | None, expected: Split):
    place.storage.write_lines("some.manifest", [line(place, "1.jpg", reason="audit")])
    (candidate,) = read_candidates(place.workspace, "some.manifest", [], wish)
    assert candidate.wish is expected


def test_discarded_labels_are_neither_learned_nor_shown_again_nor_measured_with(make_place):
    place = make_place(initial=INITIAL)
    start(place)
    shard(place, "2026-11-01", lines(place, "good", 12))
    set_champion(place, build.build(place.workspace).dataset_id, 2)
    shard(place, "2026-11-02", lines(place, "bad", 12))
    shard(place, "2026-11-03", lines(place, "new", 12))
    said, learned = shards.discard(place.workspace, "2026-11-02", "ada", "boxes drawn by a cat")
    assert (said.by, said.why, learned) == ("ada", "boxes drawn by a cat", False)
    assert shards.discard(place.workspace, "2026-11-02", "bob", "another reason")[0].by == "ada"
    assert build.find_untried(place.workspace).batches == ("2026-11-03",)
    assert shards.discard(place.workspace, "2026-11-01", "ada", "these as well")[1]

    built = build.build(place.workspace).dataset_id
    splits = ("train", "validation", "retention", "recent", "audit")
    everything = {name for split in splits for name in sources(read(place, built, split))}
    assert {re.match("[a-z]+", name)[0] for name in everything} == {"train", "validation", "new"}  # type: ignore[index]


def test_only_committed_labels_can_be_discarded(place: Place):
    shard(place, NIGHT, lines(place, "n", 2))
    with pytest.raises(
        ConfigurationError, match=r"no committed labels of '2026-12-24'; there are those of \['2026-11-01'\]"
    ):
        shards.discard(place.workspace, "2026-12-24", "ada", "a guess")
    shards.discard(place.workspace, NIGHT, "ada", "wrong")
    with pytest.raises(NothingToLearn, match="0 labels from 0 batches"):
        build.build(place.workspace)
    place.s3.delete_object(Bucket=place.bucket, Key=f"pets/{layout.discarded_file(NIGHT)}")
    assert build.build(place.workspace).new == 2
