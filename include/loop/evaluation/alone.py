"""What one model scores on one set of labelled images, with nothing to compare it with.

Takes labels and predictions by image, gives the numbers that an evaluation would have for the slice, with
their bounds, and what each image is mistaken for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.config import Pipeline
from include.loop.core.records.metrics import CHALLENGER, ImageComparison, SliceMetrics
from include.loop.evaluation.comparison import compare
from include.loop.evaluation.slices import Slices
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.values import Labelled


@dataclass(frozen=True)
class Measurement:
    """``slice`` has the model as its challenger; ``rows`` are image by image."""

    slice: SliceMetrics
    rows: list[ImageComparison]


def measure_alone(
    task: AnyTask, pipeline: Pipeline, name: str, labels: Sequence[Labelled], predictions: Mapping[str, Any]
) -> Measurement:
    """``predictions`` are by image source; an image that is not there counts as nothing found. ValueError
    without a label.
    """
    if not labels:
        raise ValueError(f"{name}: there is no label to measure with")
    gate = pipeline.gate.model_copy(update={"min_images": 1})  # whoever asks for so few gets their numbers
    pipeline = pipeline.model_copy(update={"gate": gate})
    slices = Slices(images={name: list(labels)}, etags={line.source: "" for line in labels}, gone={name: 0})
    found = compare(task, pipeline, slices, Slices({}, {}, {}), {CHALLENGER: predictions})
    return Measurement(found.slices[name], found.rows)
