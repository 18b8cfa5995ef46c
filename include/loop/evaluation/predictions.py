"""A model's predictions on labelled images, made once and kept.

Takes a model and the images it has to be measured on, gives for each image the location of its ``.out``
object. What the model predicted before is never predicted again: as a challenger (the outputs of its own
evaluation) or as the champion of a batch. The rest goes through one batch transform, whose time is the
model's latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.aws.transform import Transform, Transformed, advance, input_count, why_missing
from include.loop.core import layout
from include.loop.core.identity import job_stem
from include.loop.core.records.nightly import Predictions
from include.loop.core.records.outputs import EvaluationOutputs, OutputRow, outputs_by_image
from include.loop.core.records.parts import find_outputs as batch_outputs
from include.loop.core.storage import in_parallel, split_uri
from include.loop.workspace import Workspace

# Image URI to the URI of its output, or None for an image on which the model's job failed.
Outputs = dict[str, str | None]


@dataclass(frozen=True)
class Contestant:
    """What has to be known of a model to predict with it."""

    training_job: str
    model_data: str


@dataclass(frozen=True)
class Timing:
    """Seconds per image of a batch transform job, its start included, and how many images that was over."""

    seconds: float
    images: int


def find_outputs(
    workspace: Workspace,
    model: Contestant,
    etags: Mapping[str, str],
    batches: Mapping[str, str],
    sizes: Mapping[str, int],
    waited_for: Pending | None,
) -> Pending | Outputs:
    """The model's outputs on the images (URI to ETag). ``batches`` tells, by image, the batch in which this
    model may have predicted it as the champion; ``sizes`` are the images' in bytes, where known.
    """
    known = outputs_by_image(workspace.storage, model.training_job)
    missing = {image: etag for image, etag in sorted(etags.items()) if (image, etag) not in known}
    known |= _of_batches(workspace, model, missing, {batches[image] for image in missing if image in batches})
    missing = {image: etag for image, etag in missing.items() if (image, etag) not in known}
    # A manifest names images of one bucket: cameras may have one, and the test sets another.
    buckets: dict[str, dict[str, str]] = {}
    for image, etag in missing.items():
        buckets.setdefault(split_uri(image)[0], {})[image] = etag
    pending: list[str] = []
    for group in buckets.values():
        step = _predict(workspace, model, group, sizes, waited_for)
        if isinstance(step, Pending):
            pending += step.names
        else:
            known |= step
    if pending:
        return Pending(ResourceKind.TRANSFORM, tuple(pending))
    return {image: known[image, etag] for image, etag in etags.items()}


def latency(workspace: Workspace, training_job: str) -> Timing | None:
    """By the job of this model's evaluations that predicted most images; None without one that was timed."""
    timed = [
        (item.images, item.job or "", item.seconds)
        for item in EvaluationOutputs.read_all(workspace.storage, training_job)
        if item.seconds and item.images
    ]
    if not timed:
        return None
    images, _, seconds = max(timed)
    return Timing(round(seconds / images, 5), images)


def _of_batches(
    workspace: Workspace, model: Contestant, etags: Mapping[str, str], batches: Iterable[str]
) -> dict[tuple[str, str], str | None]:
    """Of images of the batches: what this very model said when it was the batch's pinned champion."""
    known: dict[tuple[str, str], str | None] = {}
    for batch in sorted(batches):
        done = Predictions.find(workspace.storage, batch)
        if done and done.champion == model.training_job:
            for image, (etag, output) in batch_outputs(workspace.storage, batch, etags).items():
                if etags[image] == etag:
                    known[image, etag] = output
    return known


def _predict(
    workspace: Workspace,
    model: Contestant,
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
    record = _record(workspace, transform, step, etags)
    record = record.write_once(workspace.storage, model.training_job, digest)
    return {(row.image, row.etag): row.out for row in record.outputs}


def _record(
    workspace: Workspace, transform: Transform, done: Transformed, etags: Mapping[str, str]
) -> EvaluationOutputs:
    job = done.job

    def why(image: str) -> tuple[str, str]:
        return image, done.refused.get(image) or why_missing(workspace, image)

    missing = dict(in_parallel(why, done.missing))
    return EvaluationOutputs(
        job=job.name if job else None,
        seconds=job.seconds if job else 0.0,
        images=input_count(workspace, transform, job.attempt) if job else 0,
        outputs=tuple(
            OutputRow(image=image, etag=etag, out=done.outputs.get(image), why=missing.get(image))
            for image, etag in etags.items()
        ),
    )
