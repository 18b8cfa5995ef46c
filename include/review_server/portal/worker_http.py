"""What all routes of the workers' HTTP interface share: who asks, how a refusal is said, and replies in JSON.

Writes need the session's CSRF token in a header, so that another site's page cannot act with a worker's
cookie.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from include.review_server import jsontext
from include.review_server.clock import Clock
from include.review_server.errors import (
    AnotherInHand,
    BadAnswer,
    BadInvitation,
    BodyTooLarge,
    Forbidden,
    NotSignedIn,
    TaskNotInHand,
    TooBusy,
    TooManyAttempts,
    TooManyComplaints,
    UnknownTask,
    WeakPassword,
)
from include.review_server.people.accounts import Accounts, SignedIn

PREFIX = "/worker"
COOKIE = "nightloop_session"
CSRF_HEADER = "x-csrf-token"

# Every refusal that a worker can meet, and how HTTP says it.
_STATUSES: dict[type[Exception], int] = {
    BadAnswer: 400,
    BodyTooLarge: 413,
    WeakPassword: 400,
    NotSignedIn: 401,
    Forbidden: 403,
    UnknownTask: 404,
    BadInvitation: 404,
    TaskNotInHand: 409,
    AnotherInHand: 409,
    TooManyAttempts: 429,
    TooManyComplaints: 429,
    TooBusy: 503,
}

Handler = Callable[[Request], Awaitable[Response]]


class WorkerRoutes:
    """Routes that a worker calls, and who that is."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def _signed_in(self, request: Request) -> SignedIn:
        return await run_in_threadpool(self._accounts.session, request.cookies.get(COOKIE))

    async def _writer(self, request: Request) -> SignedIn:
        """The worker, proven to be the sender: a foreign page may have the cookie sent, but not the token."""
        worker = await self._signed_in(request)
        token = request.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(token.encode(), worker.csrf_token.encode()):
            raise Forbidden(f"send the session's csrf_token in the header {CSRF_HEADER}")
        return worker


def refusals(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except tuple(_STATUSES) as error:
            error_body = {"code": type(error).__name__, "message": str(error)}
            reply = json_reply(_STATUSES[type(error)], {"error": error_body})
            if isinstance(error, TooManyAttempts | TooManyComplaints | TooBusy):
                reply.headers["retry-after"] = str(error.retry_after)
            return reply

    return answer


def json_reply(status: int, value: dict[str, Any]) -> Response:
    return Response(jsontext.dump(value), status, media_type="application/json")
