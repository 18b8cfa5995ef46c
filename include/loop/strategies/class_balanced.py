"""Ask about an image when the model expects to be wrong on it, where it counts: as `expected_errors`, but
that an error of a class weighs the more, the worse the champion is at the class and the fewer labels of it
are known.

What a class weighs is told by the champion's last evaluation (nightly/class_weights.py), 1 in the mean over
objects, so that a threshold means about what it means there. Without an evaluation all weigh the same.
"""

from __future__ import annotations

from include.loop.strategies import Doubt, ImageScores
from include.loop.strategies.expected_errors import judge

WEIGHTS = True


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """Of two images on which equally much is doubtful, the one with the weaker classes comes first."""
    weights = dict(enumerate(image.weights))
    return judge(image, threshold, "weighed errors", lambda class_id: weights.get(class_id, 1.0))
