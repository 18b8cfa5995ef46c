"""Makes the sample data set of classes: pictures of a single handwritten digit, by day and by night.

    python -m include.samples.digit_classes --seed 7 --out DIR [--batches 3] [--bucket B]

What lies where is said in data_set.py. The same arguments give the same bytes, another seed gives other
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.samples import data_set
from include.samples.data_set import Kind, Sample
from include.samples.digits import CLASSES, drawn
from include.samples.scenes import Scene, draw_single


def generate(sample: Sample, out: Path) -> dict[str, int]:
    """Write the sample below `out`; returns how many images each part has."""
    return data_set.generate(KIND, sample, out)


def main(arguments: Sequence[str] | None = None) -> None:
    data_set.main(KIND, arguments)


def _label(scene: Scene) -> tuple[Any, dict[str, Any]]:
    """In the shape of an image classification labelling job, one label per image."""
    digit = scene.boxes[0].label
    return CLASSES.index(digit), {
        "class-name": digit,
        "confidence": 1.0,
        "type": "groundtruth/image-classification",
    }


def _truth(scene: Scene) -> dict[str, Any]:
    return {"class": scene.boxes[0].label}


KIND = Kind(
    module="include.samples.digit_classes",
    description=(__doc__ or "").split("\n")[0],
    pipeline="digit-classes",
    job="digit-classes",
    parts=drawn(draw_single),
    label=_label,
    truth=_truth,
    # Accuracy counts whole images: among few of them the first epochs are as good as the last ones.
    validation=300,
)

if __name__ == "__main__":
    main()
