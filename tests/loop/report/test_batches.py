"""What a batch was, from its records, and how far its scores have moved."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.storage import dump
from include.loop.report.batches import EARLIER, make_scores, read_batch, read_batches, stability_index
from tests.loop.report.rounds import TRUTH, Rounds

SCORES = st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=300)


def test_a_batch_is_counted_from_images_to_labels(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.1, 0.5, 0.9, 1.0], labels=2, open_loops=["a"])
    batch = read_batch(rounds.workspace, "2026-11-01", [])
    assert (batch.images, batch.predicted, batch.asked, batch.audits) == (4, 4, 2, 1)
    assert (batch.answered, batch.labels, batch.open) == (2, 2, 1)
    assert (batch.reviewer_seconds, batch.expected_seconds) == (60.0, 40.0)
    assert batch.dollars == 60 / 3600 * rounds.workspace.pipeline.review.dollars_per_hour
    assert batch.champion == "champion-1"
    assert batch.flow_definition == "arn:flow"
    assert batch.scores
    assert sum(batch.scores.histogram) == 4


def test_an_answer_that_cannot_be_used_was_an_answer_and_late_labels_are_told(rounds: Rounds) -> None:
    rounds.night("2026-11-02", [0.1, 0.2], labels=1)
    refused = [
        refusal("box outside", loop="l", worker="w"),
        refusal("not an image"),
    ]
    late = {
        "source-ref": "s3://b/k",
        "review": {"annotations": [TRUTH]},
        "loop": "old",
        "batch": "2026-11-01",
    }
    rounds.put("labels/dt=2026-11-02/quarantine.jsonl", b"\n".join(dump(line) for line in refused))
    manifest = rounds.storage.read("labels/dt=2026-11-02/augmented.manifest")
    rounds.put("labels/dt=2026-11-02/augmented.manifest", manifest + dump(late) + b"\n")
    batch = read_batch(rounds.workspace, "2026-11-02", [])
    assert (batch.answered, batch.late) == (2, 1)
    assert dict(batch.reasons) == {"box outside": 1, "not an image": 1}


def test_what_people_were_asked_is_told_by_who_named_it(rounds: Rounds) -> None:
    """Of three answers two are labels, one of them of a copy of the image as well, and one is none."""
    rounds.night("2026-11-02", [0.1, 0.2, 0.3, 0.9], labels=3, shares=("audit", "random", "random"))
    lines = list(rounds.storage.read_lines("labels/dt=2026-11-02/augmented.manifest"))
    copy = lines[1] | {"source-ref": "s3://b/copy"}
    rounds.storage.write_lines("labels/dt=2026-11-02/augmented.manifest", [*lines[:2], copy])
    unusable = refusal("box outside", loop="loop-2", worker="w") | {"image": lines[2]["source-ref"]}
    rounds.put("labels/dt=2026-11-02/quarantine.jsonl", dump(unusable))
    batch = read_batch(rounds.workspace, "2026-11-02", [])
    told = [(one.share, one.asked, one.answered, one.labels, one.expected_seconds) for one in batch.shares]
    assert told == [("random", 2, 2, 1, 40.0), ("audit", 1, 1, 1, 20.0)]
    rounds.night("2026-11-03", [0.1, 0.9], labels=1)
    assert read_batch(rounds.workspace, "2026-11-03", []).shares == ()


def test_no_record_is_left_out_of_the_reasons(rounds: Rounds) -> None:
    rounds.night("2026-11-02", [0.1], labels=1)
    refused = [refusal(f"reason {number % 20}") for number in range(39)]
    rounds.put("labels/dt=2026-11-02/quarantine.jsonl", b"\n".join(dump(line) for line in refused))
    batch = read_batch(rounds.workspace, "2026-11-02", [])
    assert sum(count for _, count in batch.reasons) == 39
    assert batch.reasons[-1] == ("another reason", 17)


def test_a_batch_without_records_is_a_batch_of_zeros(rounds: Rounds) -> None:
    problems: list[str] = []
    batch = read_batch(rounds.workspace, "2026-11-01", problems)
    assert (batch.images, batch.labels, batch.scores, problems) == (0, 0, None, [])


def test_damaged_records_are_noted_and_the_rest_is_told(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.5], labels=1)
    rounds.put("runs/dt=2026-11-01/triage.parquet", b"PAR1 no parquet")
    rounds.put("runs/dt=2026-11-01/predictions.json", b"{")
    problems: list[str] = []
    batch = read_batch(rounds.workspace, "2026-11-01", problems)
    assert (batch.images, batch.labels, batch.predicted, batch.scores) == (1, 1, 0, None)
    assert len(problems) == 2


def test_the_batches_before_a_round_are_the_last_ones_and_known_ones_are_not_read_again(
    rounds: Rounds,
) -> None:
    for day in range(1, EARLIER + 4):
        rounds.put(f"runs/dt=2026-11-{day:02}/batch.json", pinned(f"2026-11-{day:02}", day))
    rounds.night("2026-11-30", [0.5], labels=1)
    batches, earlier = read_batches(rounds.workspace, ["2026-11-30"], {}, [])
    assert [batch.batch for batch in batches] == ["2026-11-30"]
    assert [batch.batch for batch in earlier] == [f"2026-11-{day:02}" for day in range(4, EARLIER + 4)]
    rounds.put("runs/dt=2026-11-30/batch.json", pinned("2026-11-30", 0))
    again, _ = read_batches(rounds.workspace, ["2026-11-30"], {"2026-11-30": batches[0]}, [])
    assert again == batches


def refusal(reason: str, **known: str) -> dict[str, str]:
    return {"stage": "answers", "image": "s3://b/k", "reason": reason, "batch": "2026-11-02"} | known


def pinned(batch: str, images: int) -> dict[str, Any]:
    return {"batch": batch, "prefix": "", "images": [{"uri": "s3://b/x", "etag": "e", "size": 1}] * images}


@given(SCORES)
def test_scores_are_summed_up_without_losing_one(values: list[float]) -> None:
    scores = make_scores(values)
    assert scores
    assert scores.count == len(values)
    assert list(scores.quantiles) == sorted(scores.quantiles)


@given(SCORES, SCORES)
def test_the_stability_index_is_never_negative_and_nothing_moves_from_itself(
    one: list[float], other: list[float]
) -> None:
    here, there = make_scores(one), make_scores(other)
    assert here
    assert there
    moved = stability_index(here, [there])
    assert moved
    assert moved[0] >= 0
    assert moved[1] > 0
    still = stability_index(here, [here])
    assert still
    assert abs(still[0]) < 1e-9


def test_a_batch_that_looks_different_moves_far_more_than_chance() -> None:
    by_day, by_night = make_scores([0.9] * 100), make_scores([0.2] * 100)
    assert by_day
    assert by_night
    moved = stability_index(by_night, [by_day])
    assert moved
    assert moved[0] > 10 * moved[1]
    assert stability_index(by_night, []) is None
