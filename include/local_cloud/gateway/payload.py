"""The body of a request, let in only when it is what was signed.

S3's clients sign a digest of the body and send it along, or sign the body chunk by chunk; every other
service's sign the body itself. Takes a request whose signature is checked and ASGI's ``receive``, gives the
bytes that the service is to see, or raises ``AwsError`` before any service has heard of them. Large bodies
wait in a file until they are known to be right.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from include.local_cloud.asgi import Receive
from include.wire import AwsError, Request
from include.wire.aws_chunked import FORMS, Decoder, Seal
from include.wire.sigv4 import UNSIGNED_PAYLOAD

MAX_BODY = 16 << 20  # SageMaker's requests are small; InvokeEndpoint, the largest, allows 6 MiB
MAX_OBJECT = 5 << 30  # what S3 takes in one PUT
_IN_MEMORY = 8 << 20  # the size of the parts that boto3 and the AWS CLI cut larger files into
_DIGEST = "x-amz-content-sha256"


async def small_body(receive: Receive, most: int) -> bytes:
    """The whole body. Raises ``AwsError`` when it has more than ``most`` bytes."""
    body = bytearray()
    async for piece in _pieces(receive, most, "RequestEntityTooLargeException", 413):
        body += piece
    return bytes(body)


def inflated(request: Request, most: int) -> Request:
    """SDKs compress large requests (PutMetricData); more than ``most`` bytes are never made of one."""
    if request.headers.get("content-encoding", "").strip().lower() != "gzip":
        return request
    inflator = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = inflator.decompress(request.body, most)
    except zlib.error as error:
        raise AwsError("SerializationException", f"the body is not gzip: {error}", 400) from None
    if not inflator.eof:
        raise AwsError("SerializationException", f"the body is no whole gzip of up to {most} bytes", 400)
    kept = {name: value for name, value in request.headers.items() if name != "content-encoding"}
    return replace(request, body=body, headers=kept)


async def object_body(request: Request, seal: Seal, receive: Receive, folder: Path) -> Request:
    """An S3 request with its body, which is the one that was signed.

    ``folder`` is where a body of more than 8 MiB waits, as a file without a name. An ``aws-chunked`` body is
    decoded, and its trailing checksums join the headers, where S3 looks for them.
    """
    if seal.signature.expires is not None:
        return request  # presigned: nobody signed a body, and nothing that it may do has one
    stated = request.headers.get(_DIGEST)
    if stated is None:
        raise AwsError("InvalidRequest", f"Missing required header for this request: {_DIGEST}", 400)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder)) as file:
        if stated in FORMS:
            request = await _decoded(request, stated, seal, receive, file)
        else:
            await _as_it_is(stated, receive, file)
        file.seek(0)
        return replace(request, body=await asyncio.to_thread(file.read))


async def _as_it_is(stated: str, receive: Receive, file: IO[bytes]) -> None:
    if stated != UNSIGNED_PAYLOAD and not re.fullmatch("[0-9a-f]{64}", stated):
        allowed = f"{UNSIGNED_PAYLOAD}, {', '.join(FORMS)} or the SHA-256 of the body in hexadecimal"
        raise AwsError("InvalidArgument", f"{_DIGEST} must be {allowed}", 400)
    digest = hashlib.sha256()
    async for piece in _object_pieces(receive):
        digest.update(piece)
        file.write(piece)
    if stated not in (UNSIGNED_PAYLOAD, digest.hexdigest()):
        message = f"The provided '{_DIGEST}' header does not match what was computed."
        raise AwsError("XAmzContentSHA256Mismatch", message, 400)


async def _decoded(request: Request, form: str, seal: Seal, receive: Receive, file: IO[bytes]) -> Request:
    headers = dict(request.headers)
    length = headers.get("x-amz-decoded-content-length", "")
    if not re.fullmatch("[0-9]{1,12}", length):
        raise AwsError("MissingContentLength", "x-amz-decoded-content-length must be the object's size", 411)
    announced = [name.strip().lower() for name in headers.pop("x-amz-trailer", "").split(",")]
    decoder, size = Decoder(form, frozenset(filter(None, announced)), seal), 0
    async for piece in _object_pieces(receive):
        data = decoder.feed(piece)
        size += len(data)
        file.write(data)
    if not decoder.is_done or size != int(length):
        message = f"The body ends after {size} of the {length} bytes that x-amz-decoded-content-length names"
        raise AwsError("IncompleteBody", message, 400)
    encodings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    if kept := [part for part in encodings if part not in ("", "aws-chunked")]:
        headers["content-encoding"] = ", ".join(kept)
    return replace(request, headers=headers | {"content-length": length} | decoder.trailers)


def _object_pieces(receive: Receive) -> AsyncIterator[bytes]:
    return _pieces(receive, MAX_OBJECT, "EntityTooLarge", 400)


async def _pieces(receive: Receive, limit: int, code: str, status: int) -> AsyncIterator[bytes]:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # Half a body must not pass for a whole one where no digest was signed.
            raise AwsError("IncompleteBody", "The connection ended before the body did", 400)
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise AwsError(code, f"the body exceeds {limit} bytes", status)
        yield piece
