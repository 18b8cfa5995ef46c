"""A look at an image before people are asked about it: what its bytes are, and whether anybody can see them.

Takes an image of a batch, reads it whole, gives a ``Look``. Bytes that another batch has asked about are not
decoded: their question is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from include.loop.core.errors import BadRecord
from include.loop.core.images import check_image
from include.loop.core.storage import MOST_BYTES, in_parallel
from include.loop.nightly.contents import Contents
from include.loop.workspace import Workspace

GONE = "the object is gone"
REPLACED = "the object was replaced after the batch was listed"


@dataclass(frozen=True)
class Look:
    """SHA-256 of the bytes, width and height in stored pixels; or the ``problem`` why nobody can be asked, or
    the question that was asked about these bytes already (``known``).
    """

    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    problem: str | None = None
    known: str | None = None


# The looks at some images (S3 URI and ETag each), in their order.
LookAt = Callable[[Iterable[tuple[str, str]]], Iterator[Look]]


def look_at(workspace: Workspace, contents: Contents) -> LookAt:
    """How the images of a batch are looked at: by a few threads, each with one image in memory."""

    def look(image: tuple[str, str]) -> Look:
        uri, etag = image
        try:
            found = workspace.storage.find(uri, most=MOST_BYTES)
        except BadRecord as error:
            return Look(problem=str(error))
        if found is None:
            return Look(problem=GONE)
        body, now = found
        if now != etag:
            return Look(problem=REPLACED)
        sha256 = hashlib.sha256(body).hexdigest()
        if claim := contents.holder(sha256):
            return Look(sha256, known=claim.told)
        try:
            return Look(sha256, *check_image(body))
        except BadRecord as error:
            return Look(sha256, problem=str(error))

    return lambda images: in_parallel(look, images)
