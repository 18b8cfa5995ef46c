"""A batch that did harm is in no dataset, the others are learned, and every word about it is kept once."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NothingToLearn
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import TrainedModel
from include.loop.core.records.trials import Finding, Kind
from include.loop.core.records.verdict import Verdict
from include.loop.dataset import build, label_pool
from include.loop.dataset.plan import plan_training
from include.loop.evaluation.gate import GateResult, judge
from include.loop.trials import past, shards
from include.loop.trials.next_trial import DAY
from include.loop.trials.shards import read_lineage
from include.loop.trials.standing import State
from include.loop.trials.weigh import weigh
from tests.loop.evaluation.test_gate import compared, metrics
from tests.loop.labelled import INITIAL, lines, read, set_champion, shard, sources, start
from tests.loop.place import Place

A, B, C, D = (f"2026-11-0{day}" for day in range(1, 5))
SPLITS = ("train", "validation", "retention", "recent", "audit")
FOUND = {
    "harm": compared(0.8, 0.5),
    "no_gain": compared(0.8, 0.8),
    "promote": compared(0.8, 0.9),
}


@pytest.fixture
def begun(make_place) -> Place:
    place = make_place(initial=INITIAL)
    start(place, 3, 2)
    return place


def batch(place: Place, name: str, count: int = 3) -> None:
    shard(place, name, lines(place, f"{name}-", count, class_id=1))


def trained(place: Place, job: str, dataset_id: str, parent: str | None) -> None:
    model = TrainedModel(training_job=job, dataset_id=dataset_id, parent=parent, model_data="s3://b/m")
    model.write(place.storage, job)


def judged(place: Place, dataset_id: str, number: int, found: str, **more: Any) -> GateResult:
    """The verdict about the challenger of a dataset, as if it had been trained and measured."""
    job = f"job-{number}"
    parent = Dataset.read(place.storage, dataset_id).parent
    trained(place, job, dataset_id, parent)
    value = metrics(parent, day=FOUND[found]) | more
    place.storage.write_json(layout.metrics_file(job), value)
    return judge(place.workspace, job)


def round_(place: Place, number: int, bad: set[str]) -> tuple[list[str], str] | None:
    """One round: its new batches, and what the gate finds when these batches do harm; None without one."""
    try:
        made = build.build(place.workspace).dataset_id
    except NothingToLearn:
        return None
    batches = sorted(Dataset.read(place.storage, made).shards)
    found = "harm" if bad & {*batches} else "promote"
    judged(place, made, number, found)
    if found == "promote":
        set_champion(place, made, number)
    return batches, found


def test_a_bad_batch_is_in_no_part_of_the_datasets_after_it(begun: Place):
    batch(begun, A, 6)
    bad = build.build(begun.workspace).dataset_id
    told = judged(begun, bad, 2, "harm")
    assert told.outcome == "harm"
    (warning,) = told.warnings
    assert f"{A} is set aside: it did harm by itself (job-2)" in warning
    assert f"release-labels {A}" in warning
    assert f"discard-labels {A}" in warning
    with pytest.raises(
        NothingToLearn, match=f"0 labels from 0 batches .* Left out: {A} .set aside: did harm"
    ):
        build.build(begun.workspace)
    assert build.find_untried(begun.workspace).labels == 0

    batch(begun, B, 6)
    planned = plan_training(begun.workspace)
    assert (planned.new_labels, planned.shards, planned.set_aside) == (6, 1, [A])
    assert "Left out: 2026-11-01 (set aside" in planned.text
    built = build.build(begun.workspace)
    record = Dataset.read(begun.storage, built.dataset_id)
    assert ([*record.shards], [*record.learned], record.set_aside) == ([B], [B], (A,))
    everything = {name for split in SPLITS for name in sources(read(begun, built.dataset_id, split))}
    assert not any(name.startswith(A) for name in everything)
    assert sum(name.startswith(B) for name in everything) == 6
    assert len(label_pool.gather(begun.workspace).register.entries(A)) == 6, (
        "its splits are settled all the same"
    )
    judged(begun, built.dataset_id, 3, "promote")
    set_champion(begun, built.dataset_id, 3)
    assert past.set_aside(begun.workspace) == {A}


def test_of_batches_that_come_at_once_all_but_the_bad_one_are_learned_without_a_hand(begun: Place):
    for name in (A, B, C, D):
        batch(begun, name)
    shard(begun, "2026-11-05", [])
    many = begun.pipeline.training.model_copy(update={"trials": 10})
    begun.workspace = begun.but(training=many)
    told: list[tuple[list[str], str]] = []
    while done := round_(begun, 2 + len(told), {C}):
        told.append(done)
    assert told == [
        ([A, B, C, D, "2026-11-05"], "harm"),
        ([A, B, "2026-11-05"], "promote"),
        ([C], "harm"),
        ([D], "promote"),
        ([C], "harm"),  # once more, with the last champion
    ]
    assert {*read_lineage(begun.workspace).learned} == {A, B, D, "2026-11-05"}
    trials = [begun.storage.read_json(layout.trial_file(f"job-{number}")) for number in range(2, 7)]
    assert [item["shards"] for item in trials] == [[A, B, C, D], [A, B], [C], [D], [C]]
    assert [item["kind"] for item in trials] == ["round", "split", "split", "rest", "alone"]
    assert [item["champion"] for item in trials] == ["job-1", "job-1", "job-3", "job-3", "job-5"]


def test_what_was_tried_is_written_once_whatever_happens_between(begun: Place):
    batch(begun, A)
    made = build.build(begun.workspace).dataset_id
    first = judged(begun, made, 2, "no_gain")
    location = layout.trial_file("job-2")
    kept = begun.storage.read(location)
    assert judge(begun.workspace, "job-2") == first
    assert begun.storage.read(location) == kept
    # A try that died between verdict and record.
    begun.s3.delete_object(Bucket=begun.bucket, Key=f"pets/{location}")
    assert judge(begun.workspace, "job-2") == first
    record = begun.storage.read_json(location)
    assert (record["outcome"], record["shards"], record["champion"]) == ("no_gain", [A], "job-1")
    assert [rule["rule"] for rule in record["failed"]] == ["gain"]
    # No evaluation: no word about the batches, until there is one.
    batch(begun, B)
    again = build.build(begun.workspace).dataset_id
    trained(begun, "job-3", again, "job-1")
    assert judge(begun.workspace, "job-3").outcome is None
    assert judged(begun, again, 3, "harm").outcome == "harm"


def test_a_further_trial_needs_no_number_of_labels_and_counts_for_a_day(begun: Place):
    batch(begun, A)
    batch(begun, B)
    judged(begun, build.build(begun.workspace).dataset_id, 2, "harm")
    settings = begun.pipeline.training.model_copy(update={"min_new_labels": 6, "trials": 1})
    few = begun.but(training=settings)
    built = build.build(few)
    assert built.trial == {"kind": Kind.SPLIT, "batches": [A]}
    assert "A further trial: a part of the batches of which one did harm (2026-11-01)" in built.note
    assert build.find_untried(few).kind == "split"
    assert build.build(begun.workspace, min_new_labels=100).dataset_id == built.dataset_id
    judged(begun, built.dataset_id, 3, "harm")
    free = datetime.fromisoformat(begun.storage.read_json(layout.trial_file("job-3"))["at"]) + DAY
    for most, text in ((1, f"the next one may begin at {free:%Y-%m-%d %H:%M} UTC"), (0, "none is allowed")):
        bound = begun.but(training=settings.model_copy(update={"trials": most}))
        with pytest.raises(NothingToLearn, match=f"training.trials allows {most} within 24 hours; {text}"):
            build.build(bound)
        assert build.find_untried(bound).labels == 0
    batch(begun, C)
    assert build.build(few).trial == {"kind": Kind.ROUND, "batches": [B, C]}


def test_a_batch_whose_labels_are_all_unusable_does_not_block_the_others(begun: Place):
    batch(begun, A)
    shard(begun, B, [{"source-ref": "s3://b/1.jpg"}])
    judged(begun, build.build(begun.workspace).dataset_id, 2, "harm")
    assert [*Dataset.read(begun.storage, build.build(begun.workspace).dataset_id).shards] == [A]


def test_odd_records_count_for_nothing_and_are_told(begun: Place, caplog: pytest.LogCaptureFixture):
    batch(begun, A)
    judged(begun, build.build(begun.workspace).dataset_id, 2, "harm")
    for name, body in (("x", b"{"), ("y", b"[]"), ("z", b'{"outcome": "harm", "at": "yesterday"}')):
        begun.storage.write(layout.trial_file(name), body)
        begun.storage.write(layout.released_file(name), body)
    with caplog.at_level(logging.WARNING):
        assert past.set_aside(begun.workspace) == {A}
    assert "trials/x.json counts for nothing" in caplog.text
    assert "released/z.json counts for nothing" in caplog.text


def test_a_pipeline_that_has_no_record_of_trials_learns_as_before(begun: Place):
    assert past.set_aside(begun.workspace) == set()
    batch(begun, A)
    made = build.build(begun.workspace).dataset_id
    # As an earlier version wrote it.
    location = layout.dataset_file(made)
    old = begun.storage.read_json(location)
    for name in ("trial", "suspended", "set_aside", "note"):
        del old[name]
    begun.storage.write_json(location, old)
    judged(begun, made, 2, "harm")
    assert begun.storage.read_json(layout.trial_file("job-2"))["shards"] == [A]
    begun.s3.delete_object(Bucket=begun.bucket, Key=f"pets/{layout.trial_file('job-2')}")
    assert build.build(begun.workspace).dataset_id == made
    # A first model is better than nothing: whatever its gate says holds no batch back.
    begun.s3.delete_object(Bucket=begun.bucket, Key=f"pets/{layout.CHAMPION}")
    first = build.build(begun.workspace).dataset_id
    assert judged(begun, first, 3, "harm", champion=None).outcome is None


def test_a_released_batch_is_learned_from_with_the_next_ones(begun: Place):
    batch(begun, A)
    verdict = judged(begun, build.build(begun.workspace).dataset_id, 2, "harm")
    _, was = past.release(begun.workspace, A, "ada", "looked through")
    assert was.state is State.SET_ASIDE
    assert begun.storage.read_json(layout.released_file(A))["by"] == "ada"
    assert judge(begun.workspace, "job-2") == verdict, "a run that is cleared comes to the same verdict"
    batch(begun, B)
    record = build.build(begun.workspace)
    assert record.trial == {"kind": Kind.ROUND, "batches": [A, B]}
    with pytest.raises(ConfigurationError, match=r"2026-11-01 is open \(released by a person\)"):
        past.release(begun.workspace, A, "ada", "again")
    set_champion(begun, record.dataset_id, 3)
    with pytest.raises(ConfigurationError, match="the champion has learned from 2026-11-02 already"):
        past.release(begun.workspace, B, "ada", "why not")
    shards.discard(begun.workspace, B, "ada", "wrong after all")
    with pytest.raises(
        ConfigurationError, match=r"2026-11-02 was discarded; to take that back, delete s3://"
    ):
        past.release(begun.workspace, B, "ada", "changed my mind")
    batch(begun, C)
    shards.discard(begun.workspace, C, "ada", "wrong")
    with pytest.raises(ConfigurationError, match=r"was discarded; to take that back, delete s3://.*03\.json"):
        past.release(begun.workspace, C, "ada", "changed my mind")
    with pytest.raises(
        ConfigurationError, match=r"no labels of '2026-12-24' to learn; there are those of \['2"
    ):
        past.release(begun.workspace, "2026-12-24", "ada", "a guess")


@pytest.mark.parametrize(
    ("rules", "outcome", "blamed"),
    [
        ([("gain", None, -0.1)], Finding.NO_GAIN, ()),
        ([("floor", "day", 0.1), ("calibration", "day", 0.9), ("latency", None, 99.0)], Finding.NO_GAIN, ()),
        ([("gain", None, -0.1), ("loss", "day", -0.2)], Finding.HARM, ()),
        ([("class_loss", "day", -0.2)], Finding.HARM, ()),
        ([("train_recall", A, 0.2), ("loss", "day", -0.2), ("train_recall", B, 0.3)], Finding.HARM, (A, B)),
        ([("measured", "day", None), ("loss", "day", None)], Finding.NO_GAIN, ()),
        ([("train_recall", A, None)], Finding.NO_GAIN, ()),
    ],
)
def test_harm_is_a_loss_or_what_could_not_be_learned_and_nothing_else(rules, outcome, blamed):
    failed = [
        {"rule": name, "slice": part, "value": value, "passed": False, "judged": True}
        for name, part, value in rules
    ]
    told = {"rule": "train_recall", "slice": C, "value": 0.1, "passed": False, "judged": False}
    kept = {"rule": "loss", "slice": "day", "value": 0.1, "passed": True, "judged": True}
    assert weigh(verdict(False, *failed, told, kept)) == (outcome, blamed)
    assert weigh(verdict(True, told, kept)) == (Finding.PROMOTE, ())


def verdict(promote: bool, *rules: dict[str, Any]) -> Verdict:
    return Verdict.model_validate({"promote": promote, "rules": rules})
