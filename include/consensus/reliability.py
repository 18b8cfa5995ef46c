"""Boxes from several workers' answers, and whom to believe: how often each worker misses, invents, misnames
and misplaces, estimated from the answers alone.

An expectation maximisation after Dawid and Skene, for things that may not be there. Boxes of different
workers that overlap by half are one candidate, whatever their labels. Given the rates of the workers, a
candidate is a thing of some class with a certain probability: those who drew it found it, those who did not
missed it; or those who drew it invented it. Given these probabilities, the rates are counted, and so in turn
until nothing moves.

Few answers say little about people, so every rate is drawn towards the worker's own over all classes, that
towards everybody's, and that towards what is usual. There one of two who drew a box is an even chance, as it
is for ``doubt.py``, and two of three are believed. Where nobody looked twice nothing is learned. The order
of workers and boxes does not matter, and that of images by the rounding of sums alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from include.consensus.boxes import B, Floats
from include.consensus.places import Places
from include.consensus.votes import Votes

MOST_ROUNDS = 50
STILL = 1e-5  # the largest change of a probability that is none

# What is usual of a worker before anybody has answered, and how many things that and each wider estimate
# count as against the narrower one.
FOUND = 0.9
RIGHT = 0.95
USUAL = 20.0
SHRINK = 10.0
# How much rarer it is that two invent the same thing than that each invents something. People are misled by
# the same shadow; yet were it no rarer, that all boxes are invented would be as good an explanation as any.
SHARED_INVENTION = 0.2
DOUBT = 0.3  # a thing is open when it is as probable as this, and as improbable


@dataclass(frozen=True)
class Rates:
    """How a worker answers, who answered so many ``images`` with so many ``boxes``: the shares that are
    ``found`` of the things there are, and of the found ones that have the ``right`` class (by class too); the
    share of boxes that are ``extra``, of nothing; and the ``spread`` of a side, as a share of the box's size.
    ``judged`` is what this rests on: the things that others found on images with three answers or more.
    """

    images: int
    boxes: int
    judged: float
    found: float
    extra: float
    right: float
    spread: float
    found_of: Mapping[str, float]
    right_of: Mapping[str, float]


@dataclass(frozen=True)
class Candidate(Generic[B]):
    """A thing that somebody drew: the probability that it is ``there``, the most probable ``label`` and how
    probable that is if it is there (of what it is by how frequent the classes are, and by the answers alone,
    the less), and its place in pixels, not rounded. ``drawn`` has the workers' boxes.
    """

    drawn: Mapping[str, B]
    there: float
    label: str
    right: float
    left: float
    top: float
    width: float
    height: float

    @property
    def probability(self) -> float:
        """That it is there, and of this class."""
        return self.there * self.right

    @property
    def is_sure(self) -> bool:
        """Whether it may be taken for true that it is there, and of this class."""
        return self.probability >= 1 - DOUBT

    @property
    def is_open(self) -> bool:
        """Whether it is in doubt that it is there, or as what."""
        return self.there > DOUBT and not self.is_sure


@dataclass(frozen=True)
class Reliability(Generic[B]):
    """What the answers come to: the candidates of each image, and the rates of each worker."""

    images: Sequence[Sequence[Candidate[B]]]
    workers: Mapping[str, Rates]


def estimate(images: Sequence[Mapping[str, Sequence[B]]], classes: int) -> Reliability[B]:
    """What is on each image by the answers (worker → boxes, none of them twice; a model may be a worker), of
    so many ``classes``. TooManyPairs as ``group_boxes`` says.
    """
    votes = Votes(images, classes)
    guess = _Guess.usual(votes)
    belief = _believe(votes, guess)
    for _ in range(MOST_ROUNDS):
        guess = guess.after(votes, belief)
        before, belief = belief, _believe(votes, guess)
        if not belief.size or np.abs(belief - before).max() < STILL:
            break
    return _told(votes, guess, belief)


@dataclass(frozen=True)
class _Guess:
    """The rates: of W workers and K labels ``found`` and ``right`` (W x K), and the share of boxes that are
    ``extra`` (W); and the ``share`` of each label among the things (K).
    """

    found: Floats
    right: Floats
    extra: Floats
    share: Floats

    @classmethod
    def usual(cls, votes: Votes[B]) -> _Guess:
        shape = len(votes.names), len(votes.labels)
        extra = np.full(shape[0], FOUND * (1 - FOUND))
        share = np.full(shape[1], 1 / max(shape[1], 1))
        return cls(np.full(shape, FOUND), np.full(shape, RIGHT), extra, share)

    def after(self, votes: Votes[B], belief: Floats) -> _Guess:
        """The rates by what is believed of each row. A worker is judged by others: of what only this one
        drew, nothing but the worker's own word says that it was found. Of two it cannot be told which of
        them named a thing wrongly, nor whether one missed it or the other invented it; that takes three.
        """
        workers = len(votes.names)
        weight = belief[votes.row] * (votes.others > 0)
        hits, of = votes.counted(weight * votes.drew), votes.counted(weight)
        found, usual = _shrunk(hits, of, FOUND), _everybody(hits, of, FOUND)
        weight = belief[votes.row] * (votes.others > 1) * votes.drew
        right = _shrunk(votes.counted(weight * votes.same), votes.counted(weight), RIGHT)
        there = votes.is_there(belief)
        invented = np.bincount(votes.box_worker, (votes.judged * (1 - there))[votes.box_group], workers)
        boxes = np.bincount(votes.box_worker, votes.judged[votes.box_group] * 1.0, workers)
        # As many are usually invented as missed, so that one of two who drew something is an even chance.
        everybody = _everybody(invented, boxes, usual * (1 - usual))
        extra = (invented + SHRINK * everybody) / (boxes + SHRINK)
        share = np.bincount(votes.row_label, belief, len(votes.labels)) + 1
        return _Guess(found, right, extra, share / share.sum())


def _believe(votes: Votes[B], guess: _Guess) -> Floats:
    """For each row the probability that the thing is there and of this class."""
    rows = len(votes.row_group)
    found, right = guess.found[votes.worker, votes.label], guess.right[votes.worker, votes.label]
    wrong = (1 - right) / max(votes.classes - 1, 1)
    named = np.where(votes.drew, np.log(np.where(votes.same, right, wrong)), 0.0)
    looked = np.log(np.where(votes.drew, found, 1 - found))
    name = np.bincount(votes.row, named, rows) + np.log(guess.share[votes.row_label])
    there = name + np.bincount(votes.row, looked, rows)
    invented = np.bincount(votes.box_group, np.log(guess.extra)[votes.box_worker], len(votes.groups))
    drawn = np.bincount(votes.box_group, minlength=len(votes.groups))
    invented = invented + (drawn - 1) * np.log(SHARED_INVENTION)
    # What misleads people looks like something to them, so that a shared name is no proof of a thing.
    nothing = name + invented[votes.row_group]
    top = np.maximum.reduceat(np.maximum(there, nothing), votes.starts)[votes.row_group]
    there, nothing = np.exp(there - top), np.exp(nothing - top)
    return np.asarray(there / np.add.reduceat(there + nothing, votes.starts)[votes.row_group])


def _shrunk(hits: Floats, of: Floats, usual: float) -> Floats:
    """``hits`` of so many (W x K) as rates: of each worker and label, drawn towards the worker's of all
    labels, that towards everybody's, and that towards the usual.
    """
    everybody = _everybody(hits, of, usual)
    worker = (hits.sum(axis=1) + SHRINK * everybody) / (of.sum(axis=1) + SHRINK)
    return np.asarray((hits + SHRINK * worker[:, None]) / (of + SHRINK))


def _everybody(hits: NDArray[Any], of: NDArray[Any], usual: float) -> float:
    return float((hits.sum() + USUAL * usual) / (of.sum() + USUAL))


def _told(votes: Votes[B], guess: _Guess, belief: Floats) -> Reliability[B]:
    there = votes.is_there(belief)
    # How frequent a class is outvotes nobody who drew the thing: what is rare is what people are asked for.
    alike = np.full(len(votes.labels), 1 / max(len(votes.labels), 1))
    plain = _believe(votes, replace(guess, share=alike))
    named = np.minimum(_named(votes, belief), _named(votes, plain))
    places = Places(votes.boxes, votes.box_group, votes.box_worker)
    sides, spread = places.locate(there, len(votes.names))
    found: list[list[Candidate[B]]] = [[] for _ in votes.images]
    ends = np.append(votes.starts[1:], len(belief))
    for place, (group, image) in enumerate(zip(votes.groups, votes.image, strict=True)):
        rows = slice(votes.starts[place], ends[place])
        best = int(np.argmax(belief[rows]))
        left, top, right, bottom = sides[place].tolist()
        found[image].append(
            Candidate(
                drawn={votes.names[worker]: box for worker, box in group},
                there=float(there[place]),
                label=votes.labels[votes.row_label[rows][best]],
                right=float(named[rows][best]),
                left=left,
                top=top,
                width=right - left,
                height=bottom - top,
            )
        )
    return Reliability(found, _rates(votes, guess, belief, spread))


def _named(votes: Votes[B], belief: Floats) -> Floats:
    """For each row the probability of its class, if the thing is there."""
    there = votes.is_there(belief)[votes.row_group]
    return np.divide(belief, there, out=np.zeros_like(belief), where=there > 0)


def _rates(votes: Votes[B], guess: _Guess, belief: Floats, spread: Floats) -> dict[str, Rates]:
    weight = np.bincount(votes.row_label, belief, len(votes.labels))
    boxes = np.bincount(votes.box_worker, minlength=len(votes.names))
    total = max(float(weight.sum()), 1e-9)
    judged = belief[votes.row] * (votes.others > 0) * votes.judged[votes.row_group[votes.row]]
    judged = votes.counted(judged).sum(axis=1)
    return {
        name: Rates(
            images=votes.answered[place],
            boxes=int(boxes[place]),
            judged=float(judged[place]),
            found=float(guess.found[place] @ weight / total),
            extra=float(guess.extra[place]),
            right=float(guess.right[place] @ weight / total),
            spread=float(spread[place]),
            found_of=dict(zip(votes.labels, guess.found[place].tolist(), strict=True)),
            right_of=dict(zip(votes.labels, guess.right[place].tolist(), strict=True)),
        )
        for place, name in enumerate(votes.names)
    }
