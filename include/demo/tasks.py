"""The tasks that the demo can show, each with all that it has of its own.

Everything else is the same whatever is learned: the stages, the batches, how they are measured and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from include.demo import pictures, pictures_of_classes
from include.demo.batch import Batch
from include.demo.checks import Promises


@dataclass(frozen=True)
class DemoTask:
    """One task. ``sample`` is the module that draws its images; ``epoch`` finds the groups ``epoch`` (from 0)
    and ``score`` in a line of its training log, and ``quality`` is what that score is called; ``draw`` writes
    the pictures of a test set with what two training jobs' models say, into a folder.
    """

    pipeline: str
    sample: str
    epoch: re.Pattern[str]
    quality: str
    promises: Promises
    draw: Callable[[Batch, str, str, str, Path], list[Path]]


TASKS = {
    "detection": DemoTask(
        pipeline="digits",
        sample="include.samples.digit_scenes",
        # SageMaker's own line: #quality_metric: host=algo-1, epoch=3, validation mAP <score>=(0.787721)
        epoch=re.compile(r"epoch=(?P<epoch>\d+), validation mAP <score>=\((?P<score>[0-9.]+)\)"),
        quality="mAP",
        promises=Promises(
            "mAP@0.5", night_before=0.20, night_after=0.50, most_lost_by_day=0.04, most_reviewed=120
        ),
        draw=pictures.draw,
    ),
    "classification": DemoTask(
        pipeline="digit-classes",
        sample="include.samples.digit_classes",
        # SageMaker's own line: Epoch[3] Validation-accuracy=0.787721
        epoch=re.compile(r"Epoch\[(?P<epoch>\d+)\] Validation-accuracy=(?P<score>[0-9.]+)"),
        quality="accuracy",
        promises=Promises(
            "accuracy", night_before=0.30, night_after=0.70, most_lost_by_day=0.05, most_reviewed=180
        ),
        draw=pictures_of_classes.draw,
    ),
}
