"""Ask about a share of the images, whatever the model says of them: what every other strategy has to beat.

The threshold is the share; what is chosen depends on the images' content alone. In a mix of strategies all
images are candidates: how many of them are asked is said there.
"""

from __future__ import annotations

from include.loop.strategies import Doubt, ImageScores

THRESHOLD_IS_SHARE = True


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """A cap takes the same images first, whatever the threshold is."""
    ask = image.share < threshold
    reason = "chosen at random" if ask else "not chosen at random"
    if threshold < 1:
        reason += f" ({threshold:g} of all images)"
    return Doubt(ask=ask, urgency=1.0 - image.share, reason=reason)
