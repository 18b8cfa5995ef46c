"""The parts of a text that several workers' answers come to, as Ground Truth's documents describe it.

Selections of different workers are clustered by Jaccard similarity, whatever they call the part; the limits
are the mode of theirs, and the median where no mode is clear; the label is the most frequent one. What is not
documented is ours: similar is what overlaps by half, what more than half of the workers marked is kept, and
between equally frequent labels the lowest wins, where Ground Truth draws lots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np

from include.consensus.boxes import MIN_IOU, near, of_union
from include.consensus.grouping import join


@dataclass(frozen=True, order=True)
class Span:
    """A part of a text, ``start`` to ``end`` (exclusive, never empty), and the index of its label."""

    start: int
    end: int
    label: int


@dataclass(frozen=True)
class AgreedSpan:
    """A part that more than half of the workers marked, and the share of all that gave it this label."""

    span: Span
    share: float


def agree_on_spans(answers: Sequence[Sequence[Span]]) -> list[AgreedSpan]:
    """In the order of the text. ``answers`` has each worker's spans, each once. TooManyPairs (boxes.py) when
    more of them lie over each other than people mark.
    """
    marked = [(worker, span) for worker, spans in enumerate(answers) for span in spans]
    clusters = ([marked[part][1] for part in group] for group in _groups(marked))
    agreed = [_agreed(cluster, len(answers)) for cluster in clusters if 2 * len(cluster) > len(answers)]
    return sorted(agreed, key=lambda item: (item.span, item.share))


@dataclass(frozen=True)
class _Strip:
    """A span as a box of height 1, whose intersection over union is the spans' Jaccard similarity."""

    left: float
    width: float
    top: float = 0
    height: float = 1


def _groups(marked: Sequence[tuple[int, Span]]) -> list[list[int]]:
    workers = np.array([worker for worker, _ in marked], dtype=np.int64)
    ones, others, overlap = near(
        [_Strip(span.start, span.end - span.start) for _, span in marked], of_union, MIN_IOU
    )
    fit = workers[ones] != workers[others]
    # Between pairs that overlap alike the spans decide, so that the order of the answers does not.
    pairs = sorted(
        (-close, *sorted((marked[one][1], marked[other][1])), one, other)
        for one, other, close in zip(
            ones[fit].tolist(), others[fit].tolist(), overlap[fit].tolist(), strict=True
        )
    )
    return join(workers.tolist(), ((one, other) for *_, one, other in pairs))


def _agreed(cluster: Sequence[Span], workers: int) -> AgreedSpan:
    starts, ends = [span.start for span in cluster], [span.end for span in cluster]
    start, end = _limit(starts), _limit(ends)
    if start >= end:  # one limit is of those who went on, the other of those who stopped there
        start, end = median_low(starts), median_low(ends)
    labels = Counter(span.label for span in cluster)
    label = min(labels, key=lambda item: (-labels[item], item))
    return AgreedSpan(Span(start, end, label), labels[label] / workers)


def _limit(places: Sequence[int]) -> int:
    (first, most), *rest = Counter(places).most_common(2)
    return median_low(places) if rest and rest[0][1] == most else first
