"""What a person, a person's page or a program sees while the database is away: 503, and when to ask again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from include.review_server.errors import DatabaseAway
from include.review_server.portal.frames import message_frame
from include.review_server.portal.rendering import Pages

_pages = Pages()


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
