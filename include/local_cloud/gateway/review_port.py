"""The review server's port: its own application, which asks for the cloud's key, behind the cloud's counters.

Workers sign in with a session of their own; AWS calls must hold a key of the cloud here as on the other port
(``server`` hands the review server the look-up).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from include.local_cloud.asgi import Message, Receive, Send
from include.wire import AwsService, Request


class ReviewPort:
    """Wraps the review server's ASGI application; counts what was asked of it, by operation."""

    def __init__(
        self,
        app: Callable[[Message, Receive, Send], Awaitable[None]],
        services: Sequence[AwsService],
        requests: Counter[str],
    ) -> None:
        self._app, self._services, self._requests = app, services, requests

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())
        }
        if headers.get("authorization", "").startswith("AWS4-"):
            path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
            request = Request(scope["method"], path, headers=headers)
            operation = next(filter(None, (service.operation(request) for service in self._services)), None)
            self._requests[operation or "UnknownOperation"] += 1
        await self._app(scope, receive, send)
