"""A round of a classifier as the other stages leave it in S3: two models really measured and judged."""

from __future__ import annotations

from typing import Any

from include.loop.core import layout
from include.loop.core.records.metrics import ImageComparison, LatencyMetrics, Metrics, TimedImages
from include.loop.core.records.models import TrainedModel
from include.loop.core.storage import dump
from include.loop.evaluation.comparison import compare
from include.loop.evaluation.gate import decide
from include.loop.evaluation.slices import Slices
from tests.loop.report.rounds import Rounds, make_rounds, picture
from tests.support.cloud import LocalCloud

JOB = "job-2"
EMU = "<b>emu & {0}</b> $x$"  # a class may be called anything
CLASSES = ("cat", "dog", EMU)
IMAGES = 24


def make_classified(cloud: LocalCloud, bucket: str, **pipeline: Any) -> Rounds:
    """The champion takes every second cat for a dog, the challenger one of them and an emu for a cat."""
    settings: dict[str, Any] = {"task": "image-classification", "classes": CLASSES}
    settings["test_sets"] = {"day": "test/day.manifest"}
    rounds = make_rounds(cloud, bucket, **(settings | pipeline))
    many = rounds.workspace.pipeline.multi_label
    lines = []
    for n in range(IMAGES):
        source = rounds.put(f"test/{n:02}.png", picture(40 + 8 * n))
        label = [n % 3] if many else n % 3
        lines.append({"source-ref": source, "review": label, "review-metadata": _metadata(n % 3, many=many)})
    rounds.put("test/day.manifest", b"".join(dump(line) + b"\n" for line in lines))
    labels = [rounds.workspace.task.read_value(line) for line in lines]
    outputs: dict[tuple[str, str], str] = {}
    predictions: dict[str, dict[str, Any]] = {"champion": {}, "challenger": {}}
    for model, wrong in (
        ("champion", dict.fromkeys(range(0, IMAGES, 6), (1, 0.7))),
        ("challenger", {6: (1, 0.8), 5: (0, 0.95)}),
    ):
        for n, line in enumerate(labels):
            said, score = wrong.get(n, (n % 3, 0.9))
            row = [score if k == said else round((1 - score) / 2, 4) for k in range(3)]
            body = {"prediction": row}
            outputs[model, line.source] = rounds.put(f"out/{model}/{n:02}.out", body)
            predictions[model][line.source] = rounds.workspace.task.read_prediction(dump(body))
    slices = Slices({"day": labels}, {line.source: "etag" for line in labels}, {"day": 0})
    found = compare(rounds.workspace.task, rounds.workspace.pipeline, slices, Slices({}, {}, {}), predictions)
    metrics = Metrics(
        training_job=JOB,
        champion="champion-1",
        metric=rounds.workspace.task.metric.key,
        confidence=0.95,
        slices=found.slices,
        train_recall={},
        latency=LatencyMetrics(challenger=0.01, images=TimedImages(challenger=IMAGES)),
    )
    metrics.write(rounds.storage, JOB)
    rows = (
        row.model_copy(update={"out": {model: outputs[model, row.image] for model in predictions}})
        for row in found.rows
    )
    ImageComparison.write_all(rounds.storage, rows, JOB)
    verdict = decide(rounds.workspace.task, metrics, rounds.workspace.pipeline.gate)
    verdict.model_copy(update={"training_job": JOB}).write(rounds.storage, JOB)
    trained = {
        "training_job": JOB,
        "dataset_id": f"data-{JOB}",
        "parent": "champion-1",
        "model_data": "s3://b/m",
    }
    TrainedModel.from_value(trained).write(rounds.storage, JOB)
    epochs = [{"epoch": n, "validation_accuracy": 0.5 + n / 10, "train_accuracy": 0.6} for n in range(3)]
    rounds.put(f"models/{JOB}/curves.json", {"epochs": epochs, "throughput": 90.0})
    rounds.put(layout.dataset_file(f"data-{JOB}"), {"dataset_id": f"data-{JOB}", "new": 40, "train": 160})
    return rounds


def _metadata(index: int, *, many: bool) -> dict[str, Any]:
    known: dict[str, Any] = {"human-annotated": "yes", "creation-date": "2026-11-01T00:00:00"}
    if many:
        return known | {
            "class-map": {str(index): CLASSES[index]},
            "type": "groundtruth/image-classification-multilabel",
        }
    return known | {"class-name": CLASSES[index], "type": "groundtruth/image-classification"}
