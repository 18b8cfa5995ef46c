"""The `serve` command's web application: /ping, /execution-parameters, and an image per /invocations.

Takes what an algorithm answers an image with. As many images are answered at once as there are processors,
each by a thread: one image alone leaves a part of them idle. A batch job is told to send twice as many, so
that the next is here when one is done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include.algorithms.container import Container, logger
from include.algorithms.images import ImageError

_CONTENT_TYPES = ("image/jpeg", "image/png", "application/x-image")
AT_ONCE = os.cpu_count() or 1  # images; each has the network's memory
_LARGEST = 6  # MB: SageMaker's own limit for a request to an endpoint

# Image bytes and the Accept header (without spaces) to the answer; ImageError when it is no image.
Answer = Callable[[bytes, str], Response]


def listen(container: Container, answer: Answer, model: str) -> None:
    """Serve until the process is told to end. ``answer`` is ready: a server that answers /ping answers
    everything. ``model`` is what the log calls it.
    """
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    logger.info("serving %s on port %d", model, port)
    uvicorn.run(application(answer), host=container.bind_host, port=port, log_level="warning")


def application(answer: Answer) -> Starlette:
    """What is served."""
    threads = ThreadPoolExecutor(AT_ONCE)  # of its own: that of Starlette has 40, whatever the machine

    async def ping(_: Request) -> Response:
        return Response(status_code=200)

    async def execution_parameters(_: Request) -> Response:
        return JSONResponse(
            {
                "MaxConcurrentTransforms": 2 * AT_ONCE,
                "BatchStrategy": "SINGLE_RECORD",
                "MaxPayloadInMB": _LARGEST,
            }
        )

    async def invocations(request: Request) -> Response:
        kind = request.headers.get("content-type", "application/x-image").split(";")[0].strip().lower()
        if kind not in _CONTENT_TYPES:
            return _problem(
                415, f"Content-Type {kind!r} is not supported; use one of {', '.join(_CONTENT_TYPES)}"
            )
        body = await request.body()
        accept = request.headers.get("accept", "").replace(" ", "")
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, answer, body, accept)
        except ImageError as error:
            return _problem(400, str(error))

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/execution-parameters", execution_parameters),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


def _problem(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
