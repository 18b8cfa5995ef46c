"""From scores and what was right to maps from a score to the share that is right.

Takes the answers of a model (score, class, right or wrong, image) on labels that it has not learned, gives a
``ScoreMap`` for all of them and one for each class that has enough, and what the maps are worth: each image
measured by maps that have not seen it. Pure.

The map is Platt's, on the logarithm of the odds of a score: two numbers, which some dozen answers can tell,
and a curve that rises. Each fit is drawn to what is known before it, all answers to the scores as they are, a
class to all answers, by so much as a normal distribution around that allows: a class of ten answers has
nearly the map of all, one of a thousand its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.loop.core.records.calibration import EDGE, ScoreMap, WorkingPoint

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FOLDS = 5
# So many right and so many wrong answers are needed to tell anything, and by a class of its own.
ENOUGH = 5
IDENTITY = ScoreMap()
# How far a fit may lie from what was known before it: standard deviations of slope and offset.
_AROUND_IDENTITY = (0.5, 2.0)
_AROUND_POOLED = (0.25, 0.75)
_LEAST_SLOPE = 0.05  # scores that say nothing, or the contrary: still a map that rises
_STEPS = 50


@dataclass(frozen=True)
class Answers:
    """D answers: their scores, whether each is right, its class (an index) and the fold of its image."""

    score: Floats
    right: Bools
    class_id: Ints
    fold: Ints

    def of(self, which: Bools) -> Answers:
        return Answers(self.score[which], self.right[which], self.class_id[which], self.fold[which])

    def enough(self) -> bool:
        return min(int(self.right.sum()), int((~self.right).sum())) >= ENOUGH


@dataclass(frozen=True)
class Maps:
    """The map of all answers, and by class (an index) those of the classes that have one of their own."""

    pooled: ScoreMap = IDENTITY
    classes: tuple[tuple[int, ScoreMap], ...] = ()

    def calibrated(self, answers: Answers) -> Floats:
        """The share of such answers that is right, one for each."""
        own = dict(self.classes)
        found = calibrated(answers.score, self.pooled)
        for index in np.unique(answers.class_id):
            if int(index) in own:
                these = answers.class_id == index
                found[these] = calibrated(answers.score[these], own[int(index)])
        return found


@dataclass(frozen=True)
class Wish:
    """What a working point is to have: at least this precision, or this recall; else the best F1."""

    precision: float | None = None
    recall: float | None = None

    @property
    def told(self) -> str:
        if self.precision is not None:
            return f"precision of {self.precision:g} or more"
        return "best F1" if self.recall is None else f"recall of {self.recall:g} or more"


def fit(answers: Answers) -> Maps:
    """The maps of all answers; of few they are near to those that change nothing."""
    pooled = fit_one(answers, IDENTITY, _AROUND_IDENTITY)
    classes = []
    for index in np.unique(answers.class_id):
        own = answers.of(answers.class_id == index)
        if own.enough() and len(own.score) < len(answers.score):
            classes.append((int(index), fit_one(own, pooled, _AROUND_POOLED)))
    return Maps(pooled, tuple(classes))


def across_folds(answers: Answers) -> Floats:
    """What maps that have not seen an answer's image make of its score, one for each answer."""
    found = answers.score.copy()
    for fold in range(FOLDS):
        own = answers.fold == fold
        found[own] = fit(answers.of(~own)).calibrated(answers.of(own))
    return found


def working_point(score: Floats, right: Bools, objects: int, wish: Wish) -> WorkingPoint | None:
    """The score from which answers are to count so that the wish comes true; of several with the precision
    that is wanted the one of the largest recall, with the recall that of the largest precision, else the
    highest. ``objects`` is how many there are to be found. None where the wish cannot come true.
    """
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-1.0))  # of equal scores all count
    hits, said = np.cumsum(right[order])[last], last + 1
    if not objects or not hits.size or not hits[-1]:
        return None
    precision, recall = hits / said, hits / objects
    worth = 2 * hits / (said + objects)  # F1
    if wish.precision is not None:
        worth = np.where(precision >= wish.precision, recall, -1.0)
    elif wish.recall is not None:
        worth = np.where(recall >= wish.recall, precision, -1.0)
    best = int(np.argmax(worth))
    if worth[best] < 0:
        return None
    # Rounded down, so that the answer that it was taken from counts.
    least = math.floor(float(score[order][last[best]]) * 1e5) / 1e5
    return WorkingPoint(
        score=least,
        precision=round(float(precision[best]), 5),
        recall=round(float(recall[best]), 5),
    )


def log_loss(share: Floats, right: Bools) -> float:
    """How surprising what happened is to who believes these shares, in the mean; less is better."""
    said = np.clip(np.where(right, share, 1 - share), EDGE, 1)
    return float(-np.log(said).mean())


def calibrated(score: Floats, by: ScoreMap) -> Floats:
    """``ScoreMap.calibrated`` of many scores at once."""
    return _share_of(by.slope * _log_odds(score) + by.offset)


def fit_one(answers: Answers, before: ScoreMap, around: Sequence[float]) -> ScoreMap:
    """The map of the greatest posterior density, by Newton's method: logistic regression on the logarithm of
    the odds, with a normal prior of the standard deviations ``around`` slope and offset of ``before``.
    """
    x = np.column_stack([_log_odds(answers.score), np.ones(len(answers.score))])
    known, tight = np.array([before.slope, before.offset]), 1 / np.square(around)
    found = _climb(x, answers.right, known, tight, known.copy(), np.array([True, True]))
    if found[0] < _LEAST_SLOPE:
        start = np.array([_LEAST_SLOPE, known[1]])
        found = _climb(x, answers.right, known, tight, start, np.array([False, True]))
    return ScoreMap(slope=round(float(found[0]), 5), offset=round(float(found[1]), 5))


def _climb(x: Floats, right: Bools, known: Floats, tight: Floats, start: Floats, free: Bools) -> Floats:
    """From ``start`` to the top, which is the only one; only what is ``free`` moves."""

    def height(at: Floats) -> float:
        odds = x @ at
        likely = -np.logaddexp(0, np.where(right, -odds, odds)).sum()
        return float(likely - 0.5 * (tight * np.square(at - known)).sum())

    at, high = start, height(start)
    for _ in range(_STEPS):
        share = _share_of(x @ at)
        slope = x.T @ (right - share) - tight * (at - known)
        bend = (x * (share * (1 - share))[:, None]).T @ x + np.diag(tight)
        step = np.zeros(len(at))
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        # A whole step may go beyond the top, where odds are large.
        while (higher := height(at + step)) < high and np.abs(step).max() > EDGE:
            step /= 2
        if higher <= high:
            return at
        at, high = at + step, higher
        if np.abs(step).max() < EDGE:
            return at
    return at


def _log_odds(score: Floats) -> Floats:
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _share_of(log_odds: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))
