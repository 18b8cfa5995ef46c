"""All rounds of a pipeline, and what they have cost.

Takes the facts of the rounds, gives them in order, with people's time and money per point of mAP gained. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.loop.report.facts import Facts, Outcome

# Less than this is no gain to divide by: it would make a price out of noise.
LEAST_GAIN = 0.001


@dataclass(frozen=True)
class Effort:
    """What people gave for a round. The prices are per point (0.01) of mAP@0.5, None without a gain."""

    questions: int
    answers: int
    labels: int
    seconds: float
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


def order(rounds: Iterable[Facts]) -> list[Facts]:
    """By the newest night they learned from, then by when they were judged; the first model comes first."""
    return sorted(rounds, key=age)


def age(facts: Facts) -> tuple[str, str, str]:
    newest = facts.nights[-1].batch if facts.nights else ""
    return newest, facts.judged_at, facts.training_job


def effort(facts: Facts) -> Effort:
    """What the nights of a round took, and what a point of mAP was worth."""
    seconds = sum(night.reviewer_seconds for night in facts.nights)
    dollars = sum(night.dollars for night in facts.nights)
    points = 100 * facts.gain if facts.gain is not None and facts.gain >= LEAST_GAIN else None
    return Effort(
        questions=sum(night.asked for night in facts.nights),
        answers=sum(night.answers for night in facts.nights),
        labels=sum(night.labels for night in facts.nights),
        seconds=seconds,
        dollars=dollars,
        seconds_per_point=seconds / points if points and seconds else None,
        dollars_per_point=dollars / points if points and seconds else None,
    )


def total(rounds: Iterable[Facts]) -> Total:
    """A rejected round's nights are learned from again by the next: they were paid for once."""
    told = list(rounds)
    nights = {night.batch: night for facts in told for night in facts.nights}.values()
    gains = [facts.gain for facts in told if facts.outcome is Outcome.PROMOTED and facts.gain is not None]
    points = 100 * sum(gains) if sum(gains) >= LEAST_GAIN else None
    seconds, dollars = sum(night.reviewer_seconds for night in nights), sum(night.dollars for night in nights)
    return Total(
        rounds=len(told),
        promoted=sum(facts.outcome is Outcome.PROMOTED for facts in told),
        nights=len(nights),
        effort=Effort(
            questions=sum(night.asked for night in nights),
            answers=sum(night.answers for night in nights),
            labels=sum(night.labels for night in nights),
            seconds=seconds,
            dollars=dollars,
            seconds_per_point=seconds / points if points and seconds else None,
            dollars_per_point=dollars / points if points and seconds else None,
        ),
    )
