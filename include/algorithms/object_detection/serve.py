"""The `serve` command: the model in SM_ML_ROOT/model, answering as SageMaker's Object Detection answers."""

from __future__ import annotations

import json

from starlette.responses import Response

from include.algorithms.container import Container
from include.algorithms.images import Picture, decode
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.predict import Detections, Predictor
from include.algorithms.serving import listen

_ANNOTATION = "application/json;annotation=1"


def serve(container: Container) -> None:
    """Load the model, compile it, then listen."""
    trained = artifact.read(container.model)
    settings = trained.settings
    predictor = Predictor(settings, trained.variables)
    predictor.warm_up()

    def answer(body: bytes, accept: str) -> Response:
        picture = decode(body, predictor.image_shape, predictor.image_shape)
        rows = predictor.detect(picture.pixels[None])[0]
        said = _annotation(picture, rows) if accept == _ANNOTATION else {"prediction": rows.tolist()}
        return Response(json.dumps(said), media_type="application/json")

    listen(container, answer, f"{settings.num_classes} classes at {settings.image_shape} pixels")


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
