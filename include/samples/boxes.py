"""How samples of boxes are labelled: as a bounding-box labelling job does it, and as reviewers know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from include.samples.scenes import Scene


def labels_of(classes: Sequence[str]) -> Callable[[Scene], tuple[Any, dict[str, Any]]]:
    """What a manifest line says of a scene: the label's value, and its metadata. The class index of a box is
    the place of its label in ``classes``.
    """

    def label(scene: Scene) -> tuple[Any, dict[str, Any]]:
        boxes = scene.boxes
        height, width = scene.pixels.shape[:2]
        annotations = [
            {
                "class_id": classes.index(box.label),
                "left": box.left,
                "top": box.top,
                "width": box.width,
                "height": box.height,
            }
            for box in boxes
        ]
        value = {"annotations": annotations, "image_size": [{"width": width, "height": height, "depth": 3}]}
        return value, {
            "class-map": {str(classes.index(label)): label for label in sorted({box.label for box in boxes})},
            "objects": [{"confidence": 1.0} for _ in boxes],
            "type": "groundtruth/object-detection",
        }

    return label


def truth(scene: Scene) -> dict[str, Any]:
    """What reviewers know of a scene, beside its size."""
    return {"boxes": [vars(box) for box in scene.boxes]}
