"""Classes that a person chose, checked.

Takes one answer of A2I's output.json, gives a ``ClassAnswer``; BadRecord names the field or the label that is
wrong. Which element asked is seen by the answer's shape: crowd-image-classifier and crowd-classifier give
``{"label": "x"}``, their multi-select forms ``{"labels": ["x", "y"]}``. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.consensus.classes import NONE, NONES
from include.loop.core.errors import BadRecord
from include.loop.tasks import a2i_output
from include.loop.tasks.a2i_output import Envelope
from include.loop.tasks.classification.names import class_index
from include.loop.tasks.values import RejectedAnswer

# The name of the template's element.
ELEMENT = "annotatedResult"


@dataclass(frozen=True)
class ClassAnswer:
    """One worker's usable answer: the classes (``chosen``, by index, ascending; none only with many labels
    per image) and their names in the same order. ``submitted`` is in UTC; ``seconds`` is None where nobody
    measured, or what was measured is no time (negative, or more than a year).
    """

    worker: str
    chosen: tuple[int, ...]
    names: tuple[str, ...]
    submitted: datetime
    seconds: float | None = None

    @property
    def labels(self) -> list[str]:
        return list(self.names)

    @property
    def said(self) -> list[str]:
        return list(self.names) or [NONE]


def read_output(
    body: bytes, loop: str, classes: Sequence[str], *, multi_label: bool
) -> tuple[list[ClassAnswer], list[RejectedAnswer]]:
    """The answers in an output.json, by worker. BadRecord when the file as a whole is unusable."""
    return a2i_output.read_answers(
        body, loop, lambda item: read_answer(item, classes, multi_label=multi_label)
    )


def read_answer(item: Any, classes: Sequence[str], *, multi_label: bool) -> ClassAnswer:
    """One entry of ``humanAnswers``."""
    answer = Envelope(item, ELEMENT)
    texts = _texts(answer.content)
    if multi_label and len(texts) == 1 and texts[0] not in classes and texts[0].casefold() in NONES:
        texts = []
    elif not texts:
        raise BadRecord("answer has no label")
    chosen = tuple(sorted({class_index(text, classes) for text in texts}))
    if len(chosen) > 1 and not multi_label:
        raise BadRecord(f"answer has {len(chosen)} labels, and an image of this pipeline has one")
    names = tuple(classes[index] for index in chosen)
    return ClassAnswer(answer.worker, chosen, names, answer.submitted, answer.seconds)


def _texts(content: Any) -> list[str]:
    fields = [name for name in ("label", "labels") if isinstance(content, dict) and name in content]
    if not fields:
        raise BadRecord(f"answer lacks fields: {ELEMENT}.label, or {ELEMENT}.labels of a multi-select")
    field, value = fields[0], content[fields[0]]
    texts = [value] if field == "label" else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRecord(f"answer lacks fields: {ELEMENT}.{field} is no text" + "s" * (field == "labels"))
    return texts
