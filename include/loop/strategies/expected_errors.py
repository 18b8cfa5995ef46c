"""Ask about an image when the model expects to be wrong on it: so many of its answers, that there are more of
them than the threshold; the most first.

A detector's box of calibrated score p is right in p of such cases. From one in two on it is best taken for an
object, and then it is wrong with 1 - p; below that it is best left out, and then an object is missing with p:
each box adds the smaller of the two. That is the least number of errors that anybody who decides by these
scores can expect, whatever a pipeline shows to people or counts at work. Where an image may have many labels,
each class adds the same, and where it has one, the image is wrong with 1 - the best score. An object on which
the model has no box at all is in no sum: an image without any comes first, and the others are for audits and
`random` to find. A detector that finds nothing still names its faintest boxes: an image with none but these
has none, too.
"""

from __future__ import annotations

from collections.abc import Callable

from include.loop.strategies import Doubt, ImageScores

# Fainter boxes are hundreds on an image, and nothing of them was measured: calibration leaves them out, too.
LEAST = 0.05


def doubt(image: ImageScores, threshold: float) -> Doubt:
    """``urgency`` is the number n as n / (1 + n), from 0 to 1."""
    return judge(image, threshold, "expected errors", lambda _: 1.0)


def judge(image: ImageScores, threshold: float, what: str, weight: Callable[[int], float]) -> Doubt:
    """The same where an error counts as much as its class weighs; ``what`` names the number in the reason."""
    # A model of many labels gives each class a score: there, faint ones all over are an answer.
    boxes = not (image.exclusive or image.multi_label)
    if not image.scores or (boxes and all(item.score < LEAST for item in image.scores)):
        return Doubt(ask=True, urgency=1.0, reason="nothing found")
    errors = _errors(image, weight)
    urgency, reason = errors / (1.0 + errors), f"{what} {errors:.2f}"
    if errors > threshold:
        return Doubt(ask=True, urgency=urgency, reason=f"{reason} above {threshold:g}")
    return Doubt(ask=False, urgency=urgency, reason=reason)


def _errors(image: ImageScores, weight: Callable[[int], float]) -> float:
    if image.exclusive:
        best, *others = sorted(image.scores, key=lambda item: (-item.score, item.class_id))
        # Some models name their best classes only: what is left belongs to none of these.
        rest = max(0.0, 1.0 - best.score - sum(item.score for item in others))
        return rest + sum(item.score * weight(item.class_id) for item in others)
    return sum(
        min(item.score, 1.0 - item.score) * weight(item.class_id)
        for item in image.scores
        if item.score >= LEAST
    )
