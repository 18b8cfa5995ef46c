"""Signing in and out, and accepting an invitation: ``/worker/session`` and ``/worker/invitation``."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.review_server.bodies import json_object
from include.review_server.clock import Clock, iso
from include.review_server.errors import BadAnswer
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.people.devices import DEVICE_DAYS
from include.review_server.people.passwords import Turnstile
from include.review_server.portal.worker_http import COOKIE, PREFIX, WorkerRoutes, json_reply, refusals

# Where somebody has signed in, that is remembered beside the session, and sent only where one signs in.
_DEVICE_COOKIE = "nightloop_device"
_DEVICE_SECONDS = DEVICE_DAYS * 24 * 3600


class SessionRoutes(WorkerRoutes):
    """Who somebody is, by name and password, and from then on by a cookie."""

    def __init__(self, accounts: Accounts, clock: Clock, secure_cookie: bool) -> None:
        super().__init__(accounts, clock)
        self._secure_cookie = secure_cookie
        # Two doors: a crowd of strangers that guess passwords does not stand in the way of those one knows.
        self._strangers = Turnstile("strangers", at_once=2, waiting=20)
        self._known = Turnstile("known", at_once=2, waiting=20)

    def routes(self) -> list[Route]:
        return [
            Route(f"{PREFIX}/session", refusals(self._sign_in), methods=["POST"]),
            Route(f"{PREFIX}/session", refusals(self._session), methods=["GET"]),
            Route(f"{PREFIX}/session", refusals(self._sign_out), methods=["DELETE"]),
            Route(f"{PREFIX}/invitation", refusals(self._accept), methods=["POST"]),
        ]

    async def _sign_in(self, request: Request) -> Response:
        body = await json_object(request)
        name, password = body.get("name"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise BadAnswer('the body must be {"name": "…", "password": "…"}')
        device = request.cookies.get(_DEVICE_COOKIE)
        is_known = device is not None and await run_in_threadpool(
            self._accounts.is_known_device, name, device
        )
        door = self._known if is_known else self._strangers
        # The client's, also behind a proxy that is trusted (``listening``).
        address = request.client.host if request.client else ""
        signed_in = await door.run(self._accounts.sign_in, name, password, address, device)
        if before := request.cookies.get(COOKIE):
            # Whoever planted or shared the old cookie keeps nothing.
            await run_in_threadpool(self._accounts.sign_out, before)
        reply = json_reply(201, {**_session(signed_in), "server_time": iso(self._clock())})
        secure = self._is_secure(request)
        reply.set_cookie(
            COOKIE, signed_in.token or "", path="/", httponly=True, samesite="strict", secure=secure
        )
        _remember_device(reply, signed_in.device, secure)
        return reply

    async def _session(self, request: Request) -> Response:
        signed_in = await self._signed_in(request)
        return json_reply(200, {**_session(signed_in), "server_time": iso(self._clock())})

    async def _sign_out(self, request: Request) -> Response:
        await self._writer(request)
        await run_in_threadpool(self._accounts.sign_out, request.cookies[COOKIE])
        reply = Response(status_code=204)
        reply.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return reply

    async def _accept(self, request: Request) -> Response:
        body = await json_object(request)
        token, password = body.get("token"), body.get("password")
        if not isinstance(token, str) or not isinstance(password, str):
            raise BadAnswer('the body must be {"token": "…", "password": "…"}')
        # What is no invitation costs a look and no place.
        await run_in_threadpool(self._accounts.check_invitation, token, password)
        member = await self._known.run(self._accounts.accept, token, password)
        reply = json_reply(200, {"worker_id": member.worker_id, "name": member.name})
        _remember_device(reply, member.device, self._is_secure(request))
        return reply

    def _is_secure(self, request: Request) -> bool:
        # A trusted proxy says how the browser came (X-Forwarded-Proto).
        return self._secure_cookie or request.url.scheme == "https"


def _remember_device(reply: Response, mark: str | None, secure: bool) -> None:
    reply.set_cookie(
        _DEVICE_COOKIE,
        mark or "",
        max_age=_DEVICE_SECONDS,
        path=f"{PREFIX}/session",
        httponly=True,
        samesite="strict",
        secure=secure,
    )


def _session(worker: SignedIn) -> dict[str, Any]:
    return {
        "worker_id": worker.worker_id,
        "name": worker.name,
        "is_owner": worker.is_owner,
        "csrf_token": worker.csrf_token,
        "expires_at": iso(worker.expires_at),
    }
