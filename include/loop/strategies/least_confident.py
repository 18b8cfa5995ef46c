"""Ask about an image when the best score on it is below the threshold, the lowest first."""

from __future__ import annotations

from include.loop.strategies import Doubt, ImageScores


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """An image on which nothing was found has the best score 0."""
    if not image.scores:
        return Doubt(ask=True, urgency=1.0, reason="no detection")
    top = image.top
    if top < threshold:
        return Doubt(ask=True, urgency=1.0 - top, reason=f"top score {top:.3f} below {threshold:g}")
    return Doubt(ask=False, urgency=1.0 - top, reason=f"top score {top:.3f}")
