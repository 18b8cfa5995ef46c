"""Makes the sample data set of boxes: scenes with some handwritten digits each, by day and by night.

    python -m include.samples.digit_scenes --seed 7 --out DIR [--batches 3] [--bucket B]

What lies where is said in data_set.py. The same arguments give the same bytes, another seed gives other
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from include.samples import boxes, data_set
from include.samples.data_set import TRUTH, Kind, Sample
from include.samples.digits import CLASSES, drawn
from include.samples.scenes import draw

__all__ = ["CLASSES", "TRUTH", "Sample", "generate", "main"]


def generate(sample: Sample, out: Path) -> dict[str, int]:
    """Write the sample below `out`; returns how many images each part has."""
    return data_set.generate(KIND, sample, out)


def main(arguments: Sequence[str] | None = None) -> None:
    data_set.main(KIND, arguments)


KIND = Kind(
    module="include.samples.digit_scenes",
    description=(__doc__ or "").split("\n")[0],
    pipeline="digits",
    job="digit-scenes",
    parts=drawn(draw),
    label=boxes.labels_of(CLASSES),
    truth=boxes.truth,
)

if __name__ == "__main__":
    main()
