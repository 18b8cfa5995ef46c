"""The pictures of a source: read once each, checked, and where they lie in no S3 bucket, put into ours.

Takes an item, gives its ``Stored`` image. What lies in S3 is referenced where it is. Others get a key made of
their bytes, below the pipeline's folder: repeating an import copies nothing twice, nor does another source
that has the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.fingerprints import Fingerprint, look_at
from include.loop.core.storage import MOST_BYTES, Storage, error_code
from include.loop.core.withheld import why_withheld
from include.loop.exchange.items import Item
from include.pictures import read_orientation

_PNG = b"\x89PNG"
# The image cannot be read, whatever is tried; other errors of S3 are no fault of the image.
_UNREADABLE = frozenset({"NoSuchBucket", "InvalidBucketName", "KeyTooLongError"})


@dataclass(frozen=True)
class Stored:
    """An image in S3, with what its bytes say; ``copied`` is whether it is a copy of ours, ``orientation``
    EXIF's, which nobody here applies.
    """

    uri: str
    etag: str
    prints: Fingerprint
    size: tuple[int, int]
    copied: bool
    orientation: int


def store(storage: Storage, item: Item, keep: bool) -> Stored:
    """Read an item's image and see that it lies in S3; without ``keep`` nothing is written. BadRecord when it
    is missing or no picture that training could read.
    """
    if item.uri is not None:
        body, etag = _find(storage, item.uri)
        prints, size = look_at(body)
        return Stored(item.uri, etag, prints, size, copied=False, orientation=read_orientation(body))
    try:
        body = item.read()
    except FileNotFoundError as error:
        raise BadRecord(f"its image is missing: {error}") from None
    if len(body) > MOST_BYTES:
        raise BadRecord(f"its image has {len(body):,} bytes; at most {MOST_BYTES:,} are read")
    prints, size = look_at(body)
    location = layout.imported_image(prints.sha256, ".png" if body.startswith(_PNG) else ".jpg")
    there = storage.stat(location)
    etag = there.etag if there else _put(storage, location, body) if keep else ""
    return Stored(storage.uri(location), etag, prints, size, copied=True, orientation=read_orientation(body))


def _find(storage: Storage, uri: str) -> tuple[bytes, str]:
    try:
        found = storage.find(uri, most=MOST_BYTES)
    except ClientError as error:
        why = why_withheld(error) or (error_code(error) if error_code(error) in _UNREADABLE else None)
        if why is None:
            raise
        raise BadRecord(f"its image cannot be read: {uri}: {why}") from None
    if found is None:
        raise BadRecord(f"its image is missing: {uri}")
    return found


def _put(storage: Storage, location: str, body: bytes) -> str:
    storage.write(location, body, "image/png" if location.endswith(".png") else "image/jpeg")
    there = storage.stat(location)
    if there is None:
        raise BadRecord(f"its image was just written to {storage.uri(location)}, and is gone")
    return there.etag
