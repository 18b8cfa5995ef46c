"""Facts are what is stored, no more, and whatever is missing or damaged is noted and left out."""

from __future__ import annotations

from include.loop.core.records.facts import Facts, Rejection, RoundOutcome
from include.loop.report.facts import read_all
from include.loop.report.gather import gather
from tests.loop.report.rounds import Rounds, but, champion


def test_a_round_is_told_from_its_records(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.1, 0.9], labels=1)
    rounds.round("job-2", ["2026-11-01"])
    facts = gather(rounds.workspace, "job-2")
    assert facts.outcome is RoundOutcome.PROMOTED
    assert facts.parent == "champion-1"
    assert facts.improve_on == ("day", "night")
    assert facts.gain is not None
    assert round(facts.gain, 3) == 0.155
    assert facts.verdict
    assert [rule.rule for rule in facts.verdict.rules] == ["gain", "loss"]
    assert facts.curves
    assert len(facts.curves.epochs) == 3
    assert facts.problems == ()


def test_facts_are_kept_and_read_as_they_were(rounds: Rounds) -> None:
    rounds.night("2026-11-01", [0.1, 0.9], labels=1)
    rounds.test_set("night", ["a.png"])
    rounds.round("job-2", ["2026-11-01"])
    rounds.examples("job-2", ["a.png"])
    facts = gather(rounds.workspace, "job-2")
    assert facts.examples
    facts.write(rounds.storage, "job-2")
    stamps = {"written_by": None, "pipeline_sha256": None}
    assert but(Facts.read(rounds.storage, "job-2"), **stamps) == facts


def test_a_job_of_which_nothing_is_stored_has_facts(rounds: Rounds) -> None:
    facts = gather(rounds.workspace, "job-2")
    assert facts.outcome is RoundOutcome.UNKNOWN
    assert (facts.slices, facts.batches, facts.model, facts.problems) == ((), (), None, ())


def test_what_is_damaged_is_noted_and_the_rest_is_told(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    metrics = rounds.storage.read_json("evaluations/job-2/metrics.json")
    metrics["slices"]["day"]["challenger"]["score"] = "high"
    metrics["slices"]["night"]["champion"] = None
    metrics["latency"] = {"challenger": "fast"}
    rounds.put("evaluations/job-2/metrics.json", metrics)
    rounds.put("models/job-2/curves.json", b"{not json")
    rounds.put("evaluations/job-2/images.jsonl", b"{not json")
    facts = gather(rounds.workspace, "job-2")
    assert [item.name for item in facts.slices] == ["night"]
    assert facts.gain is None
    assert len(facts.problems) == 4
    assert any("slice day: challenger.score" in problem for problem in facts.problems)


def test_a_number_that_is_none_is_not_told(rounds: Rounds) -> None:
    """Python's JSON writes and reads NaN; no rule of the gate may pass by it, and no page shows it."""
    rounds.round("job-2", [])
    body = rounds.storage.read("evaluations/job-2/metrics.json").replace(b'"score":0.81,', b'"score":NaN,')
    rounds.put("evaluations/job-2/metrics.json", body)
    facts = gather(rounds.workspace, "job-2")
    day = facts.slice("day")
    assert day
    assert day.after is None
    assert facts.gain is None


def test_a_person_who_said_no_is_told_by_name(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    rounds.storage.s3.delete_object(Bucket=rounds.storage.bucket, Key="pets/champions/0001.json")
    assert gather(rounds.workspace, "job-2").outcome is RoundOutcome.WAITING
    rounds.put("registry/job-2.json", {"package_arn": "arn:package", "group": "pets", "version": 2})
    rounds.put(
        "registry/job-2.decision.json",
        {"status": "Rejected", "by": "ada", "comment": "too soon", "decided_at": ""},
    )
    facts = gather(rounds.workspace, "job-2")
    assert facts.outcome is RoundOutcome.DECLINED
    assert facts.package
    assert facts.package.decision
    assert facts.package.decision.by == "ada"


def test_a_champion_that_a_rollback_left_is_undone_and_may_come_back(rounds: Rounds) -> None:
    rounds.round("job-1", [], parent=None)
    rounds.round("job-2", [], parent="job-1")
    rounds.put("champions/0003.json", champion(3, "job-1", rolled_back_from=2))
    assert gather(rounds.workspace, "job-2").outcome is RoundOutcome.UNDONE
    back = gather(rounds.workspace, "job-1")
    assert (back.outcome, back.promotion and back.promotion.number) == (RoundOutcome.PROMOTED, 3)


def test_the_newest_deployment_is_told(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    for number, config in enumerate(("config-1", "config-2"), start=1):
        record = {"training_job": "job-2", "endpoint": "pets", "config": config, "checked": []}
        rounds.put(f"deployments/{number:04}.json", record)
    deployment = gather(rounds.workspace, "job-2").deployment
    assert deployment
    assert deployment.config == "config-2"


def test_facts_that_cannot_be_read_any_more_are_left_out(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    gather(rounds.workspace, "job-2").write(rounds.storage, "job-2")
    rounds.put("reports/job-3/facts.json", b'{"pipeline": 3}')
    rounds.put("reports/job-4/facts.json", b"{")
    assert [facts.training_job for facts in read_all(rounds.workspace)] == ["job-2"]


def test_an_image_with_more_objects_shows_more(rounds: Rounds) -> None:
    rounds.test_set("night", ["a.png", "b.png"], objects={"b.png": 3})
    rounds.round("job-2", [])
    rounds.examples("job-2", ["a.png", "b.png"], gains=[0.5, 0.4])
    names = [example.image.rsplit("/")[-1] for example in gather(rounds.workspace, "job-2").examples]
    assert names == ["b.png", "a.png"]


def test_what_the_dataset_left_out_is_told_by_kind_of_reason(rounds: Rounds) -> None:
    rounds.round("job-2", [])
    rows = [
        {"manifest": "s3://b/one", "line": "3", "reason": "box 1 at 5,7 lies outside the image", "box": "1"},
        {"manifest": "s3://b/one", "line": "9", "reason": "manifest line is not JSON"},
        {
            "manifest": "s3://b/two",
            "line": "4",
            "reason": "box 2 at 1.5,70 lies outside the image",
            "box": "2",
        },
    ]
    rounds.storage.write_lines("datasets/data-job-2/rejected.jsonl", rows)
    assert gather(rounds.workspace, "job-2").rejections == (
        rejection(2, "box 1 at 5,7 lies outside the image", "s3://b/one", "3", boxes=True),
        rejection(1, "manifest line is not JSON", "s3://b/one", "9"),
    )
    rounds.put("datasets/data-job-2/rejected.jsonl", b"{")
    assert any("rejected.jsonl" in problem for problem in gather(rounds.workspace, "job-2").problems)


def rejection(count: int, reason: str, manifest: str, line: str, boxes: bool = False) -> Rejection:
    return Rejection(count=count, reason=reason, manifest=manifest, line=line, boxes=boxes)
