"""What the model says, as a worker template that wants it can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.consensus.classes import NONE
from include.loop.tasks.classification.values import ClassScore


def make_question(
    scores: Sequence[ClassScore], classes: Sequence[str], threshold: float, *, multi_label: bool
) -> dict[str, Any]:
    """``labels``: all classes, in order. ``initialValue``: with one label per image the name of the best
    class, None when even that scores less than the threshold; with many the names of all that reach it.
    ``exclusion``, with many: the category that stands for no class.

    The crowd elements for classes take nothing to begin with, and the shipped templates do not show it: who
    reads the model's opinion first follows it.
    """
    said = [classes[item.class_id] for item in scores if item.score >= threshold]
    if multi_label:
        return {"labels": list(classes), "initialValue": said, "exclusion": {"text": NONE}}
    return {"labels": list(classes), "initialValue": said[0] if said else None}
