"""The rules that decide whether a model's detections leave enough doubt to ask a person.

A rule takes the detections of one image (a list of scores is all it needs) and the pipeline's threshold, and
gives a ``Doubt``. To add one, write a function and name it in ``STRATEGIES``: a pipeline's
``triage.strategy`` picks it by that name. Pure functions; this module knows nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

AUDIT = "audit"  # the reason of an image that is asked about whatever the model says


@dataclass(frozen=True)
class Doubt:
    """``ask`` whether a person should look, ``urgency`` for the order under a cap (larger first), and why."""

    ask: bool
    urgency: float
    reason: str


Strategy = Callable[[Sequence[float], float], Doubt]


def least_confident(scores: Sequence[float], threshold: float) -> Doubt:
    """Ask when the best score of the image is below the threshold; an image without detections has best score
    0.
    """
    if not scores:
        return Doubt(ask=True, urgency=1.0, reason="no detection")
    top = max(scores)
    if top < threshold:
        return Doubt(ask=True, urgency=1.0 - top, reason=f"top score {top:.3f} below {threshold:g}")
    return Doubt(ask=False, urgency=1.0 - top, reason=f"top score {top:.3f}")


STRATEGIES: dict[str, Strategy] = {"least_confident": least_confident}
