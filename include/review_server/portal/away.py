"""What a person, a person's page or a program sees while the database is away: 503, and when to ask again;
and what it sees of a text that no database stores: 400."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from include.review_server.errors import DatabaseAway
from include.review_server.portal.frames import message_frame
from include.review_server.portal.rendering import Pages

_pages = Pages()

log = logging.getLogger(__name__)


async def database_away(request: Request, error: Exception) -> Response:
    """The reply to any request that met ``DatabaseAway``, in the form that its sender reads."""
    if not isinstance(error, DatabaseAway):
        raise error
    path = request.url.path
    if path.startswith("/worker/"):
        body = {"error": {"code": type(error).__name__, "message": error.message}}
        reply: Response = JSONResponse(body, 503)
    elif path.startswith("/frame/"):
        reply = message_frame(503, f"{error.message} Reload the page.")
    else:
        text = f"{error.message} Reload the page in a moment."
        reply = _pages.page("message", 503, heading="Not available now", text=text)
    reply.headers["retry-after"] = str(error.RETRY_SECONDS)
    return reply


async def no_text(request: Request, error: Exception) -> Response:
    """The reply to a request with a text that PostgreSQL takes for none, such as a name with a NUL."""
    log.warning("refused %s: %s", request.url.path, error)
    body = {"error": {"code": "BadAnswer", "message": "a text in the request cannot be stored"}}
    return JSONResponse(body, 400)
