"""Makes the sample data set of boxes: scenes with some handwritten digits each, by day and by night.

    python -m include.samples.digit_scenes --seed 7 --out DIR [--batches 3] [--bucket B]

What lies where is said in data_set.py. The same arguments give the same bytes, another seed gives other
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.samples import data_set
from include.samples.data_set import CLASSES, TRUTH, Kind, Sample
from include.samples.scenes import SIDE, Scene, draw

__all__ = ["CLASSES", "TRUTH", "Sample", "generate", "main"]


def generate(sample: Sample, out: Path) -> dict[str, int]:
    """Write the sample below `out`; returns how many images each part has."""
    return data_set.generate(KIND, sample, out)


def main(arguments: Sequence[str] | None = None) -> None:
    data_set.main(KIND, arguments)


def _label(scene: Scene) -> tuple[Any, dict[str, Any]]:
    """In the shape of a bounding-box labelling job."""
    boxes = scene.boxes
    annotations = [
        {
            "class_id": CLASSES.index(box.label),
            "left": box.left,
            "top": box.top,
            "width": box.width,
            "height": box.height,
        }
        for box in boxes
    ]
    value = {"annotations": annotations, "image_size": [{"width": SIDE, "height": SIDE, "depth": 3}]}
    return value, {
        "class-map": {str(CLASSES.index(label)): label for label in sorted({box.label for box in boxes})},
        "objects": [{"confidence": 1.0} for _ in boxes],
        "type": "groundtruth/object-detection",
    }


def _truth(scene: Scene) -> dict[str, Any]:
    return {"boxes": [vars(box) for box in scene.boxes]}


KIND = Kind(
    module="include.samples.digit_scenes",
    description=(__doc__ or "").split("\n")[0],
    pipeline="digits",
    job="digit-scenes",
    draw=draw,
    label=_label,
    truth=_truth,
)

if __name__ == "__main__":
    main()
