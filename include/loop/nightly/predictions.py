"""The champion's predictions on a batch.

Takes a pinned batch, gives its outputs by batch transform and, when the last job has ended, the record
``Predictions``: which image has which output, written once, so that the same date never predicts twice. A
batch without a champion (the first of a new pipeline) has no predictions and needs no job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.loop.aws.jobs import Pending
from include.loop.aws.transform import Transform, advance, why_missing
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import batch_slug, job_stem
from include.loop.core.records.nightly import Batch, PinnedModel, Predictions
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, in_parallel
from include.loop.nightly.batch import read_batch
from include.loop.tasks.values import Prediction
from include.loop.workspace import Workspace


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
        predicted=len(done.outputs),
        missing=len(done.missing),
        jobs=list(done.jobs),
        predictions_uri=workspace.storage.uri(Predictions.location(batch)),
    )


def read_predictions(workspace: Workspace, pinned: Batch) -> Iterator[Predicted]:
    """One prediction per image of the batch, in the batch's order, streamed. Nothing without a champion."""
    done = Predictions.read(workspace.storage, pinned.batch)

    def read(item: tuple[str, str]) -> Predicted:
        uri, etag = item
        if uri not in done.outputs:
            return Predicted(uri, etag, problem=done.refused.get(uri) or why_missing(workspace, uri))
        try:
            said = workspace.task.read_output(workspace.storage, done.outputs[uri])
        except (BadRecord, FileNotFoundError) as error:
            return Predicted(uri, etag, problem=str(error))
        return Predicted(uri, etag, said)

    if done.champion is not None:
        images = ((image.uri, image.etag) for image in pinned.images)
        yield from in_parallel(read, images, THREADS_OF_SMALL_REQUESTS)


def predictions_of(workspace: Workspace, batch: str, images: Iterable[str]) -> dict[str, Prediction]:
    """What was said of a few images; one without prediction is left out."""
    outputs = Predictions.read(workspace.storage, batch).outputs

    def read(uri: str) -> tuple[str, Prediction]:
        return uri, workspace.task.read_output(workspace.storage, outputs[uri])

    return dict(in_parallel(read, (uri for uri in images if uri in outputs)))


def _advance(workspace: Workspace, pinned: Batch, waited_for: Pending | None) -> Pending | Predictions:
    if pinned.champion is None:
        return Predictions(champion=None)
    step = advance(workspace, _transform(workspace, pinned, pinned.champion), waited_for)
    if isinstance(step, Pending):
        return step
    return Predictions(
        champion=pinned.champion.training_job,
        outputs=step.outputs,
        missing=tuple(step.missing),
        refused=step.refused,
        jobs=(step.job.name,) if step.job else (),
    )


def _transform(workspace: Workspace, pinned: Batch, model: PinnedModel) -> Transform:
    images = [[image.uri, image.etag] for image in pinned.images]
    return Transform(
        stem=job_stem(
            workspace.pipeline.name, batch_slug(pinned.batch), pinned.batch, model.training_job, images
        ),
        training_job=model.training_job,
        model_data=model.model_data,
        images=tuple(image.uri for image in pinned.images),
        folder=layout.predictions_folder(pinned.batch),
        sizes={image.uri: image.size for image in pinned.images},
    )
