"""A look at an image before people are asked about it: what its bytes are, and whether anybody can see them.

Takes images of a batch, reads each whole, gives a ``Look`` at it. Bytes that another batch has asked about
are not decoded: their question is named. One image is bounded by its bytes (storage.py) and its pixels
(include/pictures), all of a batch together by time.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.fingerprints import see
from include.loop.core.storage import AHEAD, MOST_BYTES, THREADS, in_parallel
from include.loop.core.withheld import Denied, find_image
from include.loop.nightly.contents import Contents
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

GONE = "the object is gone"
REPLACED = "the object was replaced after the batch was listed"
LATE = "not looked at: the time for looking at images was up"
# The task has half an hour, of which the comparison without a model (cold_start.py) takes five minutes at
# most. A picture of the most pixels and scans decodes in twenty seconds, so that some hundred of them, made
# to hold a night, would hold it for good; of photographs a thousand take a minute.
MOST_SECONDS = 900.0
# A bucket that has denied so many images and given none is closed to us: no image's own matter.
FIRST_DENIED = THREADS * AHEAD


@dataclass(frozen=True)
class Look:
    """SHA-256 of the bytes, width and height in stored pixels, and phash (None of a flat picture); or the
    ``problem`` why nobody can be asked, or the question that was asked about these bytes already (``known``).
    ``denied``: the problem is that we may not read it.
    """

    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    problem: str | None = None
    known: str | None = None
    denied: bool = False
    phash: str | None = None


# The looks at some images (S3 URI and ETag each), in their order. They end early when the time is up.
LookAt = Callable[[Iterable[tuple[str, str]]], Iterator[Look]]


class Looks:
    """How the images of a batch are looked at (a ``LookAt``): by a few threads, each with one image in
    memory. Its time begins when it is made; ``clock`` gives seconds.

    An image that is denied to us costs itself. Where all are, the permissions are wrong, and that is Fatal:
    a night must not pass for one of bad images.
    """

    def __init__(
        self, workspace: Workspace, contents: Contents, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage, self._contents, self._clock = workspace.storage, contents, clock
        self._until = clock() + MOST_SECONDS
        self._seen, self._denied, self._first = 0, 0, ""

    def __call__(self, images: Iterable[tuple[str, str]]) -> Iterator[Look]:
        for (uri, _), look in in_parallel(lambda image: (image, self._look(image)), images):
            if look is None:
                log.warning(
                    "%d images were looked at in %g seconds, which is all the time there is: of the others "
                    "nobody is asked",
                    self._seen,
                    MOST_SECONDS,
                )
                return
            self._seen += 1
            if look.denied:
                self._denied += 1
                self._first = self._first or f"{uri}: {look.problem}"
            if self._seen == FIRST_DENIED:
                self.check()
            yield look

    def check(self) -> None:
        """Fatal when every image that was looked at is denied to us."""
        if self._denied and self._denied == self._seen:
            count = "the only image" if self._seen == 1 else f"none of {self._seen} images"
            what = "may not be read" if self._seen == 1 else "may be read"
            raise Fatal(f"{count} that people were to be asked about {what}; the first is {self._first}")

    def _look(self, image: tuple[str, str]) -> Look | None:
        """None when the time is up."""
        uri, etag = image
        if self._clock() > self._until:
            return None
        try:
            found = find_image(self._storage, uri, MOST_BYTES)
        except BadRecord as error:
            return Look(problem=str(error), denied=isinstance(error, Denied))
        if found is None:
            return Look(problem=GONE)
        body, now = found
        if now != etag:
            return Look(problem=REPLACED)
        sha256 = hashlib.sha256(body).hexdigest()
        if claim := self._contents.holder(sha256):
            return Look(sha256, known=claim.told)
        try:
            phash, (width, height) = see(body)
        except BadRecord as error:
            return Look(sha256, problem=str(error))
        return Look(sha256, width, height, phash=phash)
