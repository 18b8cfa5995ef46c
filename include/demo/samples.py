"""The samples that the demo can show, each with all that it has of its own.

Everything else is the same whatever is learned: the stages, the batches, how they are measured and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from include.demo import pictures, pictures_of_classes
from include.demo.batch import Batch
from include.demo.checks import Promises
from include.demo.domains import Domain, Domains
from include.samples import photographs


@dataclass(frozen=True)
class DemoSample:
    """One sample. ``module`` makes its images: ``first_images`` with labels for the first model, and
    ``batch_images`` in each batch. ``epoch`` finds the groups ``epoch`` (from 0) and ``score`` in a line of
    its training log, and ``quality`` is what that score is called; ``draw`` writes the pictures of a test set
    with what two training jobs' models say, into a folder. ``fetch`` gets what the images are made of, where
    that is not here: SampleError when it cannot.
    """

    pipeline: str
    module: str
    domains: Domains
    first_images: int
    batch_images: int
    epoch: re.Pattern[str]
    quality: str
    promises: Promises
    draw: Callable[[Batch, str, str, str, Path], list[Path]]
    fetch: Callable[[], object] = lambda: None


_LIGHTS = Domains(Domain("day", "by day"), Domain("night", "by night"))
_SITES = Domains(Domain("site-a", "on site A"), Domain("site-b", "on site B"))

# SageMaker's own lines: #quality_metric: host=algo-1, epoch=3, validation mAP <score>=(0.787721)
# and Epoch[3] Validation-accuracy=0.787721
_MAP = re.compile(r"epoch=(?P<epoch>\d+), validation mAP <score>=\((?P<score>[0-9.]+)\)")
_ACCURACY = re.compile(r"Epoch\[(?P<epoch>\d+)\] Validation-accuracy=(?P<score>[0-9.]+)")

# By the name of the pipeline, which the sample has as well.
SAMPLES = {
    "digits": DemoSample(
        pipeline="digits",
        module="include.samples.digit_scenes",
        domains=_LIGHTS,
        first_images=800,
        batch_images=200,
        epoch=_MAP,
        quality="mAP",
        promises=Promises("mAP@0.5", before=0.20, after=0.50, most_lost=0.04, most_reviewed=120),
        draw=pictures.draw,
    ),
    "digit-classes": DemoSample(
        pipeline="digit-classes",
        module="include.samples.digit_classes",
        domains=_LIGHTS,
        first_images=800,
        batch_images=200,
        epoch=_ACCURACY,
        quality="accuracy",
        promises=Promises("accuracy", before=0.30, after=0.70, most_lost=0.05, most_reviewed=180),
        draw=pictures_of_classes.draw,
    ),
    "trees": DemoSample(
        pipeline="trees",
        module="include.samples.tree_tiles",
        domains=_SITES,
        first_images=60,
        batch_images=45,
        epoch=_MAP,
        quality="mAP",
        promises=Promises("mAP@0.5", before=0.40, after=0.40, most_lost=0.05, most_reviewed=120),
        draw=partial(pictures.draw, score=0.3),  # as evaluation.score_threshold of trees.yaml
        fetch=lambda: photographs.fetch(photographs.cache_directory()),
    ),
}
# The samples of digits by what is learned of them.
TASKS = {"detection": SAMPLES["digits"], "classification": SAMPLES["digit-classes"]}
