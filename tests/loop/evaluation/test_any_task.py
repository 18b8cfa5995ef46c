"""Evaluation and gate know no task by name: one that has no boxes is measured and judged in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from include.loop.config import Pipeline
from include.loop.core.records.metrics import ClassScore, LatencyMetrics, Metrics, ModelScores, TimedImages
from include.loop.evaluation.comparison import compare
from include.loop.evaluation.gate import decide
from include.loop.evaluation.slices import Slices
from include.loop.tasks.detection.measuring import WORDS
from include.loop.tasks.measuring import Draws, Floats, Ints, Metric

CLASSES = ("cat", "dog")


@dataclass(frozen=True)
class Named:
    """An image with one class and nothing else."""

    source: str
    classes: tuple[int, ...]
    value: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hits:
    """How often a model named the right class."""

    truth: Ints
    right: Floats

    def scores(self) -> ModelScores:
        classes = {
            name: ClassScore(score=float(self.right[own].mean()), objects=int(own.sum()))
            for index, name in enumerate(CLASSES)
            if (own := self.truth == index).any()
        }
        share = self.recall()
        return ModelScores(score=share, recall=share, calibration_error=0.0, classes=classes)

    def recall(self) -> float:
        return float(self.right.mean())

    def resample(self, weights: Ints) -> Draws:
        own = [weights * (self.truth == index) for index in range(len(CLASSES))]
        classes = np.stack([(w @ self.right) / np.maximum(w.sum(axis=1), 1) for w in own], axis=1)
        share = (weights @ self.right) / weights.sum(axis=1)
        return Draws(score=share, classes=classes, recall=share, precision=share)

    def by_image(self) -> Floats:
        return self.right


class Naming:
    """A prediction is the class's index."""

    metric = Metric("accuracy", "accuracy", "recall by class", "recall", "Recall", "accuracy is a share")
    words = replace(WORDS, part="class", parts="images", objects="images")
    evaluator = "numpy"

    def measure(self, images: Sequence[Named], predictions: Mapping[str, int], threshold: float) -> Hits:
        truth = np.array([image.classes[0] for image in images])
        right = [float(predictions.get(image.source) == image.classes[0]) for image in images]
        return Hits(truth, np.array(right))


def slices(name: str, images: list[Named]) -> Slices:
    return Slices({name: list[Any](images)}, {image.source: "etag" for image in images}, {name: 0})


def test_a_task_without_boxes_is_compared_and_judged_in_its_own_words() -> None:
    task: Any = Naming()
    images = [Named(f"s3://b/{number:03}.jpg", (number % 2,)) for number in range(200)]
    right = {image.source: image.classes[0] for image in images}
    half_right = {source: label if number % 4 < 2 else 1 - label
                  for number, (source, label) in enumerate(right.items())}  # fmt: skip
    pipeline = Pipeline(name="pets", path=Path("pets.yaml"), classes=CLASSES)
    found = compare(
        task, pipeline, slices("day", images), slices("2026-11-01", images[:50]),
        {"challenger": right, "champion": half_right},
    )  # fmt: skip
    day = found.slices["day"]
    assert day.champion
    assert day.delta
    assert (day.champion.score, day.challenger.score, day.delta.score) == (0.5, 1.0, 0.5)
    assert day.delta.low is not None
    assert 0.4 < day.delta.low < 0.5  # of 200 images, drawn again
    assert found.train_recall["2026-11-01"].recall == 1.0
    assert [row.gain for row in found.rows[:4]] == [0.0, 0.0, 1.0, 1.0]

    verdict = decide(
        task,
        Metrics(
            champion="job-1",
            metric=task.metric.key,
            slices=found.slices,
            train_recall=found.train_recall,
            latency=LatencyMetrics(challenger=0.1, images=TimedImages(challenger=200)),
        ),
        pipeline.gate,
    )
    assert verdict.promote
    assert verdict.metric == "accuracy"
    assert verdict.reasons[0].startswith("gain of +0.500 accuracy in the mean over day")
    told = " ".join(rule.text for rule in verdict.rules)
    assert "finds 1.000 of the images it learned" in told
    assert not re.search(r"mAP|\bAP\b|box|object", told), told
