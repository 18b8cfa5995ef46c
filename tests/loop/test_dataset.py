"""Every label is learned from once; an image stays on its side; the same labels make the same dataset."""

from __future__ import annotations

import hashlib

import pytest

from include.loop import champion, dataset, plan, registry, storage
from include.loop.errors import ConfigurationError, NothingToLearn
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place, labelled

CLASSES = ("cat", "dog")
INITIAL = {"train": "initial/train.manifest", "validation": "initial/validation.manifest"}


def line(
    place: Place,
    name: str,
    picture: bytes | None = None,
    created: str = "2026-11-01T00:00:00.000000",
    class_id: int = 0,
    **more: str,
) -> dict:
    """A label of an image that is there: a picture of its own for every name, unless one is given."""
    body = patchwork(name) if picture is None else picture
    source = place.put(f"pictures/{name}", body)
    return labelled(source, created, class_id) | {"etag": hashlib.md5(body).hexdigest()} | more


def lines(place: Place, prefix: str, count: int, **label) -> list[dict]:
    return [line(place, f"{prefix}{n}.jpg", **label) for n in range(count)]


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
    """The file names."""
    return {value["source-ref"].rsplit("/", 1)[-1] for value in lines}


def start(place: Place, train: int = 20, validation: int = 4) -> str:
    """A first champion from labels of its own."""
    for side, count in (("train", train), ("validation", validation)):
        place.storage.write_lines(INITIAL[side], lines(place, f"{side}-", count))
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
    good = [line(place, "1.jpg"), line(place, "2.jpg", class_id=1)]
    bad = [line(place, "3.jpg", class_id=2), {"source-ref": "s3://b/4.jpg"}]
    place.storage.write_lines(INITIAL["train"], good + bad)
    place.storage.write_lines(INITIAL["validation"], [line(place, "5.jpg"), line(place, "1.jpg")])
    built = dataset.build_initial(place.workspace)
    assert (built["train"], built["validation"], built["memory"], built["parent"]) == (1, 1, 1, None)
    assert built["rejected"] == 2
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
    shard(begun, NIGHT, lines(begun, "n", 5))
    built = dataset.build(begun.workspace)
    record = dataset.read_dataset(begun.workspace, built["dataset_id"])
    train, validation = (read(begun, built["dataset_id"], side) for side in ("train", "validation"))
    new = {f"n{n}.jpg" for n in range(5)}
    assert new == (sources(train) | sources(validation)) & new
    assert built["replayed"] == 3 * len(sources(train) & new)
    old = sources(validation) | sources(read(begun, built["dataset_id"], "memory"))
    assert old >= {f"validation-{n}.jpg" for n in range(4)}
    assert not sources(train) & sources(validation)
    assert (record["parent"], list(record["learned"])) == ("job-1", [NIGHT])
    assert len(record["learned"][NIGHT]) == 64
    assert dataset.build(begun.workspace) == built


def test_every_shard_is_learned_from_once_however_many_trainings_there_are(begun: Place):
    learned = []
    for number, nights in enumerate((["2026-11-01", "2026-11-03"], ["2026-11-02"]), start=2):
        for night in nights:
            shard(begun, night, lines(begun, night, 6))
        built = dataset.build(begun.workspace)
        learned.append(sorted(dataset.read_dataset(begun.workspace, built["dataset_id"])["shards"]))
        crown(begun, built["dataset_id"], number)
    assert learned == [["2026-11-01", "2026-11-03"], ["2026-11-02"]]
    with pytest.raises(NothingToLearn, match="0 labels from 0 nights are new to job-3"):
        dataset.build(begun.workspace)
    assert dataset.pending(begun.workspace)["labels"] == 0


def test_the_replay_draws_from_the_whole_lineage(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 10))
    crown(begun, dataset.build(begun.workspace)["dataset_id"], 2)
    shard(begun, "2026-11-02", lines(begun, "b", 40))
    train = sources(read(begun, dataset.build(begun.workspace)["dataset_id"], "train"))
    assert {name for name in train if "train-" in name} == {f"train-{n}.jpg" for n in range(20)}
    assert any(name.startswith("a") for name in train)


def test_an_image_stays_on_its_side_when_it_is_labelled_again(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 12))
    first = dataset.build(begun.workspace)["dataset_id"]
    crown(begun, first, 2)
    again = lines(begun, "a", 12, created="2026-11-05T00:00:00", class_id=1)
    shard(begun, "2026-11-05", again)
    second = dataset.build(begun.workspace)["dataset_id"]
    for side in ("train", "validation"):
        one, other = (
            {name for name in sources(read(begun, built, side)) if name.startswith("a")}
            for built in (first, second)
        )
        assert one == other
    for value in read(begun, second, "train") + read(begun, second, "validation"):
        if "/a" in value["source-ref"]:
            assert value["review"]["annotations"][0]["class_id"] == 1  # the newest label, and only that


def test_too_few_labels_wait_for_more(begun: Place):
    shard(begun, NIGHT, [line(begun, "n.jpg")])
    with pytest.raises(NothingToLearn, match="1 labels from 1 nights are new to job-1; it takes 5"):
        dataset.build(begun.workspace, min_new_labels=5)
    assert plan.plan_training(begun.workspace)["new_labels"] == 1


def test_a_dataset_that_did_not_make_a_champion_rings_no_bell_for_itself(begun: Place):
    shard(begun, "2026-11-01", lines(begun, "a", 5))
    tried = dataset.build(begun.workspace)["dataset_id"]
    assert dataset.pending(begun.workspace)["shards"] == 1
    assert dataset.pending(begun.workspace, tried)["shards"] == 0
    shard(begun, "2026-11-02", [line(begun, "b.jpg")])
    assert dataset.pending(begun.workspace, tried) == {"shards": 1, "labels": 1, "batches": ["2026-11-02"]}


def test_without_a_champion_the_first_labels_fill_both_sides(place: Place):
    shard(place, NIGHT, lines(place, "n", 3))
    built = dataset.build(place.workspace)
    assert (built["parent"], built["replayed"]) == (None, 0)
    assert built["train"] >= 1
    assert built["validation"] >= 1
    assert built["train"] + built["validation"] == 3


def test_one_first_label_is_not_enough(place: Place):
    shard(place, NIGHT, [line(place, "n.jpg")])
    with pytest.raises(NothingToLearn):
        dataset.build(place.workspace)


def test_plans_write_nothing(begun: Place):
    shard(begun, NIGHT, [line(begun, "n.jpg")])
    before = [item.uri for item in begun.storage.list("")]
    report = plan.plan_training(begun.workspace)
    assert (report["new_labels"], report["shards"], report["replay"], report["enough"]) == (1, 1, 3, True)
    assert "1 labels from 1 nights are new to job-1" in report["text"]
    assert [item.uri for item in begun.storage.list("")] == before
