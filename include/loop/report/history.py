"""All rounds of a pipeline, and what they have cost.

Takes the facts of the rounds, gives them in order, with people's time and money per point of mAP gained. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.loop.config import DATASET_SLICES
from include.loop.report.facts import Facts, Outcome
from include.loop.report.nights import Night

# Less than this is no gain to divide by: it would make a price out of noise.
LEAST_GAIN = 0.001


@dataclass(frozen=True)
class Effort:
    """What people gave for a round. The prices are per point (0.01) of mAP@0.5, None without a gain."""

    questions: int
    answers: int
    labels: int
    seconds: float
    expected: float  # seconds, as triage planned them
    dollars: float
    seconds_per_point: float | None = None
    dollars_per_point: float | None = None


@dataclass(frozen=True)
class Total:
    """The same over all rounds, nights that several rounds learned from counted once."""

    rounds: int
    promoted: int
    nights: int
    effort: Effort


def nights(rounds: Iterable[Facts]) -> list[tuple[Night, list[Facts]]]:
    """Every night once, with the rounds that have learned from it: a rejected round's nights come again."""
    learners: dict[str, list[Facts]] = {}
    found: dict[str, Night] = {}
    for facts in rounds:
        for night in facts.nights:
            found[night.batch] = night
            learners.setdefault(night.batch, []).append(facts)
    return [(found[batch], learners[batch]) for batch in sorted(found)]


def order(rounds: Iterable[Facts]) -> list[Facts]:
    """By the newest night they learned from, then by when they were judged; the first model comes first."""
    return sorted(rounds, key=age)


def age(facts: Facts) -> tuple[str, str, str]:
    newest = facts.nights[-1].batch if facts.nights else ""
    return newest, facts.judged_at, facts.training_job


def slices(rounds: Iterable[Facts]) -> list[str]:
    """The slices that can be followed from round to round: test sets first, and not ``newest``, which has
    other images every time.
    """
    names = dict.fromkeys(item.name for facts in rounds for item in facts.slices if item.name != "newest")
    return sorted(names, key=lambda name: name in DATASET_SLICES)


def effort(facts: Facts) -> Effort:
    """What the nights of a round took, and what a point of mAP was worth."""
    return _effort(facts.nights, facts.gain or 0.0)


def total(rounds: Iterable[Facts]) -> Total:
    """What all nights took together, against what all promoted models gained."""
    told = list(rounds)
    paid = [night for night, _ in nights(told)]
    promoted = [facts for facts in told if facts.outcome is Outcome.PROMOTED]
    gain = sum(facts.gain or 0.0 for facts in promoted)
    return Total(len(told), len(promoted), len(paid), _effort(paid, gain))


def _effort(paid: Sequence[Night], gain: float) -> Effort:
    seconds = sum(night.reviewer_seconds for night in paid)
    dollars = sum(night.dollars for night in paid)
    points = 100 * gain if gain >= LEAST_GAIN and seconds else None
    return Effort(
        questions=sum(night.asked for night in paid),
        answers=sum(night.answers for night in paid),
        labels=sum(night.labels for night in paid),
        seconds=seconds,
        expected=sum(night.expected_seconds for night in paid),
        dollars=dollars,
        seconds_per_point=seconds / points if points else None,
        dollars_per_point=dollars / points if points else None,
    )
