"""Batches that no champion has learned from: how they stand is told, and what speaks against their labels."""

from __future__ import annotations

import re

from include.loop import report
from include.loop.core.storage import dump
from include.loop.report.advice import next_steps
from include.loop.report.doubts import worst
from include.loop.report.gather import gather
from include.loop.report.standings import outcome, what_next
from tests.loop.report.rounds import RIGHT, TRUTH, WRONG, Rounds

NIGHT = "2026-11-02"


def names(rounds: Rounds) -> list[str]:
    return [item.image.rsplit("/")[-1] for item in worst(rounds.workspace, NIGHT, "job-2", 0.5)]


def test_what_both_models_contradict_comes_first_and_what_none_does_is_not_shown(rounds: Rounds) -> None:
    rounds.labelled(NIGHT, "job-2", {
        "agreed.png": ([[0.0, 1.0, *RIGHT[2:]]], [[0.0, 1.0, *RIGHT[2:]]]),
        "half.png": ([WRONG], [[0.0, 1.0, *RIGHT[2:]]]),
        "worst.png": ([WRONG], [WRONG]),
    })  # fmt: skip
    assert names(rounds) == ["worst.png", "half.png"]
    example = worst(rounds.workspace, NIGHT, "job-2", 0.5)[0]
    assert (example.slice, example.label["review"]["annotations"]) == (NIGHT, [TRUTH])
    assert list(example.out) == ["champion", "challenger"]


def test_what_a_model_did_not_see_says_nothing(rounds: Rounds) -> None:
    """No prediction is no contradiction; a line that cannot be read is nobody's example."""
    rounds.labelled(NIGHT, "job-2", {"blind.png": (None, None), "seen.png": (None, [WRONG])})
    manifest = f"labels/dt={NIGHT}/augmented.manifest"
    rounds.put(manifest, b"{\n" + rounds.storage.read(manifest))
    assert names(rounds) == ["seen.png"]
    assert worst(rounds.workspace, "2026-11-09", "job-2", 0.5) == []
    assert worst(rounds.workspace, NIGHT, "job-9", 0.5) == []


def page(rounds: Rounds, job: str) -> str:
    report.publish(rounds.workspace, job)
    text = rounds.storage.read(f"reports/{job}/index.html").decode()
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_a_night_that_did_harm_alone_is_told_with_its_worst_examples(rounds: Rounds) -> None:
    rounds.serve_champion()
    rounds.night(NIGHT, [0.1, 0.9], labels=1)
    rounds.labelled(NIGHT, "job-2", {"worst.png": ([WRONG], [WRONG])})
    rounds.round("job-2", [NIGHT], promote=False)
    rounds.trial("job-2", [NIGHT], "harm")
    (line,) = rounds.storage.read_lines(f"labels/dt={NIGHT}/augmented.manifest")
    other = line["review"] | {"annotations": [TRUTH | {"class_id": 1}]}
    rounds.night("2026-11-05", [0.1], labels=1)
    again = dump(line | {"review": other, "batch": "2026-11-05", "loop": "again-1"})
    rounds.put("labels/dt=2026-11-05/augmented.manifest", again + b"\n")
    rounds.put(f"again/{NIGHT}.json", {"batch": "2026-11-05", "loops": ["again-1", "again-2"]})
    told = page(rounds, "job-2")
    assert "2 Nov 2026 set aside : did harm by itself" in told
    assert "did harm , alone, 3 November 2026, 06:30 UTC fell" in told
    assert "2 November 2026: what speaks against its labels" in told
    assert "before: 1 wrong, 1 missed" in told
    assert "Asked about again: 2 images. 1 of them has a second label so far, and 0 of these agree" in told
    assert f"python -m include.loop release-labels {NIGHT} --why" in told
    assert "Decide about 2 November 2026: it did harm by itself (job-2)" in told
    assert "no label is lost. It did harm: the loop goes on without this batch." in told


def test_nights_that_did_harm_together_are_told_with_each_other(rounds: Rounds) -> None:
    rounds.serve_champion()
    for night in (NIGHT, "2026-11-03", "2026-11-04"):
        rounds.night(night, [0.1, 0.9], labels=1)
    rounds.put(
        "discarded/2026-11-04.json",
        {"shard": "x", "at": "2026-11-05T06:00:00+00:00", "by": "ada", "why": "wrong template"},
    )
    rounds.round("job-2", [NIGHT, "2026-11-03"], promote=False)
    rounds.trial("job-2", [NIGHT, "2026-11-03"], "harm", "2026-11-03T06:30:00+00:00")
    facts = gather(rounds.workspace, "job-2")
    one, other, discarded = facts.standings
    assert "the loop itself finds out which batch did" in next_steps(facts)[0]
    assert (one.batch, one.state, other.state) == (NIGHT, "suspended", "suspended")
    assert [(outcome(item), item.others, item.reasons) for item in one.trials] == [
        ("did harm", ("2026-11-03",), ("fell",))
    ]
    assert "the loop goes on trying by itself" in what_next(one)
    assert "while the others are learned" in what_next(one)
    assert (discarded.state, discarded.by, discarded.why) == ("discarded", "ada", "wrong template")
    assert not any(item.examples for item in (one, other, discarded))


def test_a_round_without_gain_says_that_its_night_comes_again(rounds: Rounds) -> None:
    rounds.serve_champion()
    rounds.night(NIGHT, [0.1, 0.9], labels=1)
    rounds.round("job-2", [NIGHT], promote=False)
    rounds.trial("job-2", [NIGHT], "no_gain", "2026-11-03T06:30:00+00:00")
    facts = gather(rounds.workspace, "job-2")
    assert [item.state for item in facts.standings] == ["open"]
    assert "It did no harm either: the next training with new labels" in " ".join(next_steps(facts))


def test_records_that_are_not_there_or_odd_are_no_error(rounds: Rounds) -> None:
    """Rounds of earlier versions have no trials; what cannot be read is told."""
    rounds.night(NIGHT, [0.1, 0.9], labels=1)
    rounds.round("job-2", [NIGHT], promote=False)
    facts = gather(rounds.workspace, "job-2")
    assert [(item.state, item.trials) for item in facts.standings] == [("open", ())]
    assert "The champion stays at work, and no label is lost." in next_steps(facts)[0]
    rounds.serve_champion()
    rounds.storage.s3.delete_object(Bucket=rounds.storage.bucket, Key="pets/datasets/data-1/dataset.json")
    facts = gather(rounds.workspace, "job-2")
    assert facts.standings == ()
    assert any("how the batches stand cannot be told" in problem for problem in facts.problems)
