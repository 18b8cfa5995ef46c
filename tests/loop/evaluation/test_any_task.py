"""Evaluation, gate and pages know no task by name: classifiers are measured, judged and told as such."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from include.loop.config import Pipeline
from include.loop.core.records.metrics import LatencyMetrics, Metrics, Mistake, TimedImages
from include.loop.core.storage import dump
from include.loop.evaluation.alone import measure_alone
from include.loop.evaluation.comparison import Comparison, compare
from include.loop.evaluation.gate import decide, decide_by
from include.loop.evaluation.slices import Slices
from include.loop.report.measured import Looked, render_measured
from include.loop.tasks import task_of
from include.loop.tasks.classification.values import ClassScore, LabelledImage
from tests.loop.report.rounds import picture

CLASSES = ("cat", "dog")
OF_A_DETECTOR = r"mAP|\bAP\b|box|object|detection"
Predictions = dict[str, list[ClassScore]]


def pipeline(**settings: Any) -> Pipeline:
    return Pipeline(
        name="pets", path=Path("pets.yaml"), classes=CLASSES, task="image-classification", **settings
    )


PETS = pipeline()


def images(count: int) -> list[LabelledImage]:
    return [LabelledImage(f"s3://b/{n:03}.png", (n % 2,), "", {"n": n}) for n in range(count)]


def says(labels: Sequence[LabelledImage], wrong: Mapping[int, float]) -> Predictions:
    """A model that is right with 0.9 but for some images, which it gets wrong with these scores."""
    found = {}
    for n, line in enumerate(labels):
        own = line.classes[0]
        said, score = (1 - own, wrong[n]) if n in wrong else (own, 0.9)
        found[line.source] = [ClassScore(said, score), ClassScore(1 - said, round(1 - score, 5))]
    return found


def slices(name: str, labels: Sequence[LabelledImage]) -> Slices:
    return Slices({name: list(labels)}, {line.source: "etag" for line in labels}, {name: 0})


@pytest.fixture(scope="module")
def found() -> Comparison:
    """A challenger that gets two of two hundred wrong, and a champion that gets half of them wrong."""
    labels = images(200)
    predictions = {
        "challenger": says(labels, {6: 0.8, 9: 0.7}),
        "champion": says(labels, {n: 0.8 for n in range(200) if n % 4 > 1}),
    }
    return compare(task_of(PETS), PETS, slices("day", labels), slices("2026-11-01", labels[:50]), predictions)


def measured(found: Comparison, metric: str = "accuracy") -> Metrics:
    return Metrics(
        champion="job-1",
        metric=metric,
        slices=found.slices,
        train_recall=found.train_recall,
        latency=LatencyMetrics(challenger=0.1, images=TimedImages(challenger=200)),
    )


def test_two_classifiers_are_compared_by_what_the_pipeline_chose(found: Comparison) -> None:
    day = found.slices["day"]
    assert day.champion
    assert day.delta
    assert (day.champion.score, day.challenger.score, day.delta.score) == (0.5, 0.99, 0.49)
    assert day.delta.low is not None
    assert 0.4 < day.delta.low < 0.49  # of 200 images, drawn again
    assert day.delta.classes["cat"].score == 0.49  # of recall
    assert found.train_recall["2026-11-01"].recall == 0.96
    assert [row.gain for row in found.rows[:4]] == [0.0, 0.0, 0.7, 0.7]  # of the true class's score
    wrong = {row.image: row.mistake for row in found.rows if row.mistake}
    assert wrong == {
        "s3://b/006.png": Mistake(true="cat", said="dog", score=0.8),
        "s3://b/009.png": Mistake(true="dog", said="cat", score=0.7),
    }


def test_a_classifier_is_judged_in_its_own_words(found: Comparison) -> None:
    verdict = decide(task_of(PETS), measured(found), PETS.gate)
    assert verdict.promote
    assert verdict.metric == "accuracy"
    assert verdict.reasons[0].startswith("gain of +0.490 accuracy in the mean over day")
    told = " ".join(rule.text for rule in verdict.rules)
    assert "the challenger finds 0.960 of the labels it learned" in told
    assert "class cat: recall changes by 0.490" in told
    assert not re.search(OF_A_DETECTOR, told), told


def test_models_that_were_measured_by_another_number_are_not_judged(found: Comparison) -> None:
    body = dump(measured(found).model_dump(mode="json") | {"schema_version": 2})
    assert decide_by(task_of(PETS), body, PETS.gate).promote
    verdict = decide_by(task_of(pipeline(evaluation={"metric": "auroc"})), body, PETS.gate)
    assert not verdict.promote
    assert "measured by accuracy, and the pipeline's evaluation.metric is AUROC since" in verdict.reasons[0]


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_model_on_one_set_has_its_page(multi_label: bool) -> None:
    pets = pipeline(multi_label=multi_label)
    task = task_of(pets)
    labels = images(8)
    predictions = says(labels, {2: 0.6, 4: 0.8, 5: 0.9})
    result = measure_alone(task, pets, "mine", labels, predictions)
    assert result.slice.challenger.low is not None  # eight images are few, and asked for
    looked = Looked(
        "mine", result.slice, result.rows, labels, predictions,
        picture=lambda _: picture(90), threshold=0.5, confidence=0.95,
    )  # fmt: skip
    page = render_measured(task, "The $classes <of> mine", looked, {"model": "s3://b/model.tar.gz"})
    assert "The $classes &lt;of&gt; mine" in page
    assert "s3://b/model.tar.gz" in page
    assert f"{task.metric.key} {result.slice.challenger.score:.3f} on 8 images" in page
    assert page.count("data:image/webp") == 6  # of three images, large and small
    assert "ROC curve of all classes together on mine" in page
    if multi_label:
        assert "What became of each class on mine" in page
        assert "“dog” said where it is not" in page
    else:
        assert "“cat” taken for “dog”: 2 images" in page
        assert "dog 0.80 (wrong)" in page
    words = re.sub(r"<style>.*?</style>|data:image[^\"]*|var\(--\w+\)|viewBox", "", page, flags=re.DOTALL)
    assert not re.search(rf"{OF_A_DETECTOR}|champion|challenger|before", words, re.IGNORECASE)


def test_without_a_label_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="mine: there is no label"):
        measure_alone(task_of(PETS), PETS, "mine", [], {})
