"""One port for many services: looks at who a request is signed for, and hands it on.

Takes ASGI requests; gives them to SageMaker's two APIs and the A2I runtime (``AwsService`` objects, run in
threads because they are plain synchronous code) or to the base services. The credential scope alone decides,
not the path, the host or a header, so that buckets named ``human-loops`` or ``endpoints`` keep working.
Counts requests per operation for tests that promise few of them.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from xml.sax.saxutils import escape

from include.local_cloud.asgi import Message, Receive, Send
from include.local_cloud.base.services import SERVICES, BaseServices
from include.local_cloud.gateway.access import Access
from include.local_cloud.gateway.admission import Admission, as_request, check_location
from include.wire import AwsError, AwsService, Reply, Request

_SPEAK_XML = ("iam", "sts")  # by the query protocol; S3 has its own form of it


class Gateway:
    """The ASGI application of the cloud's own port.

    ``services`` are the SageMaker-scoped APIs in order of asking; ``requests`` counts what was asked, by
    operation.
    """

    def __init__(
        self, services: Sequence[AwsService], base: BaseServices, admission: Admission, requests: Counter[str]
    ) -> None:
        self._services, self._base, self._admission = services, base, admission
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
        service = None
        try:
            request = as_request(scope)
            if request.method == "OPTIONS":
                # A browser asks this without a signature, before it sends what it asks about.
                check_location(request)
                await self._base.preflight(request, receive, send)
                return
            signature = Access.signature(request)
            service = signature.service
            request = await self._admission.admit(signature, request, receive)
            if service == "sagemaker":
                await _send(send, await self._sagemaker(request))
            elif service in SERVICES:
                self.requests[f"{service}:{_base_operation(service, request)}"] += 1
                await self._base(signature, request, receive, send)
            else:
                known = ", ".join(["sagemaker", *SERVICES])
                message = f"the local cloud has no service {service!r}; it has {known}"
                raise AwsError("NotImplementedException", message, 501)
        except AwsError as error:
            fields = dict(scope["headers"])
            reply = _error(error, service, b"x-amz-target" in fields)
            if b"expect" in fields:
                # Its body was not asked for and will not come: the next request must not be taken for it.
                reply = replace(reply, headers={**reply.headers, "Connection": "close"})
            await _send(send, reply)

    async def _sagemaker(self, request: Request) -> Reply:
        for service in self._services:
            if service.matches(request):
                self.requests[service.operation(request) or "UnknownOperation"] += 1
                pool = self._invocations if service.name == "sagemaker-runtime" else self._control
                return await asyncio.get_running_loop().run_in_executor(pool, service.reply, request)
        names = ", ".join(service.name for service in self._services)
        message = f"no operation of {names} has this path or target: {request.method} {request.path}"
        raise AwsError("UnknownOperationException", message, 404)

    def _about(self, path: str) -> Reply:
        if path == "/_nightloop/health":
            return _json(200, {"status": "ok"})
        if path == "/_nightloop/requests":
            return _json(200, dict(sorted(self.requests.items())))
        return _json(
            404, {"message": f"{path} is not here; there are /_nightloop/health and /_nightloop/requests"}
        )


def _base_operation(service: str, request: Request) -> str:
    target = "" if service == "s3" else request.headers.get("x-amz-target", "")
    return target.rpartition(".")[2] or request.method


def _error(error: AwsError, service: str | None, has_target: bool) -> Reply:
    """An error as the clients of the service read it: JSON, or one of two forms of XML."""
    if has_target or service not in (None, "s3", *_SPEAK_XML):
        content, kind = json.dumps({"__type": error.code, "message": error.message}), "application/json"
    else:
        code, message, kind = escape(error.code), escape(error.message), "application/xml"
        more = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.fields.items())
        content = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
        if service in _SPEAK_XML:
            content = f"<ErrorResponse>{content}</ErrorResponse>"
    headers = {"Content-Type": kind, "x-amzn-ErrorType": error.code}
    if "Region" in error.fields:
        headers["x-amz-bucket-region"] = error.fields["Region"]  # all that a HEAD has to say it by
    return Reply(error.status or 400, headers, content.encode())


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
