"""Ask about the images that differ most from each other, whatever the model says of them.

No rule can tell that of one image: here all images come in a random order, and triage puts the most diverse
of the first ones before the others (nightly/cold_start.py). The threshold means nothing.
"""

from __future__ import annotations

from include.loop.strategies import Doubt, ImageScores

DIVERSE = True


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """Every image, by lot."""
    return Doubt(ask=True, urgency=1.0 - image.share, reason="chosen at random")
