"""The images of a batch in parts of some thousand, so that nothing has to hold a whole night.

Takes what a listing gives, writes a table for each part, and reads them again one by one; so with the
outputs of its images. A part's number counts from 0 in the order of the keys. A batch of version 1, which has
its images in itself, is cut into parts of the same size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from include.loop.core import layout
from include.loop.core.identity import content_hash
from include.loop.core.records import tables
from include.loop.core.records.nightly import Batch, BatchPart, PinnedImage, Predictions, RejectedObject
from include.loop.core.storage import Storage

IMAGES = {"uri": "string", "etag": "string", "size": "int64", "problem": "string"}
OUTPUTS = {"uri": "string", "etag": "string", "output": "string", "refused": "string"}
Listed = PinnedImage | RejectedObject


def write_parts(storage: Storage, batch: str, listed: Iterable[Listed]) -> Iterator[BatchPart]:
    """Write the tables of what was listed, in the order of the keys, each when it is full."""
    rest = iter(listed)
    while some := list(islice(rest, tables.PART_ROWS)):
        images = [item for item in some if isinstance(item, PinnedImage)]
        body = tables.encode(map(_row, some), IMAGES)
        location = layout.batch_part(batch, content_hash([_row(item) for item in some]))
        storage.write(location, body)
        yield BatchPart(
            location=location,
            images=len(images),
            rejected=len(some) - len(images),
            first=images[0].uri if images else "",
            last=images[-1].uri if images else "",
        )


def part_count(pinned: Batch) -> int:
    """How many parts the batch has."""
    return len(pinned.parts) or -(-len(pinned.images) // tables.PART_ROWS)


def read_images(storage: Storage, pinned: Batch, part: int) -> list[PinnedImage]:
    """The images of a part, in the order of their keys."""
    if not pinned.parts:
        return list(pinned.images[part * tables.PART_ROWS : (part + 1) * tables.PART_ROWS])
    rows = tables.read_rows(storage, pinned.parts[part].location)
    return [
        PinnedImage(uri=row["uri"], etag=row["etag"], size=row["size"])
        for row in rows
        if row["problem"] is None
    ]


def all_images(storage: Storage, pinned: Batch) -> Iterator[PinnedImage]:
    """Every image of the batch, one part in memory at a time."""
    for part in range(part_count(pinned)):
        yield from read_images(storage, pinned, part)


def rejected_objects(storage: Storage, pinned: Batch) -> Iterator[RejectedObject]:
    """What was listed and cannot be an image, with the reason."""
    yield from pinned.rejected
    for part in pinned.parts:
        if part.rejected:
            for row in tables.read_rows(storage, part.location, ["uri", "problem"]):
                if row["problem"] is not None:
                    yield RejectedObject(uri=row["uri"], reason=row["problem"])


def parts_of(pinned: Batch, images: Iterable[str]) -> dict[int, set[str]]:
    """By part, those of these images (URIs) that may be in it; what lies before, between or behind the parts
    is in none.
    """
    spans = _spans(pinned)
    lasts = [last for _, _, last in spans]
    found: dict[int, set[str]] = {}
    for uri in images:
        # In the order of the keys: S3 lists by the bytes of UTF-8, and so Python sorts.
        place = bisect_left(lasts, uri)
        if place < len(spans) and spans[place][1] <= uri:
            found.setdefault(spans[place][0], set()).add(uri)
    return found


def write_outputs(
    storage: Storage,
    pinned: Batch,
    part: int,
    outputs: Mapping[str, str],
    refused: Mapping[str, str],
) -> None:
    """Write which image of a part has which output, and why some were never sent; both by the images' URIs,
    of this part and others.
    """
    rows = [_output(image, outputs, refused) for image in read_images(storage, pinned, part)]
    storage.write(layout.predictions_part(pinned.batch, part), tables.encode(rows, OUTPUTS))


def read_outputs(storage: Storage, pinned: Batch, done: Predictions, part: int) -> list[dict[str, Any]]:
    """For each image of a part ``uri``, ``etag``, ``output`` (the URI of what the model said, or None) and
    ``refused`` (why it was never sent, or None). Nothing without a champion.
    """
    if done.champion is None:
        return []
    if done.parts:
        return tables.read_rows(storage, layout.predictions_part(pinned.batch, part))
    # Version 1 had them in the record itself.
    return [_output(image, done.outputs, done.refused) for image in read_images(storage, pinned, part)]


def find_outputs(storage: Storage, batch: str, images: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of a few images of a batch that have an output: the ETag of the time, and the output. Parts that have
    none of them are not read.
    """
    done = Predictions.find(storage, batch)
    pinned = Batch.find(storage, batch) if done else None
    if done is None or pinned is None:
        return {}
    return {
        row["uri"]: (row["etag"], row["output"])
        for part, some in parts_of(pinned, images).items()
        for row in read_outputs(storage, pinned, done, part)
        if row["output"] is not None and row["uri"] in some
    }


def _spans(pinned: Batch) -> list[tuple[int, str, str]]:
    """The number of each part that has images, with its first and its last one."""
    if pinned.parts:
        return [(number, part.first, part.last) for number, part in enumerate(pinned.parts) if part.images]
    starts = range(0, len(pinned.images), tables.PART_ROWS)
    chunks = [pinned.images[start : start + tables.PART_ROWS] for start in starts]
    return [(number, chunk[0].uri, chunk[-1].uri) for number, chunk in enumerate(chunks)]


def _row(item: Listed) -> dict[str, Any]:
    if isinstance(item, PinnedImage):
        return {"uri": item.uri, "etag": item.etag, "size": item.size, "problem": None}
    return {"uri": item.uri, "etag": None, "size": None, "problem": item.reason}


def _output(image: PinnedImage, outputs: Mapping[str, str], refused: Mapping[str, str]) -> dict[str, Any]:
    return {
        "uri": image.uri,
        "etag": image.etag,
        "output": outputs.get(image.uri),
        "refused": refused.get(image.uri),
    }
