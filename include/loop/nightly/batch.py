"""A batch: the images of one date, listed once and pinned.

Takes a date, gives ``runs/dt=D/batch.json``: the images with their ETags, the objects that cannot be images,
and the champion that predicts on them. It is written once, so that the same date again works on the same
images with the same model, even after a new champion. Knows storage, champion and identity.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from include.loop.aws.transform_input import too_large
from include.loop.core import layout, storage
from include.loop.core.errors import NoImages
from include.loop.core.identity import batch_date, check_date, make_batch
from include.loop.core.storage import StoredObject
from include.loop.models.champion import Champion, read_champion
from include.loop.workspace import Workspace

TOLD = 5  # objects that are named in a message


@dataclass(frozen=True)
class Image:
    """One version of one image: S3 URI, ETag without quotes, size in bytes."""

    uri: str
    etag: str
    size: int


@dataclass(frozen=True)
class Rejected:
    """An object below the batch's prefix that cannot be an image, and why."""

    uri: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """A pinned batch, as batch.json holds it. ``prefix`` is the S3 URI all images start with; ``backfill``
    says that a backfill ran it, so that a person decides about what is learned from it.
    """

    batch: str
    prefix: str
    images: tuple[Image, ...]
    rejected: tuple[Rejected, ...]
    champion: Champion | None
    backfill: bool = False


def batch_id(workspace: Workspace, date: str, run_id: str, force_new: bool = False) -> str:
    """The batch a run works on: the date, or with ``force_new`` a new epoch of it.

    The epochs of a date are the runs that forced one, in order, kept in S3: a retry of the same run gets the
    same epoch, and never a second one.
    """
    if not force_new:
        return make_batch(date)
    location = layout.epochs_file(check_date(date))
    value, etag = workspace.storage.find_version(location)
    epochs: list[str] = value or []
    if run_id not in epochs:
        epochs = [*epochs, run_id]
        workspace.storage.replace(location, storage.dump(epochs), etag)
    return make_batch(date, epochs.index(run_id) + 1)


def list_batch(workspace: Workspace, batch: str, backfill: bool = False) -> dict[str, Any]:
    """Pin the batch, or read it when it is pinned already: who runs it later changes nothing. NoImages when
    there is nothing to look at.
    """
    location = layout.batch_file(batch)
    value = workspace.storage.find_json(location)
    if value is None:
        listed = list_images(workspace, batch)
        if not listed.images:
            suffixes = ", ".join(workspace.pipeline.batch.suffixes)
            others = [f"{item.uri}: {item.reason}" for item in listed.rejected[:TOLD]]
            raise NoImages(
                f"no images for {batch} below {listed.prefix} that can be used, with a suffix of {suffixes}"
                + (f"; {len(listed.rejected)} other objects: {'; '.join(others)}" if others else "")
                + (" …" if len(listed.rejected) > TOLD else "")
            )
        value = workspace.storage.write_json_once(location, asdict(replace(listed, backfill=backfill)))
    pinned = _from_json(value)
    return {
        "batch": batch,
        "images": len(pinned.images),
        "rejected": len(pinned.rejected),
        "champion": pinned.champion.training_job if pinned.champion else None,
        "backfill": pinned.backfill,
        "batch_uri": workspace.storage.uri(location),
    }


def read_batch(workspace: Workspace, batch: str) -> Batch:
    """The pinned batch. FileNotFoundError when it was never listed."""
    return _from_json(workspace.storage.read_json(layout.batch_file(batch)))


def list_images(workspace: Workspace, batch: str) -> Batch:
    """List what is there now, and pin nothing."""
    settings = workspace.pipeline.batch
    prefix = workspace.storage.uri(settings.prefix.format(date=batch_date(batch)))
    images, rejected = [], []
    for item in workspace.storage.list(prefix):
        if item.uri.endswith("/") and item.size == 0:
            continue  # a console's "folder" marker is no record of anybody's
        if reason := _why_no_image(workspace, item):
            rejected.append(Rejected(item.uri, reason))
        else:
            images.append(Image(item.uri, item.etag, item.size))
    return Batch(batch, prefix, tuple(images), tuple(rejected), read_champion(workspace))


def _why_no_image(workspace: Workspace, item: StoredObject) -> str | None:
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


def _from_json(value: dict[str, Any]) -> Batch:
    return Batch(
        batch=value["batch"],
        prefix=value["prefix"],
        images=tuple(Image(**item) for item in value["images"]),
        rejected=tuple(Rejected(**item) for item in value["rejected"]),
        champion=Champion.from_dict(value["champion"]) if value["champion"] else None,
        backfill=value.get("backfill", False),  # batches of earlier versions do not say
    )
