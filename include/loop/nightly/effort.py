"""How long people take over an image, learned from their answers.

Takes the sums that every committed batch keeps of its answers' times (``AnswerTimes``), gives an
``Estimate``: so many seconds for an image and so many more for each object that the model has shown on it, by
least squares over the last batches. An answer counts for no more than the question's time limit, and one that
came sooner than a person can look (of a script, or of simulated reviewers) does not count. Until there are
enough answers, and while no model shows anything, ``review.seconds_per_image`` stands. Pure but for
``read_estimate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.loop.config import ReviewSettings
from include.loop.core.records.nightly import AnswerTimes
from include.loop.trials.shards import committed_shards
from include.loop.workspace import Workspace

LEAST_SECONDS = 1.0
LEAST_ANSWERS = 30  # before that a few slow or quick images would decide
BATCHES = 10  # the last ones: people become quicker, and models better
LEAST_BATCHES = 3  # of which the spread between them can be told
NINE_OF_TEN = 1.645  # standard deviations of a normal distribution


@dataclass(frozen=True)
class Estimate:
    """Seconds of one answer: ``fixed``, and ``each`` object that is shown. Learned from so many ``answers``
    (0: from the settings); ``usual`` is the mean, for an image of which nobody knows what will be shown.
    Standard deviations in seconds: ``noise`` of one answer around it, ``drift`` of a batch's mean around it.
    0: unknown.
    """

    usual: float
    fixed: float
    each: float = 0.0
    answers: int = 0
    noise: float = 0.0
    drift: float = 0.0

    @classmethod
    def of(cls, review: ReviewSettings) -> Estimate:
        """What the settings say."""
        return cls(review.seconds_per_image, review.seconds_per_image)

    def seconds(self, shown: int | None) -> float:
        """Of one answer about an image on which so many objects are shown."""
        return self.usual if shown is None else self.fixed + self.each * shown

    def spread(self, seconds: float, answers: int) -> float | None:
        """The share of these seconds, of so many answers together, by which they come to more or less nine
        times of ten; None while too little is known.
        """
        if not (self.drift and seconds):
            return None
        return NINE_OF_TEN * math.hypot(self.noise * math.sqrt(answers), self.drift * answers) / seconds


def times_of(pairs: Iterable[tuple[int, float]]) -> AnswerTimes:
    """The sums over answers, each with the objects shown and its seconds, that a person can have given."""
    known = [(x, y) for x, y in pairs if y >= LEAST_SECONDS]
    return AnswerTimes(
        answers=len(known),
        x=sum(x for x, _ in known),
        y=round(sum(y for _, y in known), 3),
        xx=sum(x * x for x, _ in known),
        xy=round(sum(x * y for x, y in known), 3),
        yy=round(sum(y * y for _, y in known), 3),
    )


def learn(batches: Sequence[AnswerTimes]) -> Estimate | None:
    """From the answers of these batches; None when there are too few."""
    told = [batch for batch in batches if batch.answers]
    n = sum(batch.answers for batch in told)
    if n < LEAST_ANSWERS:
        return None
    x, y, xx, xy, yy = (sum(getattr(batch, name) for batch in told) for name in ("x", "y", "xx", "xy", "yy"))
    varies = xx - x * x / n
    # More to check never takes less: a slope below zero is chance. So is an image that takes less than any
    # answer that counts: one that cost nothing would be asked about when the budget is spent.
    each = max(0.0, (xy - x * y / n) / varies) if varies > 1e-9 else 0.0
    fixed = (y - each * x) / n
    if fixed < LEAST_SECONDS:
        fixed, each = LEAST_SECONDS, max(0.0, (xy - LEAST_SECONDS * x) / xx)
    left = yy - 2 * fixed * y - 2 * each * xy + n * fixed**2 + 2 * fixed * each * x + each**2 * xx
    off = [(batch.y - fixed * batch.answers - each * batch.x) / batch.answers for batch in told]
    drift = math.sqrt(sum(one**2 for one in off) / (len(off) - 1)) if len(off) >= LEAST_BATCHES else 0.0
    return Estimate(y / n, fixed, each, n, math.sqrt(max(0.0, left) / n), drift)


def read_estimate(workspace: Workspace) -> Estimate:
    """From the last committed batches that have answers, or what the settings say."""
    times = [summary.times for _, summary in committed_shards(workspace.storage)]
    found = learn([one for one in times if one.answers][-BATCHES:])
    return found or Estimate.of(workspace.pipeline.review)
