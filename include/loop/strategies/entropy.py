"""Ask about an image when the model's scores are spread over the classes: their entropy is above the
threshold, the highest first.

The entropy (Shannon's) is divided by its largest value, the logarithm of the number of classes, so that one
threshold means the same for two classes and for a thousand: 0 is certainty, 1 is no idea. Where an image may
have many labels, each class is a question of its own, yes or no; the least certain class speaks for the
image. A detector's scores belong to different objects and are no distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from include.loop.strategies import Doubt, ImageScores

TASKS = ("image-classification",)


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """An image of which nothing was said is as unknown as can be."""
    entropy = _entropy(image)
    reason = f"entropy {entropy:.3f}"
    if entropy > threshold:
        return Doubt(ask=True, urgency=entropy, reason=f"{reason} above {threshold:g}")
    return Doubt(ask=False, urgency=entropy, reason=reason)


def _entropy(image: ImageScores) -> float:
    scores = [item.score for item in image.scores]
    if image.multi_label:
        return max((_normalised((score, 1.0 - score)) for score in scores), default=1.0)
    return _normalised(scores)


def _normalised(scores: Sequence[float]) -> float:
    """From 0 to 1. Scores as they are printed add up to 1 but for the last digit: their shares are taken."""
    total = sum(scores)
    if total <= 0:
        return 1.0
    if len(scores) == 1:
        return 0.0
    shares = (score / total for score in scores)
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    return min(max(entropy / math.log(len(scores)), 0.0), 1.0)
