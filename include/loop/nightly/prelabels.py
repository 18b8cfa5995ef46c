"""What people begin with before there is a model of ours: the answers of an endpoint that the pipeline names.

Takes the images that are to be asked about, gives the endpoint's predictions by image, and for the others the
reason why there is none. The night never waits for it: images without a prediction go out empty. Asking twice
does no harm, so nothing is kept but what becomes part of the questions.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.aws.invoking import MAX_BYTES, invoke
from include.loop.core.errors import BadRecord, DeploymentFailed
from include.loop.core.images import read_image
from include.loop.core.records.nightly import EndpointPrelabels
from include.loop.core.storage import MOST_BYTES, in_parallel
from include.loop.tasks.values import Prediction
from include.loop.workspace import Workspace

# How long images are sent. The task has half an hour, and the last answer may take some minutes with the
# client's own retries.
MOST_SECONDS = 600.0
# An endpoint that has answered none of so many images is not asked any more: it is missing, or speaks
# something else.
FIRST_FAILURES = 8
# An image that is too large for InvokeEndpoint is sent as a JPEG of this side: boxes are shares of an image.
SMALL_SIDE = 1600
REASONS, LONGEST_REASON = 8, 300  # the most frequent ones are kept, by their first characters


@dataclass(frozen=True)
class Prelabels:
    """Predictions by image; ``told`` is what is kept of the asking, None when no endpoint is named."""

    found: dict[str, Prediction] = field(default_factory=dict)
    told: EndpointPrelabels | None = None


def ask_endpoint(
    workspace: Workspace, images: Iterable[tuple[str, str]], most_seconds: float = MOST_SECONDS
) -> Prelabels:
    """Ask the pipeline's ``review.prelabel_endpoint`` about these images (S3 URI and ETag each)."""
    endpoint = workspace.pipeline.review.prelabel_endpoint
    if endpoint is None:
        return Prelabels()
    asking = _Asking(workspace, endpoint, time.monotonic() + most_seconds)
    found: dict[str, Prediction] = {}
    missing: Counter[str] = Counter()
    for image, said, why in in_parallel(asking.ask, images):
        if said is None:
            missing[why] += 1
        else:
            found[image] = said
    reasons = tuple(missing.most_common(REASONS))
    return Prelabels(
        found,
        EndpointPrelabels(endpoint=endpoint, images=len(found), missing=missing.total(), reasons=reasons),
    )


class _Asking:
    """An endpoint as some threads ask it: they give up together."""

    def __init__(self, workspace: Workspace, endpoint: str, until: float) -> None:
        self._workspace, self._endpoint, self._until = workspace, endpoint, until
        classes, review = workspace.pipeline.classes, workspace.pipeline.review
        self._ids = {
            theirs: classes.index(name) for name, some in review.prelabel_classes.items() for theirs in some
        }
        self._lock, self._answered, self._failed = Lock(), False, 0

    def ask(self, image: tuple[str, str]) -> tuple[str, Prediction | None, str]:
        """The image's URI, and what is said of it or why nothing is."""
        uri, etag = image
        if time.monotonic() > self._until:
            return uri, None, "the time for the endpoint is up"
        if not self._answered and self._failed >= FIRST_FAILURES:
            return uri, None, f"not sent: the endpoint had answered none of {FIRST_FAILURES} images"
        try:
            body = self._read(uri, etag)
        except (BadRecord, BotoCoreError, ClientError) as error:
            return uri, None, _why(error, uri)  # no fault of the endpoint's
        try:
            said = self._send(uri, body)
        except (BadRecord, BotoCoreError, ClientError, DeploymentFailed) as error:
            with self._lock:
                self._failed += 1
            return uri, None, _why(error, uri)
        self._answered = True
        return uri, said, ""

    def _read(self, uri: str, etag: str) -> bytes:
        found = self._workspace.storage.find(uri, most=MOST_BYTES)
        if found is None or found[1] != etag:
            raise BadRecord("the image is gone, or was replaced")
        return found[0] if len(found[0]) <= MAX_BYTES else _smaller(found[0])

    def _send(self, uri: str, body: bytes) -> Prediction:
        reply = invoke(self._workspace.clients.sagemaker_runtime, self._endpoint, body, uri)
        said: Prediction = self._workspace.task.read_foreign(reply["Body"].read(), self._ids)
        return said


def _why(error: Exception, uri: str) -> str:
    """A reason that is the same for all images it holds for."""
    return str(error).replace(uri, "an image")[:LONGEST_REASON]


def _smaller(body: bytes) -> bytes:
    """The same picture with fewer pixels."""
    picture = read_image(body, "RGB", SMALL_SIDE).image
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE))
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=85)
    return sink.getvalue()
