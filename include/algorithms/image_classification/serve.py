"""The `serve` command: the model in SM_ML_ROOT/model, answering as SageMaker's Image Classification answers.

An endpoint's answer is an array of scores in the order of the classes; batch transform, and whoever accepts
JSON Lines, gets them as ``{"prediction": […]}``.
"""

from __future__ import annotations

import json
import os

from starlette.responses import Response

from include.algorithms.container import Container
from include.algorithms.image_classification import artifact
from include.algorithms.image_classification.predict import Predictor
from include.algorithms.images import decode
from include.algorithms.serving import listen

_LINES = "application/jsonlines"


def serve(container: Container) -> None:
    """Load the model, compile it, then listen."""
    trained = artifact.read(container.model)
    predictor = Predictor(trained.kind, trained.variables)
    predictor.warm_up()
    shape = predictor.image_shape
    is_batch = os.environ.get("SAGEMAKER_BATCH") == "true"  # set by SageMaker in a transform job's container

    def answer(body: bytes, accept: str) -> Response:
        scores = predictor.scores(decode(body, shape.width, shape.height).pixels)
        if is_batch or accept == _LINES:
            return Response(json.dumps({"prediction": scores}), media_type=_LINES)
        return Response(json.dumps(scores), media_type="application/json")

    listen(container, answer, f"{trained.kind.num_classes} classes at {shape} pixels")
