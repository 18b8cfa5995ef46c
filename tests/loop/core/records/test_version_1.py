"""Objects as the loop wrote them before they had a schema version are still read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.loop.core.records.base import Line, Record
from include.loop.core.records.dataset import (
    Dataset,
    RejectedLine,
    ReplacedLabels,
    ReplayScore,
    TriedBatches,
)
from include.loop.core.records.models import (
    ApprovalDecision,
    Champion,
    Registration,
    TrainedModel,
    TrainingCurves,
)
from include.loop.core.records.splits import Entry, Split
from include.loop.core.records.trials import Discard, FailedRule, Finding, Kind, Release, Trial
from include.loop.core.storage import dump

DATASET: dict[str, Any] = {
    "dataset_id": "4f6789e2cb",
    "parent": "digits-train-8fc3bab392-1",
    "parent_dataset": "0a1b2c3d4e",
    "root": "0a1b2c3d4e",
    "initial": "initial-aabbccddee",
    "shards": {"2026-11-02": "ab"},
    "learned": {"2026-11-01": "cd", "2026-11-02": "ab"},
    "trial": {"kind": "round", "nights": ["2026-11-02"]},
    "suspended": [],
    "set_aside": ["2026-11-01.1"],
    "note": "Left out: 2026-11-01.1.",
    "classes": ["zero", "one"],
    "class_map": {"0": "zero", "1": "one"},
    "label_attribute": "review",
    "new": 60,
    "replayed": 30,
    "held_out": 12,
    "left_out": 0,
    "train": 78,
    "validation": 40,
    "memory": 20,
    "newest": 12,
    "audit": 3,
    "superseded": 1,
    "near_duplicates": 2,
    "max_boxes": 4,
    "rejected": 1,
    "rejected_boxes": 0,
    "replay": {
        "choose": "difficult",
        "per_new": 0.5,
        "scored": 90,
        "scores_uri": "s3://b/digits/replay/1.jsonl",
    },
    "backfilled": ["2026-11-02"],
}
MODEL: dict[str, Any] = {
    "training_job": "digits-train-8fc3bab392-1",
    "dataset_id": "4f6789e2cb",
    "parent": None,
    "model_data": "s3://b/digits/models/digits-train-8fc3bab392-1/output/model.tar.gz",
    "base_network": "resnet-50",
    "num_classes": 2,
    "image_shape": 128,
    "hyperparameters": {
        "base_network": "resnet-50",
        "num_classes": "2",
        "image_shape": "128",
        "epochs": "12",
    },
    "training_job_arn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/digits-train-8fc3bab392-1",
    "instance_type": "ml.g4dn.xlarge",
    "seconds": 41.5,
    "billable_seconds": 42,
}
CHAMPION: dict[str, Any] = {
    "number": 2,
    "training_job": "digits-train-8fc3bab392-1",
    "model_data": "s3://b/digits/models/digits-train-8fc3bab392-1/output/model.tar.gz",
    "dataset_id": "4f6789e2cb",
    "base_network": "resnet-50",
    "num_classes": 2,
    "image_shape": 128,
    "metrics": {"day": 0.81, "night": 0.5, "memory": 0.7, "newest": None},
    "promoted_at": "2026-11-02T01:00:00+00:00",
    "package_arn": "arn:aws:sagemaker:us-east-1:000000000000:model-package/digits/2",
    "rolled_back_from": None,
}
TRIAL: dict[str, Any] = {
    "training_job": "digits-train-8fc3bab392-1",
    "dataset_id": "4f6789e2cb",
    "champion": "digits-train-0000000000-1",
    "shards": ["2026-11-02", "2026-11-01"],
    "kind": "split",
    "outcome": "harm",
    "failed": [
        {"rule": "learned", "slice": "2026-11-02", "text": "only 40 % of its labels are learned"},
        {"rule": "class_loss", "slice": "day", "class": "one", "text": "worse at one"},
    ],
    "blamed": ["2026-11-02"],
    "at": "2026-11-02T01:00:00.000001+00:00",
}
WORD = {"shard": "2026-11-01", "by": "ada", "why": "drawn by a robot", "at": "2026-11-03T08:00:00"}
ENTRY: dict[str, Any] = {
    "source": "s3://b/digits/images/1.jpg",
    "etag": "ee",
    "sha256": "ff",
    "phash": None,
    "side": "memory",
    "why": "near-duplicate of s3://b/digits/images/0.jpg",
    "created": "2026-11-01T00:00:00.000000",
    "label": "0123456789abcdef0123",
    "classes": [0, 0, 1],
    "loop": None,
    "width": 128,
    "height": 96,
}


def test_a_dataset_says_where_the_manifests_of_its_slices_lie():
    dataset = Dataset.from_value(DATASET)
    assert (dataset.retention, dataset.recent, dataset.audit) == (20, 12, 3)
    assert dataset.trial == TriedBatches(kind=Kind.ROUND, batches=("2026-11-02",)) == dataset.tried
    assert [dataset.manifest(name) for name in ("train", "retention", "recent")] == [
        f"datasets/4f6789e2cb/{name}.manifest" for name in ("train", "memory", "newest")
    ]
    told = dataset.model_dump(mode="json")
    same = DATASET.keys() - {"memory", "newest", "trial"}
    assert {name: told[name] for name in same} == {name: DATASET[name] for name in same}
    again = Dataset.from_value(told)
    assert (again.retention, again.manifest("retention")) == (20, "datasets/4f6789e2cb/retention.manifest")


def test_a_dataset_of_before_there_were_trials_tried_all_its_batches():
    old = {name: DATASET[name] for name in ("dataset_id", "shards", "learned", "memory", "newest")}
    assert Dataset.from_value(old).tried.batches == ("2026-11-02",)


def test_a_model_and_a_champion_keep_their_shape_among_the_hyperparameters():
    model, champion = TrainedModel.from_value(MODEL), Champion.from_value(CHAMPION)
    assert model.hyperparameters == MODEL["hyperparameters"]
    assert champion.hyperparameters == {"base_network": "resnet-50", "num_classes": "2", "image_shape": "128"}
    assert (model.seconds, champion.metric) == (41.5, "mAP@0.5")
    assert champion.score == {"day": 0.81, "night": 0.5, "retention": 0.7, "recent": None}


def test_a_trial_has_its_batches_in_order_and_the_rules_names_of_today():
    trial = Trial.from_value(TRIAL)
    assert (trial.outcome, trial.kind, trial.shards) == (
        Finding.HARM,
        Kind.SPLIT,
        ("2026-11-01", "2026-11-02"),
    )
    assert trial.failed == (
        FailedRule(rule="train_recall", slice="2026-11-02", text="only 40 % of its labels are learned"),
        FailedRule(rule="class_loss", slice="day", class_name="one", text="worse at one"),
    )
    assert trial.blamed == ("2026-11-02",)


@pytest.mark.parametrize("record", [Discard, Release])
def test_a_persons_word_without_a_time_zone_is_of_utc(record: type[Discard | Release]):
    word = record.from_value(WORD)
    assert (word.shard, word.by, word.why) == ("2026-11-01", "ada", "drawn by a robot")
    assert word.at == datetime(2026, 11, 3, 8, tzinfo=UTC)


def test_an_images_split_stays_what_its_side_was():
    entry = Entry.from_value(ENTRY)
    assert (entry.split, entry.split.held_out, entry.resembles, entry.size) == (
        Split.RETENTION, True, True, (128, 96),
    )  # fmt: skip
    small = {name: ENTRY[name] for name in ENTRY.keys() - {"width", "height", "loop"}} | {"side": "left_out"}
    assert (Entry.from_value(small).split, Entry.from_value(small).size) == (Split.LEFT_OUT, None)
    assert Entry.from_value(entry.to_value()) == entry


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (
            TrainingCurves,
            {"epochs": [{"epoch": 1, "validation_map": None, "cross_entropy": 0.5}], "throughput": 9.5},
        ),
        (Registration, {"package_arn": "arn:aws:sagemaker:…", "group": "digits", "version": 2}),
        (
            ApprovalDecision,
            {"status": "Approved", "by": "ada", "comment": "", "decided_at": "2026-11-02T01:00:00"},
        ),
        (ReplayScore, {"image": "s3://b/1.jpg", "label": "ab", "difficulty": None}),
        (
            RejectedLine,
            {"manifest": "s3://b/m", "line": "3", "reason": "no class 7", "box": "2", "label": "ab"},
        ),
        (RejectedLine, {"manifest": "s3://b/m", "line": "3", "reason": "no JSON"}),
        (
            ReplacedLabels,
            {
                "image": "s3://b/1.jpg",
                "kept": {"loop": "digits-20261102-ab", "created": "2026-11-02T00:00:00"},
                "superseded": [{"loop": None, "created": "2026-11-01T00:00:00"}],
            },
        ),
    ],
)
def test_what_has_not_changed_is_read_as_it_was_written(record: type[Record | Line], value: dict[str, Any]):
    told = record.from_value(value).model_dump(mode="json")
    assert dump({name: item for name, item in told.items() if name in value}) == dump(value)
