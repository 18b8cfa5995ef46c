"""What a report tells of batches: each from images to labels, and how those stand that no champion has
learned.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from include.loop.core.records.base import Part
from include.loop.core.records.metrics import Mistake, Number
from include.loop.core.records.nightly import EndpointPrelabels


class ScoreHistogram(Part):
    """The best score of every predicted image of a batch (0 where nothing was found): counts in ten equal
    bins from 0 to 1, and quantiles (5, 25, 50, 75 and 95 %).
    """

    histogram: tuple[int, ...]
    quantiles: tuple[float, ...]

    @property
    def count(self) -> int:
        return sum(self.histogram)


class ShareFacts(Part):
    """What a strategy, or the audits, had of a batch's questions: images asked about, with an answer (usable
    or not) and with a label, and the seconds that asking was expected to take. Answers that come after the
    batch's deadline are not in it.
    """

    share: str
    asked: int
    answered: int = 0
    labels: int = 0
    expected_seconds: float = 0.0


class BatchFacts(Part):
    """Counts of images, except ``answers``; seconds and dollars are the reviewers'.

    ``answered`` are this batch's images with an answer, usable or not; ``late`` are labels that belong to
    questions of earlier batches, and are counted in ``labels``; ``disagreed`` are images about which there
    was no majority among the reviewers, and are counted in ``quarantined``. ``prelabels`` is what an endpoint
    said beforehand, where there was no champion and one is named. ``shares`` says for what people were asked,
    the most first; empty for batches of earlier versions.
    """

    batch: str
    champion: str | None = None
    backfill: bool = False
    images: int = 0
    predicted: int = 0
    asked: int = 0
    audits: int = 0
    answered: int = 0
    labels: int = 0
    late: int = 0
    negatives: int = 0
    answers: int = 0
    open: int = 0
    quarantined: int = 0
    disagreed: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    reviewer_seconds: float = 0.0
    expected_seconds: float = 0.0
    dollars: float = 0.0
    asked_at: str = ""
    committed_at: str = ""
    flow_definition: str = ""
    prelabels: EndpointPrelabels | None = None
    shares: tuple[ShareFacts, ...] = ()
    scores: ScoreHistogram | None = None


class Example(Part):
    """An image on which the models differ from each other, or from the labels of a batch (``slice``): its
    label as a manifest line has it, and where the models' outputs lie (None: no prediction on this image).
    """

    slice: str
    image: str
    champion_f1: float = 0.0
    challenger_f1: float = 0.0
    gain: float = 0.0
    label: dict[str, Any] = Field(default={})
    out: dict[str, str | None] = Field(default={})
    mistake: Mistake | None = None  # the challenger's


class CellFacts(Part):
    """The images of one true class that the challenger takes for one other: how many, and the surest."""

    true: str
    said: str
    count: int
    examples: tuple[Example, ...] = ()


class TrialFacts(Part):
    """A training in which a batch took part: ``others`` are the batches beside it, ``reasons`` the gate's."""

    training_job: str
    outcome: str
    at: str = ""
    others: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class SecondLabelFacts(Part):
    """How many images of a batch were asked about a second time, how many have a second label, how many of
    these agree with the first; ``overlap`` is the mean overlap of what is in both.
    """

    asked: int
    answered: int = 0
    agreed: int = 0
    overlap: Number = None


class StandingFacts(Part):
    """How a batch stands that no champion has learned from, and why: ``state`` and ``reason`` are the loop's
    own words; ``by`` and ``why`` those of who discarded it.
    """

    batch: str
    state: str
    reason: str = ""
    trials: tuple[TrialFacts, ...] = ()
    by: str = ""
    why: str = ""
    again: SecondLabelFacts | None = None
    examples: tuple[Example, ...] = ()
