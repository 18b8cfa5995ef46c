"""What evaluation and gate wrote as version 1 (of a demo, cut short) says the same today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.loop.config import GateSettings
from include.loop.core import layout
from include.loop.core.records.deployments import Deployment, SmokeTest
from include.loop.core.records.facts import Facts, RoundOutcome
from include.loop.core.records.metrics import ImageComparison, Metrics, MetricsParts
from include.loop.core.records.outputs import EvaluationOutputs
from include.loop.core.records.verdict import Verdict
from include.loop.evaluation.gate import decide
from include.loop.tasks.detection.task import ObjectDetection
from tests.loop.place import Place

OLD = Path(__file__).parent / "version_1"
TASK = ObjectDetection(("0", "1"), "review")


def old(name: str) -> bytes:
    return (OLD / name).read_bytes()


def test_old_metrics_have_their_numbers_under_the_names_of_today() -> None:
    before: dict[str, Any] = json.loads(old("metrics.json"))
    now = Metrics.from_json(old("metrics.json"))
    assert now.metric == "mAP@0.5"
    assert now.slices.keys() == {"night", "retention"}
    for name, then in (("night", "night"), ("retention", "memory")):
        item, kept = now.slices[name], before["slices"][then]
        assert (item.objects, item.best, item.digest) == (kept["boxes"], kept["best"], kept["digest"])
        assert item.champion
        assert item.delta
        assert (item.champion.score, item.champion.low) == (
            kept["champion"]["map50"],
            kept["champion"]["map50_low"],
        )
        assert item.challenger.more == {"mAP@[.5:.95]": kept["challenger"]["map"]}
        assert item.challenger.classes["1"].score == kept["challenger"]["classes"]["1"]["ap50"]
        assert item.challenger.classes["1"].objects == kept["challenger"]["classes"]["1"]["boxes"]
        assert item.delta.classes["1"].score == kept["delta"]["classes"]["1"]["ap50"]
    assert now.train_recall["2026-11-01"].recall == before["learned"]["2026-11-01"]["recall"]


def test_what_a_detector_has_no_use_for_is_not_written() -> None:
    written = Metrics.from_json(old("metrics.json")).model_dump_json()
    for name in ("curves", 'more":{}', "mistake"):
        assert name not in written


def test_the_gate_judges_old_metrics_as_it_did() -> None:
    then = Verdict.from_json(old("verdict.json"))
    now = decide(TASK, Metrics.from_json(old("metrics.json")), GateSettings(improve_on=("night",)))
    assert "train_recall" in {rule.rule for rule in now.rules}

    def numbers(verdict: Verdict) -> list[dict[str, Any]]:
        rules = [rule.model_dump(exclude={"text"}) for rule in verdict.rules]
        return sorted(rules, key=lambda rule: (rule["rule"], rule["slice"] or ""))

    assert numbers(now) == numbers(then)
    assert (now.promote, now.score, now.before, now.metric) == (
        then.promote,
        then.score,
        then.before,
        then.metric,
    )


def test_old_facts_are_those_of_their_round() -> None:
    before: dict[str, Any] = json.loads(old("facts.json"))
    now = Facts.from_json(old("facts.json"))
    assert now.outcome is RoundOutcome.PROMOTED
    assert [item.name for item in now.slices] == [
        {"memory": "retention"}.get(item["name"], item["name"]) for item in before["slices"]
    ]
    assert [batch.batch for batch in now.batches] == [night["batch"] for night in before["nights"]]
    assert now.gain is not None
    assert now.dataset
    assert now.dataset.retention == before["dataset"]["memory"]
    assert [item.recall for item in now.train_recall] == [item["recall"] for item in before["learned"]]


def test_what_is_damaged_costs_its_own_part_of_the_metrics(place: Place) -> None:
    value = json.loads(old("metrics.json"))
    value["slices"]["night"]["challenger"]["map50"] = "high"
    value["learned"]["replayed"]["recall"] = float("nan")
    place.put("evaluations/job/metrics.json", json.dumps(value).encode())
    found = MetricsParts.find(place.storage, "job")
    assert list(found.slices) == ["retention"]
    assert found.train_recall["replayed"].recall is None  # no number is shown, and none passes a rule
    (problem,) = found.problems
    assert problem.startswith("slice night: challenger.score: input should be a valid number")
    place.put("evaluations/job/metrics.json", b'{"slices": {"day": 3}}')
    assert len(MetricsParts.find(place.storage, "job").problems) == 1
    foreign = {"schema_version": 2, "slices": [1], "train_recall": 5, "latency": "fast"}
    place.storage.write_json(layout.metrics_file("job"), foreign)
    assert len(MetricsParts.find(place.storage, "job").problems) == 3
    assert MetricsParts.find(place.storage, "another") == MetricsParts()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (
            EvaluationOutputs,
            {
                "job": "digits-eval-1",
                "seconds": 66.4,
                "images": 2,
                "outputs": [
                    {"image": "s3://b/1.jpg", "etag": "e", "out": "s3://b/1.out"},
                    {"image": "s3://b/2.jpg", "etag": "f", "out": None, "why": "not an image"},
                ],
            },
        ),
        (SmokeTest, {"checked": [{"image": "s3://b/1.jpg", "largest_difference": 0.0}]}),
        (
            Deployment,
            {
                "training_job": "digits-train-1",
                "package_arn": "arn",
                "endpoint": "digits",
                "config": "digits-train-1-ab",
                "checked": [{"image": "s3://b/1.jpg", "largest_difference": 0.0}],
                "deployed_at": "2026-11-01T06:00:00+00:00",
            },
        ),
    ],
)
def test_records_whose_shape_is_the_same_are_read_whole(kind: Any, value: dict[str, Any]) -> None:
    told = kind.from_value(value).model_dump(mode="json")
    assert {name: told[name] for name in value if name != "outputs"} == {
        name: item for name, item in value.items() if name != "outputs"
    }
    assert [row["why"] for row in told.get("outputs", ())] == [
        row.get("why") for row in value.get("outputs", ())
    ]


def test_an_image_of_an_old_slice_is_one_of_its_name_today() -> None:
    row = ImageComparison.from_value(
        {"slice": "memory", "image": "s3://b/1", "challenger_f1": 1, "gain": None}
    )
    assert (row.slice, row.challenger_f1, row.champion_f1) == ("retention", 1.0, None)
    assert ImageComparison.location("job") == layout.measured_images_file("job")
