"""How hard an image is for a classifier, told by its label: what replay shows again first."""

from __future__ import annotations

from collections.abc import Iterable

from include.loop.tasks.classification.values import ClassScore, LabelledImage


def difficulty(
    line: LabelledImage, scores: Iterable[ClassScore], threshold: float, *, multi_label: bool
) -> float:
    """How far the champion is from the label, 0 (it says just that, with certainty) to 1.

    With one label: one minus the probability of the right class. With many: one minus the sum of the scores
    of the labelled classes, divided by their number and that of the others that it gives a score of the
    threshold or more; an image of no class of which it says none is as easy as can be.
    """
    said = {item.class_id: item.score for item in scores}
    found = sum(said.get(label, 0.0) for label in line.classes)
    invented = 0
    if multi_label:
        invented = sum(score >= threshold and label not in line.classes for label, score in said.items())
    things = len(line.classes) + invented
    return 1 - found / things if things else 0.0
