"""The page of one model on one set of labelled images: what a person sees who measures by hand.

Takes the numbers and what they were measured on, gives one HTML file, made of the sections that a round's
page has on scores, curves and mistakes. Reads pictures only, by the function that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core.records.batch_facts import CellFacts, Example
from include.loop.core.records.facts import EvaluationFacts, Facts, RoundOutcome, SliceFacts
from include.loop.core.records.metrics import ImageComparison, SliceMetrics
from include.loop.report import measures, mistakes, pictures
from include.loop.report.page import environment
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.values import Labelled


@dataclass(frozen=True)
class Looked:
    """What was measured, and by what: the numbers (the model is the ``challenger``), the same image by image,
    labels and predictions. ``picture`` gives an image's bytes by its source (FileNotFoundError: none).
    """

    name: str
    slice: SliceMetrics
    rows: Sequence[ImageComparison]
    labels: Sequence[Labelled]
    predictions: Mapping[str, Any]
    picture: Callable[[str], bytes]
    threshold: float
    confidence: float


def render_measured(task: AnyTask, title: str, looked: Looked, about: Mapping[str, str] | None = None) -> str:
    """The page; ``about`` are lines of a table at its head (which model, which manifest, when)."""
    item = SliceFacts(name=looked.name, **dict(looked.slice))
    facts = Facts(
        pipeline="",
        training_job="",
        outcome=RoundOutcome.UNKNOWN,
        evaluation=EvaluationFacts(
            metric=task.metric.key, score_threshold=looked.threshold, confidence=looked.confidence
        ),
        slices=(item,),
    )
    lines = {line.source: line for line in looked.labels}

    def pair(example: Example) -> pictures.Pair | None:
        found = {"": looked.predictions.get(example.image, ())}  # there is no before and after
        return pictures.pair(task, example, looked.picture, lines[example.image], found, looked.threshold)

    def thumbnails(cell: CellFacts) -> list[pictures.Seen]:
        return pictures.thumbnails(looked.picture, cell)

    wrong = [pair(example) for example in mistakes.surest(looked.rows)]
    return (
        environment()
        .get_template("measured.html.jinja")
        .render(
            **measures.shown(facts, task),
            title=title,
            about=about,
            mistakes=[found for found in wrong if found],
            cells=[(cell, thumbnails(cell)) for cell in mistakes.cells(looked.rows)],
        )
    )
