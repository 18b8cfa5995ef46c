"""How the challenger's scores are to be read.

Takes the slices of an evaluation and the challenger's predictions on them, gives the ``Calibration`` that its
metrics.json keeps. It is fitted on the labels that the dataset has held out (retention, recent, audit,
validation) and measured on the test sets, which judge: no image of theirs is fitted on.
"""

from __future__ import annotations

from include.loop.config import DATASET_SLICES, Pipeline
from include.loop.core.records.calibration import Calibration
from include.loop.evaluation.comparison import Predictions
from include.loop.evaluation.slices import Slices
from include.loop.tasks.calibrating import Wish
from include.loop.tasks.protocol import AnyTask

FITTED_ON = (*DATASET_SLICES, "validation")


def fit(task: AnyTask, pipeline: Pipeline, slices: Slices, predictions: Predictions) -> Calibration | None:
    """None where the task's scores stay as they are, and without a held-out label."""
    judging = {name: lines for name, lines in slices.images.items() if name not in FITTED_ON}
    judged = {line.source for lines in judging.values() for line in lines}
    held_out = {
        name: lines
        for name in FITTED_ON
        if (lines := [line for line in slices.images.get(name, ()) if line.source not in judged])
    }
    if not held_out:
        return None
    settings = pipeline.evaluation
    wish = Wish(precision=settings.least_precision, recall=settings.least_recall)
    return task.calibrate(held_out, judging, predictions, wish)
