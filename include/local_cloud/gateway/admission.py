"""From what came in at the port to a request that may be served.

Takes ASGI's scope and ``receive``; gives a ``wire.Request`` that means one thing only, its checked signature,
and its body, which is the one that was signed. Raises ``AwsError``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_to_bytes

from include.local_cloud.asgi import Message, Receive
from include.local_cloud.gateway.access import Access
from include.local_cloud.gateway.payload import MAX_BODY, inflated, object_body, small_body
from include.wire import AwsError, Request, strictjson
from include.wire.aws_chunked import Seal
from include.wire.sigv4 import Signature

# Fields of which two lines could be read as two different requests: one by the signature, one by a service.
_ONCE = ("host", "authorization", "content-length", "content-type", "transfer-encoding")
# The largest that SQS, EventBridge and CloudWatch Logs take is one mebibyte, and its escapes in JSON.
_BASE_BODY = 2 * 1024 * 1024
_KEY_BYTES = 1024  # the longest key of S3
_BUCKET_AND_KEY = re.compile(r"/|/[A-Za-z0-9._-]{1,255}(?:/.*)?", re.DOTALL)


class Admission:
    """``folder`` is where large bodies wait until they are checked."""

    def __init__(self, access: Access, folder: Path) -> None:
        self._access, self._folder = access, folder

    async def admit(self, signature: Signature, request: Request, receive: Receive) -> Request:
        """The request with its body, once everything about it is checked. Raises ``AwsError``."""
        if signature.service != "s3":
            most = MAX_BODY if signature.service == "sagemaker" else _BASE_BODY
            request = replace(request, body=await small_body(receive, most))
            self._access.check(signature, request)
            if signature.service != "sagemaker":
                request = inflated(request, _BASE_BODY)
                _check_form(request)
            return request
        # Objects are large: who may not write one need not send it.
        secret = self._access.check(signature, request)
        check_location(request)
        return await object_body(request, Seal(signature, secret), receive, self._folder)


def as_request(scope: Message) -> Request:
    """The request of an ASGI scope, still without its body.

    Text is Latin-1, one character a byte. Raises ``AwsError`` (400) when a field that decides is there twice.
    """
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in headers:
            if name in _ONCE or name.startswith("x-amz-"):
                raise AwsError("InvalidRequest", f"the header {name} may be there once", 400)
            headers[name] += ","  # as the signature joins them
        headers[name] = headers.get(name, "") + value.decode("latin-1")
    if "transfer-encoding" in headers and "content-length" in headers:
        raise AwsError("InvalidRequest", "a body has a Content-Length or a Transfer-Encoding, not both", 400)
    path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers)


def _check_form(request: Request) -> None:
    """Refuse what a base service would take for a request without members, or parse without a limit.

    Raises ``AwsError``.
    """
    kind = request.headers.get("content-type", "") + request.headers.get("smithy-protocol", "")
    if "cbor" in kind:
        message = "the local cloud reads no CBOR: let your SDK speak JSON or the query protocol"
        raise AwsError("UnsupportedMediaTypeException", message, 415)
    if "x-amz-target" in request.headers or "json" in kind:
        try:
            strictjson.loads(request.body or b"{}")
        except ValueError as error:
            raise AwsError("SerializationException", f"the body is not JSON: {error}", 400) from None


def check_location(request: Request) -> None:
    """Raises ``AwsError`` (400) unless an S3 path is /, /bucket or /bucket/key with the bucket spelt out, and
    for a key that S3 would not take.
    """
    if not _BUCKET_AND_KEY.fullmatch(request.path):
        raise AwsError("InvalidURI", "the path must be /bucket/key, the bucket's name not encoded", 400)
    if len(unquote_to_bytes(request.path).split(b"/", 2)[-1]) > _KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long", 400)
