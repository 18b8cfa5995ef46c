"""The web components as files of the server: under an address that changes with their content.

Templates run in a frame without an origin, so the files allow every origin to read them; they hold nothing
but code. The hash in the address lets browsers keep them for good.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

ROOT = Path(__file__).parents[1] / "components"


def components_url(public_url: str) -> str:
    """Where the components of this version are: ``<public_url>/components/<hash>``, without a slash."""
    return f"{public_url.rstrip('/')}/components/{version()}"


def component_routes() -> list[Route]:
    """The routes that serve them, for a Starlette application."""
    return [Route("/components/{version}/{path:path}", _serve, methods=["GET", "HEAD"])]


@functools.cache
def version() -> str:
    """A hash over all files; the same files have the same address on every server."""
    digest = hashlib.sha256()
    for path, content in sorted(_files().items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


@functools.cache
def _files() -> Mapping[str, bytes]:
    """Every file, read once: what is served is what was hashed, and no path can lead elsewhere."""
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in ROOT.rglob("*.js")}


async def _serve(request: Request) -> Response:
    content = _files().get(request.path_params["path"])
    if content is None:
        return PlainTextResponse("no such component", 404)
    # A page of another version (a server that was just replaced) still works, but keeps nothing.
    current = request.path_params["version"] == version()
    return Response(
        content,
        media_type="text/javascript",
        headers={
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
