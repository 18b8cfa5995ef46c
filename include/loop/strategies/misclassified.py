"""Ask about an image when the model gets it wrong: what it says is not what the reference label says.

For images whose label is known, as those of a test set: the others are left alone. Every mistake counts the
same, so under a cap the first of the batch are asked. Where an image may have many labels, the model says
every class whose score reaches the threshold, and one too many or too few is a mistake; where it has one, the
best score alone says which, and the threshold means nothing. Whether a detector is wrong is not a matter of
classes but of boxes, which a strategy does not see.
"""

from __future__ import annotations

from collections.abc import Iterable

from include.loop.strategies import Doubt, ImageScores

TASKS = ("image-classification",)
REFERENCES = True


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """The reason names both, what is said and what is known."""
    if image.reference is None:
        return Doubt(ask=False, urgency=0.0, reason=image.no_reference)
    said = _said(image, threshold)
    reason = f"said {_names(image, said)}, reference {_names(image, image.reference)}"
    wrong = said != image.reference
    return Doubt(ask=wrong, urgency=float(wrong), reason=reason)


def _said(image: ImageScores, threshold: float) -> frozenset[int]:
    if image.multi_label:
        return frozenset(item.class_id for item in image.scores if item.score >= threshold)
    best = max(image.scores, key=lambda item: (item.score, -item.class_id), default=None)
    return frozenset() if best is None else frozenset([best.class_id])


def _names(image: ImageScores, classes: Iterable[int]) -> str:
    known = dict(enumerate(image.classes))
    return " and ".join(known.get(class_id, f"class {class_id}") for class_id in sorted(classes)) or "nothing"
