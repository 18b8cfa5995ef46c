"""The review server's port: its own application, behind the cloud's access check and its request counters.

Workers sign in with a session of their own; AWS calls must hold the cloud's key here as on the other port.
Knows ``gateway``, ``access`` and ``wire``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from include.local_cloud.access import Access
from include.local_cloud.gateway import admitted, refuse
from include.local_cloud.messages import Message, Receive, Send
from include.wire import AwsError, AwsService


class ReviewPort:
    """Wraps the review server's ASGI application."""

    def __init__(
        self,
        app: Callable[[Message, Receive, Send], Awaitable[None]],
        services: Sequence[AwsService],
        access: Access,
        requests: Counter[str],
    ) -> None:
        self._app, self._services, self._access, self._requests = app, services, access, requests

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization", b"").startswith(b"AWS4-"):
            try:
                request, receive = await admitted(self._access, scope, receive)
            except AwsError as error:
                await refuse(send, error, scope)
                return
            operation = next(filter(None, (service.operation(request) for service in self._services)), None)
            self._requests[operation or "UnknownOperation"] += 1
        await self._app(scope, receive, send)
