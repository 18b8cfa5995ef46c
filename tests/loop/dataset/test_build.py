"""Every label is learned from once; an image stays in its split; the same labels make the same dataset."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from include.loop.config import EvaluationSettings, TrainingSettings
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NothingToLearn
from include.loop.core.fingerprints import fingerprint
from include.loop.core.lookalikes import alike
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.nightly import Batch
from include.loop.core.records.trials import Kind
from include.loop.core.storage import Storage
from include.loop.dataset import build
from include.loop.dataset.plan import plan_training
from include.loop.workspace import Workspace
from tests.loop.labelled import INITIAL, line, lines, read, set_champion, shard, sources, start
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place

SPLITS = ("train", "validation", "retention", "recent", "audit")


@pytest.fixture
def begun(make_place) -> Place:
    place = make_place(initial=INITIAL)
    start(place)
    return place


def test_the_first_dataset_is_checked_line_by_line(make_place):
    place = make_place(initial=INITIAL)
    good = [line(place, "1.jpg"), line(place, "2.jpg", class_id=1)]
    bad = [line(place, "3.jpg", class_id=2), {"source-ref": "s3://b/4.jpg"}, line(place, "6.jpg", b"text")]
    place.storage.write_lines(INITIAL["train"], good + bad)
    place.storage.write_lines(INITIAL["validation"], [line(place, "5.jpg"), line(place, "1.jpg")])
    built = build.build_initial(place.workspace)
    assert (built.train, built.validation, built.retention, built.parent) == (1, 1, 1, None)
    assert built.rejected == 3
    reasons = place.storage.read_lines(layout.dataset_rejected(built.dataset_id))
    assert [(item["line"], item["reason"].split(" ")[0]) for item in reasons] == [
        ("3", "class_id"),
        ("4", "manifest"),
        ("5", "not"),
    ]
    assert build.build_initial(place.workspace) == built


def test_a_manifest_that_is_not_there_is_named(make_place):
    with pytest.raises(
        ConfigurationError, match=r"initial: no object at s3://.*/pets/initial/train\.manifest"
    ):
        build.build_initial(make_place(initial=INITIAL).workspace)
    with pytest.raises(NothingToLearn, match="names no manifests"):
        build.build_initial(make_place().workspace)


def test_new_labels_come_with_a_replay_and_the_old_validation(begun: Place):
    shard(begun, NIGHT, lines(begun, "n", 5))
    built = build.build(begun.workspace)
    record = Dataset.read(begun.storage, built.dataset_id)
    train, validation = (read(begun, built.dataset_id, split) for split in ("train", "validation"))
    new = {f"n{n}.jpg" for n in range(5)}
    assert new == (sources(train) | sources(validation)) & new
    assert built.replayed == 3 * len(sources(train) & new)
    old = sources(validation) | sources(read(begun, built.dataset_id, "retention"))
    assert old >= {f"validation-{n}.jpg" for n in range(4)}
    assert not sources(train) & old
    assert sources(read(begun, built.dataset_id, "recent")) == sources(validation) & new
    assert (record.parent, list(record.learned)) == ("job-1", [NIGHT])
    assert len(record.learned[NIGHT]) == 64
    assert record.class_map == {"0": "cat", "1": "dog"}
    assert build.build(begun.workspace) == built


def test_a_dataset_is_the_same_when_everything_but_labels_and_split_register_is_cleared(begun: Place):
    shard(begun, NIGHT, lines(begun, "n", 5))
    built = build.build(begun.workspace)
    before = {split: read(begun, built.dataset_id, split) for split in SPLITS}
    for item in begun.storage.list(f"datasets/{built.dataset_id}"):
        begun.s3.delete_object(Bucket=begun.bucket, Key=item.uri.split("/", 3)[3])
    assert build.build(begun.workspace) == built
    assert {split: read(begun, built.dataset_id, split) for split in SPLITS} == before


def test_every_shard_is_learned_from_once_however_many_trainings_there_are(begun: Place):
    learned = []
    for number, batches in enumerate((["2026-11-01", "2026-11-03"], ["2026-11-02"]), start=2):
        for batch in batches:
            shard(begun, batch, lines(begun, batch, 6))
        built = build.build(begun.workspace)
        learned.append(sorted(Dataset.read(begun.storage, built.dataset_id).shards))
        set_champion(begun, built.dataset_id, number)
    assert learned == [["2026-11-01", "2026-11-03"], ["2026-11-02"]]
    with pytest.raises(NothingToLearn, match="0 labels from 0 batches are new to job-3"):
        build.build(begun.workspace)
    assert build.find_untried(begun.workspace).labels == 0


def test_the_replay_draws_from_the_whole_lineage(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 10))
    set_champion(begun, build.build(begun.workspace).dataset_id, 2)
    shard(begun, "2026-11-02", lines(begun, "b", 40))
    train = sources(read(begun, build.build(begun.workspace).dataset_id, "train"))
    assert {name for name in train if "train-" in name} == {f"train-{n}.jpg" for n in range(20)}
    assert any(name.startswith("a") for name in train)


def test_an_image_stays_on_its_side_when_it_is_labelled_again(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 12, loop="first"))
    first = build.build(begun.workspace).dataset_id
    set_champion(begun, first, 2)
    shard(
        begun, "2026-11-05", lines(begun, "a", 12, created="2026-11-05T00:00:00", class_id=1, loop="second")
    )
    built = build.build(begun.workspace)
    second = built.dataset_id
    for split in ("train", "validation"):
        one, other = (
            {name for name in sources(read(begun, made, split)) if name.startswith("a")}
            for made in (first, second)
        )
        assert one == other
    for value in read(begun, second, "train") + read(begun, second, "validation"):
        if "/a" in value["source-ref"]:
            assert value["review"]["annotations"][0]["class_id"] == 1  # the newest label, and only that
    history = list(begun.storage.read_lines(layout.dataset_history(second)))
    assert built.superseded == len(history) == 12
    assert history[0] == {
        "image": begun.storage.uri("pictures/a0.jpg"),
        "kept": {"loop": "second", "created": "2026-11-05T00:00:00"},
        "superseded": [{"loop": "first", "created": "2026-11-01T00:00:00.000000"}],
    }


def test_a_late_shard_with_older_answers_changes_no_label(begun: Place):
    shard(begun, "2026-11-05", lines(begun, "a", 6, created="2026-11-05T00:00:00", class_id=1))
    set_champion(begun, build.build(begun.workspace).dataset_id, 2)
    shard(begun, "2026-11-02", lines(begun, "a", 6, created="2026-11-02T00:00:00"))
    with pytest.raises(NothingToLearn, match="0 labels from 1 batches"):
        build.build(begun.workspace)


def test_audits_measure_and_are_never_learned_from(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "audit", 4, reason="audit") + lines(begun, "n", 4))
    first = build.build(begun.workspace)
    audits = {f"audit{n}.jpg" for n in range(4)}
    assert sources(read(begun, first.dataset_id, "audit")) == audits
    assert not audits & sources(read(begun, first.dataset_id, "train"))
    assert not audits & sources(read(begun, first.dataset_id, "validation"))
    set_champion(begun, first.dataset_id, 2)
    later = lines(begun, "later", 2, reason="audit", created="2026-11-02T00:00:00")
    shard(begun, "2026-11-02", later + lines(begun, "m", 9))
    few = begun.but(evaluation=EvaluationSettings(audit_images=3))
    second = build.build(few).dataset_id
    kept = sources(read(begun, second, "audit"))
    assert len(kept) == 3  # the newest ones
    assert kept > {"later0.jpg", "later1.jpg"}


def test_the_memory_set_is_the_same_in_every_dataset_of_a_lineage(begun: Place):
    memories = []
    for number, batch in enumerate(("2026-11-01", "2026-11-02", "2026-11-03"), start=2):
        shard(begun, batch, lines(begun, batch, 6))
        made = build.build(begun.workspace).dataset_id
        memories.append(read(begun, made, "retention"))
        assert not sources(memories[-1]) & sources(
            read(begun, made, "train") + read(begun, made, "validation")
        )
        set_champion(begun, made, number)
    assert memories[0] == memories[1] == memories[2]
    assert len(memories[0]) == 2


def test_a_copy_of_a_held_out_image_is_held_out_too(make_place, caplog):
    place = make_place(initial=INITIAL, test_sets={"day": "test/day.manifest"})
    place.storage.write_lines("test/day.manifest", [line(place, "test.jpg")])
    start(place)
    copies = [
        line(place, f"{name} again.jpg", patchwork(name, quality=60))
        for name in ("test.jpg", *(f"validation-{n}.jpg" for n in range(4)))
    ]
    shard(place, NIGHT, [*copies, *lines(place, "n", 4)])
    built = build.build(place.workspace)
    assert sources(copies) <= sources(read(place, built.dataset_id, "validation"))
    assert built.near_duplicates == 5
    assert "5 of 9 new labels are of near-duplicates" in caplog.text


def test_a_test_set_that_came_later_takes_its_images_out_of_the_replay(make_place):
    place = make_place(initial=INITIAL)
    start(place)
    tested = [line(place, "train-0.jpg"), line(place, "copy.jpg", patchwork("train-1.jpg", quality=60))]
    place.storage.write_lines("test/new.manifest", tested)
    shard(place, NIGHT, lines(place, "n", 12))
    built = build.build(place.but(test_sets={"new": "test/new.manifest"}))
    assert not {"train-0.jpg", "train-1.jpg"} & sources(read(place, built.dataset_id, "train"))
    assert built.replayed == 18


def test_shards_of_backfilled_batches_are_named(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 3))
    shard(begun, "2026-11-02", lines(begun, "b", 3))
    for batch, backfill in (("2026-11-01", True), ("2026-11-02", False)):
        Batch(batch=batch, prefix="s3://b/", backfill=backfill).write(begun.storage, batch)
    assert build.build(begun.workspace).backfilled == ["2026-11-01"]


def test_too_few_labels_wait_for_more(begun: Place):
    shard(begun, NIGHT, [line(begun, "n.jpg")])
    with pytest.raises(NothingToLearn, match="1 labels from 1 batches are new to job-1; it takes 5"):
        build.build(begun.workspace, min_new_labels=5)
    assert plan_training(begun.workspace).new_labels == 1


def test_a_dataset_that_did_not_make_a_champion_is_not_tried_again_by_itself(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 5))
    tried = build.build(begun.workspace).dataset_id
    assert build.find_untried(begun.workspace).batches == ("2026-11-01",)
    assert build.find_untried(begun.workspace, tried) == build.Untried()
    shard(begun, "2026-11-02", [line(begun, "b.jpg")])
    both = ("2026-11-01", "2026-11-02")
    assert build.find_untried(begun.workspace, tried) == build.Untried(6, both, Kind.ROUND)
    more = begun.but(training=begun.pipeline.training.model_copy(update={"min_new_labels": 7}))
    assert build.find_untried(more, tried) == build.Untried()


def test_a_shard_that_adds_nothing_still_makes_another_dataset(begun: Place):
    """Else the dataset of before would be found, and the shard would stay new for ever."""
    shard(begun, "2026-11-01", lines(begun, "a", 5))
    first = build.build(begun.workspace).dataset_id
    shard(begun, "2026-11-02", [{"source-ref": "s3://b/1.jpg"}])
    second = build.build(begun.workspace).dataset_id
    assert read(begun, first, "train") == read(begun, second, "train")
    assert build.find_untried(begun.workspace, second) == build.Untried()


def test_without_a_champion_the_first_labels_fill_both_splits(place: Place):
    shard(place, NIGHT, lines(place, "n", 3))
    built = build.build(place.workspace)
    assert (built.parent, built.replayed) == (None, 0)
    assert built.train >= 1
    assert built.validation >= 1
    assert built.train + built.validation + built.retention == 3


def test_of_the_first_answers_every_class_is_measured(place: Place):
    shard(place, NIGHT, lines(place, "cat", 12) + lines(place, "dog", 2, class_id=1))
    never = place.but(training=TrainingSettings(validation_share=0))
    made = build.build(never).dataset_id
    held_out = read(place, made, "validation") + read(place, made, "retention")
    assert {value["review"]["annotations"][0]["class_id"] for value in held_out} == {0, 1}


def test_one_first_label_is_not_enough(place: Place):
    shard(place, NIGHT, [line(place, "n.jpg")])
    with pytest.raises(NothingToLearn):
        build.build(place.workspace)


LABELS = st.tuples(
    st.sampled_from("abcdefgh"),
    st.sampled_from([90, 60]),  # JPEG quality: the picture itself or a copy of it
    st.sampled_from(["audit", "least_confident", "least_confident"]),
    st.integers(1, 9),
)
NIGHTS = st.lists(st.tuples(st.lists(LABELS, min_size=1, max_size=6), st.booleans()), min_size=1, max_size=4)
FOLDERS = count()


@given(NIGHTS)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([([("a", 90, "audit", 1)], True), ([("a", 60, "least_confident", 2), ("b", 90, "x", 1)], True)])
def test_what_was_held_out_once_is_in_no_training_over_any_batches(make_place, batches):
    place = make_place(initial=INITIAL)
    # Pictures are shared by all examples; labels, splits and datasets are each one's own.
    place.storage = Storage(place.s3, place.bucket, f"batches-{next(FOLDERS)}")
    place.workspace = Workspace(place.pipeline, place.environment, place.storage, place.clients)
    start(place, 4, 2)
    trained, held_out = set(), set()
    for day, (labels, promoted) in enumerate(batches, start=1):
        values = [
            line(
                place, f"{name}-{quality}.jpg", patchwork(name, quality),
                created=f"2026-11-0{answered}", reason=reason, loop=f"{day}-{number}",
            )
            for number, (name, quality, reason, answered) in enumerate(labels)
        ]  # fmt: skip
        shard(place, f"2026-11-0{day}", values)
        try:
            built = build.build(place.workspace).dataset_id
        except NothingToLearn:
            continue
        trained |= sources(read(place, built, "train"))
        for split in SPLITS[1:]:
            held_out |= sources(read(place, built, split))
        newest: dict[str, str] = {}
        record = Dataset.read(place.storage, built)
        for shard_ in record.learned:
            for value in place.storage.read_lines(layout.labels_manifest(shard_)):
                created = value["review-metadata"]["creation-date"]
                newest[value["source-ref"]] = max(newest.get(value["source-ref"], ""), created)
        for split in SPLITS:
            for value in read(place, built, split):
                created = value["review-metadata"]["creation-date"]
                assert created == newest.get(value["source-ref"], created)
        if promoted:
            set_champion(place, built, day + 1)
    assert not trained & held_out
    prints = {
        name: fingerprint(
            place.s3.get_object(Bucket=place.bucket, Key=f"pets/pictures/{name}")["Body"].read()
        )
        for name in (*trained, *held_out)
    }
    assert not list(
        alike([prints[name].phash for name in trained], [prints[name].phash for name in held_out])
    )
