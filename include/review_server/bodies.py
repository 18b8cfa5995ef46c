"""Request bodies within a limit: read as they come, and given up when they grow too large."""

from __future__ import annotations

from starlette.requests import Request

# InputContent may have three mebibytes, and JSON in JSON doubles its quotes and backslashes; a segmentation
# answer carries a picture.
LARGEST_BODY = 16 * 1024 * 1024


async def bounded_body(request: Request) -> bytes | None:
    """The whole body, or None when it is larger than ``LARGEST_BODY``."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
