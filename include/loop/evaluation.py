"""Both models on the same held-out images.

Takes a trained challenger and its parent, predicts with both on the pipeline's test sets (or, where it has
none, on the dataset's validation side), gives ``evaluations/<job>/metrics.json``: mAP by test set, as COCO
defines it. A model's scores are kept under the test sets' hash, so the champion is not measured again until
the tests change. Knows transform, dataset, training and champion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop import storage
from include.loop.champion import find_champion
from include.loop.errors import BadRecord, ConfigurationError
from include.loop.identity import content_hash, job_stem
from include.loop.jobs import JobKind, Running
from include.loop.manifest import LabelledImage, read_line
from include.loop.storage import in_parallel
from include.loop.training import read_model
from include.loop.transform import Detection, Transform, Transformed, advance, read_detections
from include.loop.workspace import Workspace

Tests = dict[str, list[LabelledImage]]


@dataclass(frozen=True)
class Model:
    """What has to be known of a model to predict with it."""

    training_job: str
    model_data: str


def evaluate(
    workspace: Workspace, sagemaker: Any, training_job: str, waited_for: Running | None = None
) -> Running | dict[str, Any]:
    """Measure the challenger and its parent (see jobs.py for the calling pattern)."""
    record = read_model(workspace, training_job)
    parent = find_champion(workspace, record["parent"])
    tests = read_tests(workspace, record["dataset_id"])
    # Both are asked for before either is waited for, so that their jobs run side by side.
    challenger = _measure(workspace, sagemaker, Model(training_job, record["model_data"]), tests, waited_for)
    champion: Running | dict[str, Any] | None = None
    if parent:
        model = Model(parent.training_job, parent.model_data)
        champion = _measure(workspace, sagemaker, model, tests, waited_for)
    if isinstance(challenger, Running) or isinstance(champion, Running):
        both = (step for step in (challenger, champion) if isinstance(step, Running))
        return Running(JobKind.TRANSFORM, tuple(name for step in both for name in step.names))
    location = storage.evaluation_file(training_job, "metrics.json")
    workspace.storage.write_json(location, {"challenger": challenger, "champion": champion})
    before = champion["map50"] if champion else {}
    return {
        "training_job": training_job,
        "champion": parent.training_job if parent else None,
        "map50": {
            name: {"champion": before.get(name), "challenger": value}
            for name, value in challenger["map50"].items()
        },
        "metrics_uri": workspace.storage.uri(location),
    }


def read_tests(workspace: Workspace, dataset_id: str) -> Tests:
    """The labelled images of every test set. ConfigurationError when one is missing, empty or damaged."""
    pipeline = workspace.pipeline
    places = pipeline.test_sets or {"validation": storage.dataset_file(dataset_id, "validation.manifest")}
    return {name: _read_set(workspace, name, location) for name, location in sorted(places.items())}


def mean_average_precision(
    images: Sequence[LabelledImage], detections: Mapping[str, Sequence[Detection]], classes: Sequence[str]
) -> dict[str, Any]:
    """COCO's average precision of detections on labelled images, each a number from 0 to 1.

    ``map50``: mean over classes at IoU 0.5; ``map``: the mean over IoU 0.5 to 0.95; ``classes``: AP at 0.5 by
    class, None for a class without a box in these images. ``map50`` and ``map`` are None when there is no box
    at all.
    """
    import numpy as np
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(_as_coco(images, classes))
    found = truth.loadRes(_as_results(images, detections))
    run = COCOeval_faster(truth, found, iouType="bbox")
    run.evaluate()
    run.accumulate()
    # Axes: IoU threshold, recall point, class, area range, most detections; -1 where a class has no box.
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]

    def mean(values: Any) -> float | None:
        measured = values[values > -1]
        return round(float(measured.mean()), 5) if measured.size else None

    return {
        "map50": mean(precision[0]),
        "map": mean(precision),
        "classes": {name: mean(precision[0, :, index]) for index, name in enumerate(classes)},
    }


def _measure(
    workspace: Workspace, sagemaker: Any, model: Model, tests: Tests, waited_for: Running | None
) -> Running | dict[str, Any]:
    """One model's scores on the test sets, from S3 when they are there."""
    digest = content_hash([[name, [line.value for line in lines]] for name, lines in tests.items()])
    location = storage.evaluation_file(model.training_job, f"scores-{digest}.json")
    known = workspace.storage.find_json(location)
    if known is not None:
        return dict(known)
    transform = Transform(
        stem=job_stem(workspace.pipeline.name, "eval", model.training_job, digest),
        training_job=model.training_job,
        model_data=model.model_data,
        images=tuple(sorted({line.source for lines in tests.values() for line in lines})),
        folder=storage.evaluation_file(model.training_job, f"predictions-{digest}"),
    )
    step = advance(workspace, sagemaker, transform, waited_for)
    if isinstance(step, Running):
        return step
    return dict(workspace.storage.write_json_once(location, _scores(workspace, model, tests, step)))


def _scores(workspace: Workspace, model: Model, tests: Tests, done: Transformed) -> dict[str, Any]:
    classes = workspace.pipeline.classes

    def read(item: tuple[str, str]) -> tuple[str, list[Detection]]:
        image, output = item
        try:
            return image, read_detections(workspace.storage.read(output), len(classes))
        except BadRecord:
            return image, []

    # An image without a usable prediction counts as an image on which the model found nothing.
    detections = dict(in_parallel(read, done.outputs.items()))
    results = {name: mean_average_precision(lines, detections, classes) for name, lines in tests.items()}
    return {
        "training_job": model.training_job,
        "job": done.job.name if done.job else None,
        "map50": {name: result["map50"] for name, result in results.items()},
        "map": {name: result["map"] for name, result in results.items()},
        "classes": {name: result["classes"] for name, result in results.items()},
        "images": {name: len(lines) for name, lines in tests.items()},
        "unpredicted": sorted(done.missing),
    }


def _read_set(workspace: Workspace, name: str, location: str) -> list[LabelledImage]:
    pipeline = workspace.pipeline
    lines: dict[str, LabelledImage] = {}
    problems = []
    try:
        for raw in workspace.storage.read_raw_lines(location):
            try:
                line = read_line(raw, pipeline.label_attribute, pipeline.classes)
            except BadRecord as error:
                problems.append(str(error))
            else:
                lines[line.source] = line
    except FileNotFoundError as error:
        raise ConfigurationError(f"{pipeline.path}: test_sets.{name}: {error}") from None
    if problems or not lines:
        # A test set that silently shrinks would change what "better" means.
        why = f"{len(problems)} unusable lines, the first: {problems[0]}" if problems else "it is empty"
        raise ConfigurationError(
            f"{pipeline.path}: test_sets.{name} ({workspace.storage.uri(location)}): {why}"
        )
    return list(lines.values())


def _as_coco(images: Sequence[LabelledImage], classes: Sequence[str]) -> dict[str, Any]:
    annotations = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": box.class_id,
            "bbox": [box.left, box.top, box.width, box.height],
            "area": box.width * box.height,
            "iscrowd": 0,
        }
        for number, (image_id, box) in enumerate(
            ((image_id, box) for image_id, image in enumerate(images) for box in image.boxes), start=1
        )
    ]
    return {
        "images": [
            {"id": image_id, "width": image.width, "height": image.height}
            for image_id, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": index, "name": name} for index, name in enumerate(classes)],
    }


def _as_results(
    images: Sequence[LabelledImage], detections: Mapping[str, Sequence[Detection]]
) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image_id,
            "category_id": item.class_id,
            "score": item.score,
            "bbox": [
                item.xmin * image.width,
                item.ymin * image.height,
                (item.xmax - item.xmin) * image.width,
                (item.ymax - item.ymin) * image.height,
            ],
        }
        for image_id, image in enumerate(images)
        for item in detections.get(image.source, ())
    ]
