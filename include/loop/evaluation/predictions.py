"""A model's predictions on labelled images, made once and kept.

Takes a model and the images it has to be measured on, gives for each image the location of its ``.out``
object. What the model predicted before is never predicted again: as a challenger (``outputs-<hash>.json`` of
its own evaluation) or as the champion of a night (``predictions.json``). The rest goes through one batch
transform, whose time is the model's latency. Knows transform and storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.aws.transform import Transform, Transformed, advance, input_count, why_missing
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import job_stem
from include.loop.core.storage import in_parallel, split_uri
from include.loop.tasks.detection.predictions import Detection, read_output
from include.loop.workspace import Workspace

# Image URI to the URI of its output, or None for an image on which the model's job failed.
Outputs = dict[str, str | None]


@dataclass(frozen=True)
class Model:
    """What has to be known of a model to predict with it."""

    training_job: str
    model_data: str


@dataclass(frozen=True)
class Latency:
    """Seconds per image of a batch transform job, its start included, and how many images that was over."""

    seconds: float
    images: int


def find_outputs(
    workspace: Workspace,
    model: Model,
    etags: Mapping[str, str],
    nights: Mapping[str, str],
    sizes: Mapping[str, int],
    waited_for: Pending | None,
) -> Pending | Outputs:
    """The model's outputs on the images (URI to ETag). ``nights`` tells, by image, the batch in which this
    model may have predicted it as the reigning champion; ``sizes`` are the images' in bytes, where known.
    """
    known = kept(workspace, model.training_job)
    missing = {image: etag for image, etag in sorted(etags.items()) if (image, etag) not in known}
    known |= _nightly(workspace, model, missing, {nights[image] for image in missing if image in nights})
    missing = {image: etag for image, etag in missing.items() if (image, etag) not in known}
    # A manifest names images of one bucket: cameras may have one, and the test sets another.
    buckets: dict[str, dict[str, str]] = {}
    for image, etag in missing.items():
        buckets.setdefault(split_uri(image)[0], {})[image] = etag
    running: list[str] = []
    for group in buckets.values():
        step = _predict(workspace, model, group, sizes, waited_for)
        if isinstance(step, Pending):
            running += step.names
        else:
            known |= step
    if running:
        return Pending(ResourceKind.TRANSFORM, tuple(running))
    return {image: known[image, etag] for image, etag in etags.items()}


def read_outputs(workspace: Workspace, outputs: Outputs) -> dict[str, Sequence[Detection]]:
    """The detections on each image that has a readable output."""
    num_classes = len(workspace.pipeline.classes)

    def read(item: tuple[str, str | None]) -> tuple[str, Sequence[Detection] | None]:
        image, location = item
        try:
            found = None if location is None else read_output(workspace.storage, location, num_classes)
        except (BadRecord, FileNotFoundError):
            found = None
        return image, found

    return {image: found for image, found in in_parallel(read, outputs.items()) if found is not None}


def kept(workspace: Workspace, training_job: str) -> dict[tuple[str, str], str | None]:
    """Every output of this model's own evaluation, by image URI and ETag; None where its job failed on it."""
    records = _records(workspace, training_job)
    return {(row["image"], row["etag"]): row["out"] for record in records for row in record["outputs"]}


def reasons(workspace: Workspace, training_job: str) -> dict[tuple[str, str], str]:
    """Why images of this model's own evaluation have no output, by URI and ETag, where that was found out."""
    rows = (row for record in _records(workspace, training_job) for row in record["outputs"])
    return {(row["image"], row["etag"]): row["why"] for row in rows if "why" in row}


def latency(workspace: Workspace, training_job: str) -> Latency | None:
    """By the job of this model's evaluations that predicted most images; None without one that was timed."""
    timed = [item for item in _records(workspace, training_job) if item["seconds"] and item["images"]]
    if not timed:
        return None
    largest = max(timed, key=lambda item: (item["images"], item["job"]))
    return Latency(round(largest["seconds"] / largest["images"], 5), largest["images"])


def _records(workspace: Workspace, training_job: str) -> list[dict[str, Any]]:
    found = workspace.storage.list(layout.outputs_files(training_job))
    return [workspace.storage.read_json(item.uri) for item in found]


def _nightly(
    workspace: Workspace, model: Model, etags: Mapping[str, str], nights: Iterable[str]
) -> dict[tuple[str, str], str | None]:
    """Of images of the nights: what this very model said when it was the night's pinned champion."""
    known: dict[tuple[str, str], str | None] = {}
    for night in sorted(nights):
        done = workspace.storage.find_json(layout.predictions_file(night))
        if done and done["champion"] == model.training_job:
            pinned = workspace.storage.read_json(layout.batch_file(night))["images"]
            for image in pinned:
                if etags.get(image["uri"]) == image["etag"] and image["uri"] in done["outputs"]:
                    known[image["uri"], image["etag"]] = done["outputs"][image["uri"]]
    return known


def _predict(
    workspace: Workspace,
    model: Model,
    etags: Mapping[str, str],
    sizes: Mapping[str, int],
    waited_for: Pending | None,
) -> Pending | dict[tuple[str, str], str | None]:
    stem = job_stem(workspace.pipeline.name, "eval", model.training_job, sorted(etags.items()))
    digest = stem.rpartition("-")[2]
    transform = Transform(
        stem=stem,
        training_job=model.training_job,
        model_data=model.model_data,
        images=tuple(etags),
        folder=layout.outputs_folder(model.training_job, digest),
        sizes=sizes,
    )
    step = advance(workspace, transform, waited_for)
    if isinstance(step, Pending):
        return step
    location = layout.outputs_file(model.training_job, digest)
    record = workspace.storage.write_json_once(location, _record(workspace, transform, step, etags))
    return {(row["image"], row["etag"]): row["out"] for row in record["outputs"]}


def _record(
    workspace: Workspace, transform: Transform, done: Transformed, etags: Mapping[str, str]
) -> dict[str, Any]:
    job = done.job

    def why(image: str) -> tuple[str, str]:
        return image, done.refused.get(image) or why_missing(workspace, image)

    missing = dict(in_parallel(why, done.missing))
    return {
        "job": job.name if job else None,
        "seconds": job.seconds if job else 0.0,
        "images": input_count(workspace, transform, job.attempt) if job else 0,
        "outputs": [
            {"image": image, "etag": etag, "out": done.outputs.get(image)}
            | ({"why": missing[image]} if image in missing else {})
            for image, etag in etags.items()
        ],
    }
