"""Request bodies within a limit: refused by their announced length, or given up when they grow too large.

Every route says how much it takes; whoever has no session yet may send very little.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from include.review_server.errors import BadAnswer, BodyTooLarge
from include.wire import strictjson

# A name and a password, or what else a form without content says.
SMALL_BODY = 4 * 1024
# A worker's answer, for a segmentation carries a picture. And StartHumanLoop's input: three mebibytes, and
# JSON in JSON doubles its quotes and backslashes.
LARGEST_BODY = 16 * 1024 * 1024
# Control plane: a template of 128,000 characters and an input as long, each character escaped.
CONTROL_BODY = 2 * 1024 * 1024

# Parsed where it is read. What is longer goes to a thread, where checking it lets others have their turn.
_AT_ONCE = 64 * 1024


async def bounded_body(request: Request, most: int) -> bytes:
    """The whole body. Raises ``BodyTooLarge`` when it has, or says that it has, more than ``most`` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise BodyTooLarge(most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise BodyTooLarge(most)
        chunks.append(chunk)
    return b"".join(chunks)


async def json_object(
    request: Request, most: int = SMALL_BODY, lone_surrogates: bool = False
) -> dict[str, Any]:
    """The JSON object in the body; nothing at all counts as an empty one. Raises ``BadAnswer``.

    ``lone_surrogates``: halves of characters pass, in what is kept as it came.
    """
    body = await bounded_body(request, most)
    # A form of another site cannot send this content type without asking the server first.
    if body and request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadAnswer("the body must be sent as application/json")
    if len(body) <= _AT_ONCE:
        return _object(body, lone_surrogates)
    return await run_in_threadpool(_object, body, lone_surrogates)


def _object(body: bytes, lone_surrogates: bool) -> dict[str, Any]:
    try:
        value = strictjson.loads(body, lone_surrogates=lone_surrogates) if body.strip() else {}
    except ValueError as error:
        raise BadAnswer(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadAnswer("the body must be a JSON object")
    return value
