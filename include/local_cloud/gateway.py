"""One port for many services: looks at who a request is signed for, and hands it on.

Takes ASGI requests; gives them to SageMaker's two APIs and the A2I runtime (``AwsService`` objects, run in
threads because they are plain synchronous code) or to the base services. The credential scope decides
before the path does, so that buckets named ``human-loops`` or ``endpoints`` keep working. Counts requests
per operation for tests that promise few of them. Knows ``wire``, ``access`` and ``base_services``.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from include.local_cloud.access import Access
from include.local_cloud.base_services import SERVICES, BaseServices
from include.local_cloud.messages import Message, Receive, Send
from include.wire import AwsError, AwsService, Reply, Request

MAX_BODY = 16 << 20  # SageMaker's requests are small; InvokeEndpoint, the largest, allows 6 MiB


class Gateway:
    """The ASGI application of the cloud's own port.

    ``services`` are the SageMaker-scoped APIs in order of asking; ``requests`` counts what was asked, by
    operation.
    """

    def __init__(
        self, services: Sequence[AwsService], base: BaseServices, access: Access, requests: Counter[str]
    ) -> None:
        self._services, self._base, self._access = services, base, access
        self.requests = requests
        # Model calls may take a minute each: they wait in threads of their own, never in those of the
        # control plane.
        self._control = ThreadPoolExecutor(8, "control")
        self._invocations = ThreadPoolExecutor(16, "invocation")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith("/_nightloop/"):
            await _send(send, self._about(path))
            return
        if scope["method"] == "OPTIONS":  # a browser's question before a cross-origin request is never signed
            await self._base(scope, receive, send, "s3")
            return
        try:
            request, receive = await admitted(self._access, scope, receive)
        except AwsError as error:
            await refuse(send, error, scope)
            return
        service = Access.signature(request).service
        if service == "sagemaker":
            await _send(send, await self._sagemaker(request, scope))
        elif service in SERVICES:
            self.requests[f"{service}:{_base_operation(request)}"] += 1
            await self._base(scope, receive, send, service)
        else:
            known = ", ".join(["sagemaker", *SERVICES])
            message = f"the local cloud has no service {service!r}; it has {known}"
            await refuse(send, AwsError("NotImplementedException", message, 501), scope)

    async def _sagemaker(self, request: Request, scope: Message) -> Reply:
        for service in self._services:
            if service.matches(request):
                self.requests[service.operation(request) or "UnknownOperation"] += 1
                pool = self._invocations if service.name == "sagemaker-runtime" else self._control
                return await asyncio.get_running_loop().run_in_executor(pool, service.reply, request)
        names = ", ".join(service.name for service in self._services)
        message = f"no operation of {names} has this path or target: {request.method} {request.path}"
        return _error(AwsError("UnknownOperationException", message, 404), scope)

    def _about(self, path: str) -> Reply:
        if path == "/_nightloop/health":
            return _json(200, {"status": "ok"})
        if path == "/_nightloop/requests":
            return _json(200, dict(sorted(self.requests.items())))
        return _json(
            404, {"message": f"{path} is not here; there are /_nightloop/health and /_nightloop/requests"}
        )


async def admitted(access: Access, scope: Message, receive: Receive) -> tuple[Request, Receive]:
    """The request, once its signature is checked, and a ``receive`` that gives its body (again).

    S3's clients sign a digest of the body that travels in a header, so that a large body need not be read
    here: the request of an S3 call comes without one. Raises ``AwsError``.
    """
    request = Request(
        method=scope["method"],
        path=scope["raw_path"].partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
    )
    signature = access.signature(request)
    if signature.service != "s3":
        body = await _body(receive)
        request, receive = replace(request, body=body), _again(body)
    access.check(signature, request)
    return request, receive


async def refuse(send: Send, error: AwsError, scope: Message) -> None:
    """Answer with an error."""
    await _send(send, _error(error, scope))


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises ``AwsError`` when it is larger than any operation allows."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise AwsError("RequestEntityTooLargeException", f"the body exceeds {MAX_BODY} bytes", 413)
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _again(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _base_operation(request: Request) -> str:
    return request.headers.get("x-amz-target", "").rpartition(".")[2] or request.method


def _error(error: AwsError, scope: Message) -> Reply:
    """An error before any service was found: S3's clients read XML, the others JSON."""
    if b"x-amz-target" in dict(scope["headers"]) or error.status in (404, 413, 501):
        content, kind = json.dumps({"__type": error.code, "message": error.message}), "application/json"
    else:
        content = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
        kind = "application/xml"
    return Reply(
        error.status or 400, {"Content-Type": kind, "x-amzn-ErrorType": error.code}, content.encode()
    )


def _json(status: int, value: object) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


async def _send(send: Send, reply: Reply) -> None:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": reply.body})
