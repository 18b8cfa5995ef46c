"""The champion's predictions on a batch.

Takes a pinned batch, gives its outputs by batch transform and, when the last job has ended, the record
``Predictions`` and a table for each part: which image has which output, written once, so that the same date
never predicts twice. Parts are predicted in groups, one job each: a job whose images are many takes long, and
one that fails costs its own group. A batch without a champion (the first of a new pipeline) has no
predictions and needs no job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.loop.aws.jobs import Pending, ResourceKind, latest
from include.loop.aws.transform import Transform, advance, why_missing
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import batch_slug, job_stem
from include.loop.core.records import tables
from include.loop.core.records.nightly import Batch, PinnedImage, PinnedModel, Predictions
from include.loop.core.records.parts import find_outputs, part_count, read_images, read_outputs, write_outputs
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, in_parallel
from include.loop.models.calibration import find_calibration
from include.loop.nightly.batch import read_batch
from include.loop.tasks.values import Prediction
from include.loop.workspace import Workspace

# A job for 100,000 images: its manifest and what is known of its images are held in memory.
GROUP_PARTS = 10


@dataclass(frozen=True)
class Predicted:
    """What the model said about one image; ``problem`` is set instead when there is nothing usable."""

    uri: str
    etag: str
    said: Prediction = ()
    problem: str | None = None


@dataclass(frozen=True)
class PredictedBatch:
    """How many images have a prediction and how many have none, by which model, in which jobs."""

    batch: str
    champion: str | None
    predicted: int
    missing: int
    jobs: list[str]
    predictions_uri: str


def predict(workspace: Workspace, batch: str, waited_for: Pending | None = None) -> Pending | PredictedBatch:
    """Predict on the batch with the champion it was pinned with (see jobs.py for the calling pattern)."""
    done = Predictions.find(workspace.storage, batch)
    if done is None:
        step = _advance(workspace, read_batch(workspace, batch), waited_for)
        if isinstance(step, Pending):
            return step
        done = step.write_once(workspace.storage, batch)
    return PredictedBatch(
        batch=batch,
        champion=done.champion,
        predicted=done.predicted,
        missing=done.unpredicted,
        jobs=list(done.jobs),
        predictions_uri=workspace.storage.uri(Predictions.location(batch)),
    )


def read_predictions(workspace: Workspace, pinned: Batch, part: int) -> Iterator[Predicted]:
    """One prediction per image of a part, in the batch's order, streamed, its scores calibrated. Nothing
    without a champion.
    """
    storage = workspace.storage
    done = Predictions.read(storage, pinned.batch)
    if done.champion is None:
        return
    by = find_calibration(workspace, done.champion)

    def read(row: Mapping[str, Any]) -> Predicted:
        uri, etag, output = row["uri"], row["etag"], row["output"]
        if output is None:
            return Predicted(uri, etag, problem=row["refused"] or why_missing(workspace, uri))
        try:
            said = workspace.task.read_output(storage, output, uri)
        except (BadRecord, FileNotFoundError) as error:
            return Predicted(uri, etag, problem=str(error))
        return Predicted(uri, etag, workspace.task.calibrated(said, by) if by else said)

    yield from in_parallel(read, read_outputs(storage, pinned, done, part), THREADS_OF_SMALL_REQUESTS)


def predictions_of(workspace: Workspace, batch: str, images: Iterable[str]) -> dict[str, Prediction]:
    """What was said of a few images, its scores calibrated. One without prediction is left out, also where it
    cannot be read any more: a reader may look at the image itself, and that can be gone or replaced.
    """

    def read(item: tuple[str, tuple[str, str]]) -> tuple[str, Prediction] | None:
        uri, (_, output) = item
        try:
            said = workspace.task.read_output(workspace.storage, output, uri)
        except (BadRecord, FileNotFoundError):
            return None
        return uri, workspace.task.calibrated(said, by) if by else said

    done = Predictions.find(workspace.storage, batch)
    by = find_calibration(workspace, done.champion) if done and done.champion else None
    found = in_parallel(read, find_outputs(workspace.storage, batch, images).items())
    return dict(item for item in found if item is not None)


def _advance(workspace: Workspace, pinned: Batch, waited_for: Pending | None) -> Pending | Predictions:
    """Every group as far as it can go without waiting; not more of their jobs at once than the environment
    allows runs.
    """
    if pinned.champion is None:
        return Predictions(champion=None)
    pending: list[str] = []
    jobs: list[str] = []
    for group in _groups(pinned):
        if len(pending) >= workspace.environment.airflow.jobs_at_once:
            break
        step = _predict(workspace, pinned, pinned.champion, group, waited_for)
        if isinstance(step, Pending):
            pending += step.names
        else:
            jobs += step
    if pending:
        return Pending(ResourceKind.TRANSFORM, tuple(pending))
    return Predictions(
        champion=pinned.champion.training_job,
        parts=part_count(pinned),
        jobs=tuple(jobs),
        **_counts(workspace, pinned),
    )


def _groups(pinned: Batch) -> Iterator[range]:
    """The parts that are predicted by one job."""
    count = part_count(pinned)
    return (range(first, min(first + GROUP_PARTS, count)) for first in range(0, count, GROUP_PARTS))


def _predict(
    workspace: Workspace, pinned: Batch, model: PinnedModel, group: range, waited_for: Pending | None
) -> Pending | list[str]:
    """A group as far as it can go without waiting; at its end the name of its job, none without one."""
    storage = workspace.storage
    if all(storage.exists(layout.predictions_part(pinned.batch, part)) for part in group):
        job = latest(
            workspace.clients.sagemaker, ResourceKind.TRANSFORM, _stem(workspace, pinned, model, group)
        )
        return [job.name] if job else []
    images = {part: read_images(storage, pinned, part) for part in group}
    step = advance(workspace, _transform(workspace, pinned, model, images), waited_for)
    if isinstance(step, Pending):
        return step
    for part in group:
        write_outputs(storage, pinned, part, step.outputs, step.refused)
    return [step.job.name] if step.job else []


def _counts(workspace: Workspace, pinned: Batch) -> dict[str, int]:
    """How many images have an output and how many have none."""
    predicted = unpredicted = 0
    for part in range(part_count(pinned)):
        found = tables.read_frame(workspace.storage, layout.predictions_part(pinned.batch, part), ["output"])
        missing = int(found["output"].isna().sum())
        predicted, unpredicted = predicted + len(found) - missing, unpredicted + missing
    return {"predicted": predicted, "unpredicted": unpredicted}


def _transform(
    workspace: Workspace, pinned: Batch, model: PinnedModel, parts: Mapping[int, list[PinnedImage]]
) -> Transform:
    group = range(min(parts), max(parts) + 1)
    images = [image for some in parts.values() for image in some]
    folder = layout.predictions_folder(pinned.batch)
    return Transform(
        stem=_stem(workspace, pinned, model, group),
        training_job=model.training_job,
        model_data=model.model_data,
        images=tuple(image.uri for image in images),
        # Groups may have prefixes of their own, and so equal names below them: each has a folder.
        folder=folder if len(group) == part_count(pinned) else f"{folder}/{group.start:05}",
        sizes={image.uri: image.size for image in images},
    )


def _stem(workspace: Workspace, pinned: Batch, model: PinnedModel, group: range) -> str:
    """The name of a group's job but for its attempt: from the images' content, which names their tables."""
    # Version 1 had no tables: its jobs' names were made from the images.
    of: list[Any] = [pinned.parts[part].location for part in group] if pinned.parts else []
    of = of or [[image.uri, image.etag] for image in pinned.images]
    name, slug = workspace.pipeline.name, batch_slug(pinned.batch)
    return job_stem(name, slug, pinned.batch, model.training_job, of)
