"""Every label is learned from once; an image stays on its side; the same labels make the same dataset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop import champion, dataset, plan, registry, storage
from include.loop.dataset import _newest
from include.loop.errors import ConfigurationError, NothingToLearn
from include.loop.manifest import read_value
from tests.loop.place import NIGHT, Place, labelled

CLASSES = ("cat", "dog")
INITIAL = {"train": "initial/train.manifest", "validation": "initial/validation.manifest"}


def line(
    name: str, etag: str | None = None, created: str = "2026-11-01T00:00:00.000000", class_id: int = 0
) -> dict:
    value = labelled(f"s3://b/{name}", created, class_id)
    return value | ({"etag": etag} if etag else {})


def shard(place: Place, batch: str, lines: list[dict]) -> None:
    """A committed shard, as a night leaves it."""
    place.storage.write_lines(storage.label_file(batch, "augmented.manifest"), lines)
    place.storage.write_json(storage.label_file(batch, "summary.json"), {"labels": len(lines)})


def crown(place: Place, dataset_id: str, number: int) -> None:
    """Make the model of a dataset the champion, as training and the gate would."""
    job = f"job-{number}"
    record = dataset.read_dataset(place.workspace, dataset_id)
    model = {"model_data": "s3://b/m", "base_network": "resnet-50", "num_classes": 2, "image_shape": 300}
    place.storage.write_json(
        storage.model_file(job, "model.json"), model | {"dataset_id": dataset_id, "parent": record["parent"]}
    )
    place.storage.write_json(
        storage.evaluation_file(job, "verdict.json"),
        {"promote": True, "reasons": ["better"], "map50": {"day": 0.5}},
    )
    registry.register(place.workspace, place.sagemaker, job)
    assert champion.promote(place.workspace, place.sagemaker, job)["promoted"]


def read(place: Place, dataset_id: str, side: str) -> list[dict]:
    return list(place.storage.read_lines(storage.dataset_file(dataset_id, f"{side}.manifest")))


def sources(lines: list[dict]) -> set[str]:
    return {value["source-ref"] for value in lines}


def start(place: Place, train: int = 20, validation: int = 4) -> str:
    """A first champion from labels of its own."""
    for side, count in (("train", train), ("validation", validation)):
        place.storage.write_lines(INITIAL[side], [line(f"{side}-{n}.jpg") for n in range(count)])
    built = dataset.build_initial(place.workspace)
    crown(place, built["dataset_id"], 1)
    return str(built["dataset_id"])


@pytest.fixture
def begun(make_place) -> Place:
    place = make_place(initial=INITIAL)
    start(place)
    return place


def test_the_first_dataset_is_checked_line_by_line(make_place):
    place = make_place(initial=INITIAL)
    good = [line("1.jpg"), line("2.jpg", class_id=1)]
    bad = [line("3.jpg", class_id=2), {"source-ref": "s3://b/4.jpg"}]
    place.storage.write_lines(INITIAL["train"], good + bad)
    place.storage.write_lines(INITIAL["validation"], [line("5.jpg"), line("1.jpg")])
    built = dataset.build_initial(place.workspace)
    assert (built["train"], built["validation"], built["rejected"], built["parent"]) == (1, 2, 2, None)
    reasons = place.storage.read_lines(storage.dataset_file(built["dataset_id"], "rejected.jsonl"))
    assert [(item["line"], item["reason"].split(" ")[0]) for item in reasons] == [
        ("3", "class_id"),
        ("4", "manifest"),
    ]
    assert dataset.build_initial(place.workspace) == built


def test_a_manifest_that_is_not_there_is_named(make_place):
    with pytest.raises(
        ConfigurationError, match=r"initial: no object at s3://.*/pets/initial/train\.manifest"
    ):
        dataset.build_initial(make_place(initial=INITIAL).workspace)
    with pytest.raises(NothingToLearn, match="names no manifests"):
        dataset.build_initial(make_place().workspace)


def test_new_labels_come_with_a_replay_and_the_old_validation(begun: Place):
    shard(begun, NIGHT, [line(f"n{n}.jpg", f"e{n}") for n in range(5)])
    built = dataset.build(begun.workspace)
    record = dataset.read_dataset(begun.workspace, built["dataset_id"])
    train, validation = (read(begun, built["dataset_id"], side) for side in ("train", "validation"))
    new = {f"s3://b/n{n}.jpg" for n in range(5)}
    assert new == (sources(train) | sources(validation)) & new
    assert built["replayed"] == 3 * len(sources(train) & new)
    assert sources(validation) >= {f"s3://b/validation-{n}.jpg" for n in range(4)}
    assert not sources(train) & sources(validation)
    assert (record["parent"], list(record["learned"])) == ("job-1", [NIGHT])
    assert len(record["learned"][NIGHT]) == 64
    assert dataset.build(begun.workspace) == built


def test_every_shard_is_learned_from_once_however_many_trainings_there_are(begun: Place):
    learned = []
    for number, nights in enumerate((["2026-11-01", "2026-11-03"], ["2026-11-02"]), start=2):
        for night in nights:
            shard(begun, night, [line(f"{night}-{n}.jpg", f"{night}{n}") for n in range(6)])
        built = dataset.build(begun.workspace)
        learned.append(sorted(dataset.read_dataset(begun.workspace, built["dataset_id"])["shards"]))
        crown(begun, built["dataset_id"], number)
    assert learned == [["2026-11-01", "2026-11-03"], ["2026-11-02"]]
    with pytest.raises(NothingToLearn, match="0 labels from 0 nights are new to job-3"):
        dataset.build(begun.workspace)
    assert dataset.pending(begun.workspace)["labels"] == 0


def test_the_replay_draws_from_the_whole_lineage(begun: Place):
    shard(begun, "2026-11-01", [line(f"a{n}.jpg", f"a{n}") for n in range(10)])
    crown(begun, dataset.build(begun.workspace)["dataset_id"], 2)
    shard(begun, "2026-11-02", [line(f"b{n}.jpg", f"b{n}") for n in range(40)])
    train = sources(read(begun, dataset.build(begun.workspace)["dataset_id"], "train"))
    assert {name for name in train if "/train-" in name} == {f"s3://b/train-{n}.jpg" for n in range(20)}
    assert any("/a" in name for name in train)


def test_an_image_stays_on_its_side_when_it_is_labelled_again(begun: Place):
    shard(begun, "2026-11-01", [line(f"a{n}.jpg", f"a{n}") for n in range(12)])
    first = dataset.build(begun.workspace)["dataset_id"]
    crown(begun, first, 2)
    again = [line(f"a{n}.jpg", f"a{n}", created="2026-11-05T00:00:00", class_id=1) for n in range(12)]
    shard(begun, "2026-11-05", again)
    second = dataset.build(begun.workspace)["dataset_id"]
    for side in ("train", "validation"):
        one, other = (
            {name for name in sources(read(begun, built, side)) if "/a" in name} for built in (first, second)
        )
        assert one == other
    for value in read(begun, second, "train") + read(begun, second, "validation"):
        if "/a" in value["source-ref"]:
            assert value["review"]["annotations"][0]["class_id"] == 1  # the newest label, and only that


def test_too_few_labels_wait_for_more(begun: Place):
    shard(begun, NIGHT, [line("n.jpg", "e")])
    with pytest.raises(NothingToLearn, match="1 labels from 1 nights are new to job-1; it takes 5"):
        dataset.build(begun.workspace, min_new_labels=5)
    assert plan.plan_training(begun.workspace)["new_labels"] == 1


def test_a_dataset_that_did_not_make_a_champion_rings_no_bell_for_itself(begun: Place):
    shard(begun, "2026-11-01", [line(f"a{n}.jpg", f"a{n}") for n in range(5)])
    tried = dataset.build(begun.workspace)["dataset_id"]
    assert dataset.pending(begun.workspace)["shards"] == 1
    assert dataset.pending(begun.workspace, tried)["shards"] == 0
    shard(begun, "2026-11-02", [line("b.jpg", "b")])
    assert dataset.pending(begun.workspace, tried) == {"shards": 1, "labels": 1, "batches": ["2026-11-02"]}


def test_without_a_champion_the_first_labels_fill_both_sides(place: Place):
    shard(place, NIGHT, [line(f"n{n}.jpg", f"e{n}") for n in range(3)])
    built = dataset.build(place.workspace)
    assert (built["parent"], built["replayed"]) == (None, 0)
    assert built["train"] >= 1
    assert built["validation"] >= 1
    assert built["train"] + built["validation"] == 3


def test_one_first_label_is_not_enough(place: Place):
    shard(place, NIGHT, [line("n.jpg", "e")])
    with pytest.raises(NothingToLearn):
        dataset.build(place.workspace)


def test_plans_write_nothing(begun: Place):
    shard(begun, NIGHT, [line("n.jpg", "e")])
    before = [item.uri for item in begun.storage.list("")]
    report = plan.plan_training(begun.workspace)
    assert (report["new_labels"], report["shards"], report["replay"], report["enough"]) == (1, 1, 3, True)
    assert "1 labels from 1 nights are new to job-1" in report["text"]
    assert [item.uri for item in begun.storage.list("")] == before


VERSIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 9), st.integers(0, 1)),
    max_size=12,
)


@given(VERSIONS, st.randoms(use_true_random=False))
def test_one_label_per_image_the_newest_whatever_the_order(versions, random):
    lines = [
        read_value(line(f"{name}.jpg", etag, f"2026-11-0{day}", class_id), "review", CLASSES)
        for name, etag, day, class_id in versions
    ]
    chosen = _newest(lines)
    assert len({item.source for item in chosen.values()}) == len(chosen)
    assert all(identity == item.identity for identity, item in chosen.items())
    mixed = random.sample(lines, len(lines))
    assert {item.source: item.value for item in _newest(mixed).values()} == {
        item.source: item.value for item in chosen.values()
    }
