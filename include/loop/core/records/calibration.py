"""What a model's scores are worth: the maps from a score to the share of such answers that is right, and the
score from which to work. A part of metrics.json, so that a model package leads to it.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from include.loop.core.records.base import Part

# A score of 0 or 1 has no logarithm of its odds: it is taken for one so near to it.
EDGE = 1e-6

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)] | None


class ScoreMap(Part):
    """The share p of answers with score s that is right: logit(p) = slope · logit(s) + offset. It rises, and
    so never changes which of two answers is the surer one; the map of slope 1 and offset 0 changes nothing.
    """

    slope: Finite = Field(default=1.0, gt=0)
    offset: Finite = 0.0

    def calibrated(self, score: float) -> float:
        """The share, 0 to 1, of answers with this score that is right."""
        if self == ScoreMap():
            return score
        return share_of(self.slope * log_odds(score) + self.offset)

    def raw(self, share: float) -> float:
        """The score whose answers are right in this share."""
        return share_of((log_odds(share) - self.offset) / self.slope)


class WorkingPoint(Part):
    """The calibrated score from which answers are to count, and what precision and recall are there, on the
    images that the maps were fitted on. ``raw`` has by class the score, as an endpoint answers it, that is
    the same.
    """

    score: Annotated[float, Field(ge=0, le=1)]
    precision: Share = None
    recall: Share = None
    raw: dict[str, Finite] = Field(default={})


class CalibratedSlice(Part):
    """A set of labelled images that nothing was fitted on: how far calibrated scores are from the share that
    is right (calibration error), and recall and precision at the working point.
    """

    error: Share = None
    precision: Share = None
    recall: Share = None


class Calibration(Part):
    """How a model's scores are to be read: by ``classes``, where a class has enough answers to tell, else by
    the ``pooled`` map. ``images`` of these ``slices``, with so many ``answers``, were fitted on; ``before``
    and ``after`` are the calibration error there, each image by maps that have not seen it. ``why_not`` says
    why scores stay as they are; empty where they are changed. The ``working_point`` is the one that was
    ``asked`` for; None where no score gives that.
    """

    pooled: ScoreMap = ScoreMap()
    classes: dict[str, ScoreMap] = Field(default={})
    slices: tuple[str, ...] = ()
    images: int = 0
    answers: int = 0
    before: Share = None
    after: Share = None
    why_not: str = ""
    asked: str = ""
    working_point: WorkingPoint | None = None
    measured: dict[str, CalibratedSlice] = Field(default={})

    def map_of(self, name: str) -> ScoreMap:
        """The map of the class of this name."""
        return self.classes.get(name, self.pooled)


def log_odds(share: float) -> float:
    inside = min(max(share, EDGE), 1 - EDGE)
    return math.log(inside / (1 - inside))


def share_of(log_odds: float) -> float:
    """The share with these odds; no odds are too large."""
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))
