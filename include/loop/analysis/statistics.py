"""What the tables come to: means, groups, deciles, the line through confidence and score, histograms.

Takes ``Tables``, gives plain values. A mean over nothing is None, never a number. Images are weighed alike;
the mean over boxes pools the pairs that were found within images. (To pool all boxes of a group as if they
were one image's, as AWS's example does, matches boxes of different pictures: two images without a single
hit, each with the other's box, would score 1.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from include.loop.analysis.tables import Tables

if TYPE_CHECKING:
    from pandas import DataFrame, Series

BINS = 16
TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
_NORMAL = 1.96  # 95 % of a normal distribution
LEAST = 30  # images below which a mean gets no interval: it would be too narrow


@dataclass(frozen=True)
class Mean:
    """Over ``images``, with the interval that holds the true mean with 95 % confidence (None for few), and
    the mean over all pairs and leftovers of boxes, None where they are not known.
    """

    images: int
    mean: float | None
    low: float | None = None
    high: float | None = None
    by_box: float | None = None


@dataclass(frozen=True)
class Line:
    """``score = start + slope * confidence`` by least squares; ``r`` is Pearson's."""

    slope: float
    start: float
    r: float


@dataclass(frozen=True)
class Share:
    """The surest ``share`` of the images: how many, the lowest confidence among them, and their mean."""

    share: float
    images: int
    confidence: float
    mean: float


@dataclass(frozen=True)
class ByBoxes:
    """The images with so many boxes."""

    boxes: int
    images: int
    mean: float | None
    confidence: float | None


@dataclass(frozen=True)
class Worker:
    """``label`` and ``true`` are the mean agreement of the answers with the labels and with the references;
    ``seconds`` is the median time of an answer.
    """

    worker: str
    answers: int
    label: float | None
    true: float | None
    seconds: float | None
    hours: float


def mean_of(images: DataFrame) -> Mean:
    """Of scored images."""
    count = len(images)
    if not count:
        return Mean(0, None)
    mean = float(images.score.mean())
    boxed = images.dropna(subset=["things"])
    things = float(boxed.things.sum())
    by_box = float(boxed.total.sum()) / things if things else None
    if count < LEAST:
        return Mean(count, mean, by_box=by_box)
    half = _NORMAL * float(images.score.std(ddof=1)) / math.sqrt(count)
    return Mean(count, mean, max(0.0, mean - half), min(1.0, mean + half), by_box)


def groups(tables: Tables) -> dict[str, Mean]:
    """All scored images, and those that people and the machine have labelled."""
    scored = tables.scored
    human = scored.human.astype(bool)
    return {"all": mean_of(scored), "human": mean_of(scored[human]), "machine": mean_of(scored[~human])}


def regression(tables: Tables) -> Line | None:
    """None where it has no direction: fewer than two images, or all equally sure."""
    found = _sure(tables.scored)
    if len(found) < 2 or np.ptp(found.confidence) == 0:
        return None
    confidence, score = found.confidence.to_numpy(float), found.score.to_numpy(float)
    slope, start = np.polyfit(confidence, score, 1)
    r = float(np.corrcoef(confidence, score)[0, 1]) if np.ptp(score) else 0.0
    return Line(float(slope), float(start), r)


def surest(tables: Tables) -> list[Share]:
    """The mean score of the surest tenth of the images, of the surest two tenths, up to all.

    A share of n images has at least one, so no mean is empty. Images of one confidence count with their
    common mean: which of them come first is chance.
    """
    found = _sure(tables.scored).sort_values("confidence", ascending=False, kind="stable")
    expected = found.groupby("confidence").score.transform("mean")
    result = []
    for share in TENTHS if len(found) else ():
        count = max(1, math.ceil(len(found) * share - 1e-9))
        lowest = float(found.confidence.iloc[count - 1])
        result.append(Share(share, count, lowest, float(expected.iloc[:count].mean())))
    return result


def histogram(scores: Series) -> list[int]:
    """Of scores from 0 to 1, in ``BINS`` bins of one width; a 1 is in the last."""
    counts, _ = np.histogram(scores.to_numpy(float), bins=BINS, range=(0, 1))
    return [int(count) for count in counts]


def by_boxes(tables: Tables) -> Iterator[ByBoxes]:
    """Labelled images by the number of their boxes."""
    for _, images in tables.labelled.groupby("boxes"):
        yield ByBoxes(
            int(images.boxes.iloc[0]),
            len(images),
            known(images.score.mean()),
            known(images.confidence.mean()),
        )


def workers(tables: Tables) -> list[Worker]:
    """Those with most answers first."""
    found = [
        Worker(
            str(worker),
            len(answers),
            known(answers.label_score.mean()),
            known(answers.true_score.mean()),
            known(answers.seconds.median()),
            float(answers.seconds.sum()) / 3600,
        )
        for worker, answers in tables.answers.groupby("worker")
    ]
    return sorted(found, key=lambda item: (-item.answers, item.worker))


def class_counts(tables: Tables) -> dict[str, int]:
    """How many images are said to be of each class, or of each set of classes; most first."""
    counts = tables.labelled.said.value_counts()
    return {str(name): int(count) for name, count in counts.sort_index().sort_values(
        ascending=False, kind="stable").items()}  # fmt: skip


def confusion(tables: Tables) -> DataFrame:
    """Counts of images: a row for each true class, a column for each that the label says."""
    import pandas

    found = tables.labelled.dropna(subset=["true"])
    names = sorted({*found.true, *found.said})
    return pandas.crosstab(found.true, found.said).reindex(index=names, columns=names, fill_value=0)


def known(value: float) -> float | None:
    """None for NaN."""
    return float(value) if math.isfinite(value) else None


def _sure(images: DataFrame) -> DataFrame:
    return images.dropna(subset=["confidence"])
