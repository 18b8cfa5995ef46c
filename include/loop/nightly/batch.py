"""A batch: the images of one date, listed once and pinned.

Takes a date, gives the record ``Batch`` and the tables of its parts: the images with their ETags, the objects
that cannot be images, and the champion that predicts on them. It is written once, so that the same date again
works on the same images with the same model, even after a new champion. A listing is streamed: no list of all
images is ever held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from include.loop.aws.transform_input import too_large
from include.loop.core.errors import NoImages
from include.loop.core.identity import batch_date, check_date, make_batch
from include.loop.core.records.nightly import Batch, Epochs, PinnedImage, PinnedModel, RejectedObject
from include.loop.core.records.parts import Listed, part_count, rejected_objects, write_parts
from include.loop.core.storage import StoredObject
from include.loop.models.champion import read_champion
from include.loop.workspace import Workspace

TOLD = 5  # objects that are named in a message


@dataclass(frozen=True)
class ListedBatch:
    """How many images and other objects were pinned, in how many ``parts`` they are worked on, and the
    training job of the model that will predict.
    """

    batch: str
    images: int
    rejected: int
    parts: int
    champion: str | None
    backfill: bool
    batch_uri: str


def batch_id(workspace: Workspace, date: str, run_id: str, force_new: bool = False) -> str:
    """The batch a run works on: the date, or with ``force_new`` a new epoch of it.

    The epochs of a date are the runs that forced one, in order, kept in S3: a retry of the same run gets the
    same epoch, and never a second one.
    """
    if not force_new:
        return make_batch(date)
    found, etag = Epochs.find_version(workspace.storage, check_date(date))
    runs = found.runs if found else ()
    if run_id not in runs:
        runs = (*runs, run_id)
        Epochs(runs=runs).replace(workspace.storage, etag, date)
    return make_batch(date, runs.index(run_id) + 1)


def list_batch(workspace: Workspace, batch: str, backfill: bool = False) -> ListedBatch:
    """Pin the batch, or read it when it is pinned already: who runs it later changes nothing. NoImages when
    there is nothing to look at.
    """
    storage = workspace.storage
    pinned = Batch.find(storage, batch)
    if pinned is None:
        listed = _pin(workspace, batch)
        if not listed.image_count:
            suffixes = ", ".join(workspace.pipeline.batch.suffixes)
            some = islice(rejected_objects(storage, listed), TOLD)
            others = "; ".join(f"{item.uri}: {item.reason}" for item in some)
            raise NoImages(
                f"no images for {batch} below {listed.prefix} that can be used, with a suffix of {suffixes}"
                + (f"; {listed.rejected_count} other objects: {others}" if others else "")
                + (" …" if listed.rejected_count > TOLD else "")
            )
        pinned = listed.model_copy(update={"backfill": backfill}).write_once(storage, batch)
    return ListedBatch(
        batch=batch,
        images=pinned.image_count,
        rejected=pinned.rejected_count,
        parts=part_count(pinned),
        champion=pinned.champion.training_job if pinned.champion else None,
        backfill=pinned.backfill,
        batch_uri=storage.uri(Batch.location(batch)),
    )


def read_batch(workspace: Workspace, batch: str) -> Batch:
    """The pinned batch. FileNotFoundError when it was never listed."""
    return Batch.read(workspace.storage, batch)


def list_objects(workspace: Workspace, batch: str) -> Iterator[Listed]:
    """What is there now, in the order of the keys: images, and what cannot be one. Pins nothing."""
    for item in workspace.storage.list(_prefix(workspace, batch)):
        if item.uri.endswith("/") and item.size == 0:
            continue  # a console's "folder" marker is no record of anybody's
        if reason := why_no_image(workspace, item):
            yield RejectedObject(uri=item.uri, reason=reason)
        else:
            yield PinnedImage(uri=item.uri, etag=item.etag, size=item.size)


def _pin(workspace: Workspace, batch: str) -> Batch:
    """The parts are written, the record of them is not yet."""
    champion = read_champion(workspace)
    model = (
        PinnedModel(training_job=champion.training_job, model_data=champion.model_data) if champion else None
    )
    parts = tuple(write_parts(workspace.storage, batch, list_objects(workspace, batch)))
    return Batch(batch=batch, prefix=_prefix(workspace, batch), parts=parts, champion=model)


def _prefix(workspace: Workspace, batch: str) -> str:
    return workspace.storage.uri(workspace.pipeline.batch.prefix.format(date=batch_date(batch)))


def why_no_image(workspace: Workspace, item: StoredObject) -> str | None:
    """Why an object cannot be an image of the batch, from what a listing tells; None when it may be one."""
    suffixes = workspace.pipeline.batch.suffixes
    if not item.uri.lower().endswith(tuple(suffix.lower() for suffix in suffixes)):
        return f"suffix is none of {', '.join(suffixes)}"
    if item.size == 0:
        return "empty object (0 bytes)"
    if {".", ".."} & set(item.uri.split("/")):
        # Browsers take such parts out of an address: the reviewer would be shown another object, or none.
        return "its key has . or .. as a part, and no browser can ask for it"
    return too_large(workspace.environment, item.size)
