"""The `serve` command: /ping, /execution-parameters and /invocations over the model in SM_ML_ROOT/model.

One image per request, answered as SageMaker's Object Detection answers. Decoding runs in the thread pool for
concurrent requests; the network runs one image at a time, since it uses every core anyway.
"""

from __future__ import annotations

import json
import os
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include.algorithms.container import Container, logger
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.images import ImageError, Picture, decode
from include.algorithms.object_detection.predict import Detections, Predictor

_CONTENT_TYPES = ("image/jpeg", "image/png", "application/x-image")
_ANNOTATION = "application/json;annotation=1"
_LARGEST = 6  # MB: SageMaker's own limit for a request to an endpoint


def serve(container: Container) -> None:
    """Load the model, compile it, then listen: a server that answers /ping answers everything."""
    trained = artifact.read(container.model)
    settings = trained.settings
    predictor = Predictor(
        settings.num_classes, settings.image_shape, settings.nms_threshold, trained.variables
    )
    predictor.warm_up()
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    logger.info(
        "serving %d classes at %d pixels on port %d", settings.num_classes, settings.image_shape, port
    )
    uvicorn.run(application(predictor), host=container.bind_host, port=port, log_level="warning")


def application(predictor: Predictor) -> Starlette:
    """The web application around one predictor."""
    network = threading.Lock()

    async def ping(_: Request) -> Response:
        return Response(status_code=200)

    async def execution_parameters(_: Request) -> Response:
        return JSONResponse(
            {
                "MaxConcurrentTransforms": os.cpu_count() or 1,
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
        try:
            picture, rows = await run_in_threadpool(detect, body)
        except ImageError as error:
            return _problem(400, str(error))
        accept = request.headers.get("accept", "").replace(" ", "")
        answer = _annotation(picture, rows) if accept == _ANNOTATION else {"prediction": rows.tolist()}
        return Response(json.dumps(answer), media_type="application/json")

    def detect(body: bytes) -> tuple[Picture, Detections]:
        picture = decode(body, predictor.image_shape)
        with network:
            return picture, predictor.detect(picture.pixels[None])[0]

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/execution-parameters", execution_parameters),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


def _annotation(picture: Picture, rows: Detections) -> dict:
    """The pixel form: boxes as left, top, width, height of the image as it was sent."""
    return {
        "image_size": [{"width": picture.width, "height": picture.height, "depth": 3}],
        "annotations": [
            {
                "class_id": int(kind),
                "score": score,
                "left": round(xmin * picture.width),
                "top": round(ymin * picture.height),
                "width": round((xmax - xmin) * picture.width),
                "height": round((ymax - ymin) * picture.height),
            }
            for kind, score, xmin, ymin, xmax, ymax in rows.tolist()
        ],
    }


def _problem(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=status)
