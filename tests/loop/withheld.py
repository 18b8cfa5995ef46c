"""Images that S3 has and does not give: archived ones as the local cloud has them, and denied ones as AWS
words it, for no cloud without IAM's policies denies one object.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from include.loop.core.storage import split_uri
from tests.loop.place import Place

ARCHIVED = (
    "the object is archived (GLACIER): nobody can read it before it is restored (aws s3api restore-object)"
)
_WHO = "User: arn:aws:sts::111122223333:assumed-role/nightloop/airflow is not authorized to perform:"
_WHY = "because no identity-based policy allows the action"
NO_GET = f"{_WHO} s3:GetObject on resource: &quot;arn:aws:s3:::photos/a.jpg&quot; {_WHY}"
NO_KEY = f"{_WHO} kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/k {_WHY}"


def archive(place: Place, *uris: str) -> None:
    """Put objects into Glacier, as a rule of the bucket's does it."""
    for uri in uris:
        bucket, key = split_uri(uri)
        place.s3.copy_object(
            Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, StorageClass="GLACIER"
        )


@contextmanager
def denied(place: Place, *ends: str, code: str = "AccessDenied", message: str = NO_KEY) -> Iterator[None]:
    """Objects of this place whose keys end so are not given to anybody."""

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        path = request.url.partition("?")[0]
        if f"/{place.bucket}/" not in path or not path.endswith(ends):
            return None
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        raw = HTTPResponse(io.BytesIO(body), preload_content=False)
        return AWSResponse(request.url, 403, {"content-type": "application/xml"}, raw)

    place.s3.meta.events.register("before-send.s3.GetObject", answer)
    try:
        yield
    finally:
        place.s3.meta.events.unregister("before-send.s3.GetObject", answer)
