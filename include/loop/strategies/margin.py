"""Ask about an image when the model wavers between two classes: the best two scores are closer to each other
than the threshold, the closest first.

Where an image may have many labels, a class has one rival only, that the image is not of it; the class on
which the model wavers most speaks for the image. A detector's scores belong to different objects and are no
rivals of each other.
"""

from __future__ import annotations

from include.loop.strategies import Doubt, ImageScores

TASKS = ("image-classification",)


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """The margin is from 0, a tie, to 1. What was said nothing of has none."""
    margin = _margin(image)
    reason = f"margin {margin:.3f}"
    if margin < threshold:
        return Doubt(ask=True, urgency=1.0 - margin, reason=f"{reason} below {threshold:g}")
    return Doubt(ask=False, urgency=1.0 - margin, reason=reason)


def _margin(image: ImageScores) -> float:
    if image.multi_label:
        return min((abs(2.0 * item.score - 1.0) for item in image.scores), default=0.0)
    first, second = sorted((*(item.score for item in image.scores), 0.0, 0.0), reverse=True)[:2]
    return first - second
