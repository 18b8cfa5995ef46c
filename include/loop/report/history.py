"""All rounds of a pipeline, and what they have cost.

Takes the facts of the rounds, gives them in order, with people's time and money per point gained. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.loop.config import DATASET_SLICES
from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import Facts, RoundOutcome

# Less than this is no gain to divide by: it would make a price out of noise.
LEAST_GAIN = 0.001


@dataclass(frozen=True)
class Effort:
    """What people gave for a round. The prices are per point (0.01) of the score, None without a gain."""

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
    """The same over all rounds, batches that several rounds learned from counted once."""

    rounds: int
    promoted: int
    batches: int
    effort: Effort


def batches(rounds: Iterable[Facts]) -> list[tuple[BatchFacts, list[Facts]]]:
    """Every batch once, with the rounds that have learned from it: a rejected round's batches come again."""
    learners: dict[str, list[Facts]] = {}
    found: dict[str, BatchFacts] = {}
    for facts in rounds:
        for batch in facts.batches:
            found[batch.batch] = batch
            learners.setdefault(batch.batch, []).append(facts)
    return [(found[batch], learners[batch]) for batch in sorted(found)]


def order(rounds: Iterable[Facts]) -> list[Facts]:
    """By the newest batch they learned from, then by when they were judged; the first model comes first."""
    return sorted(rounds, key=age)


def age(facts: Facts) -> tuple[str, str, str]:
    newest = facts.batches[-1].batch if facts.batches else ""
    return newest, facts.judged_at, facts.training_job


def slices(rounds: Iterable[Facts]) -> list[str]:
    """The slices that can be followed from round to round: test sets first, and not ``recent``, which has
    other images every time.
    """
    names = dict.fromkeys(item.name for facts in rounds for item in facts.slices if item.name != "recent")
    return sorted(names, key=lambda name: name in DATASET_SLICES)


def effort(facts: Facts) -> Effort:
    """What the batches of a round took, and what a point was worth."""
    return _effort(facts.batches, facts.gain or 0.0)


def alike(rounds: Iterable[Facts], metric: str) -> list[Facts]:
    """Those that were measured by this number; of a round that does not say it, it is."""
    return [facts for facts in rounds if facts.evaluation.metric in {"", metric}]


def total(rounds: Iterable[Facts], metric: str) -> Total:
    """What all batches took together, against what all promoted models gained of this number."""
    told = list(rounds)
    paid = [batch for batch, _ in batches(told)]
    promoted = [facts for facts in told if facts.outcome is RoundOutcome.PROMOTED]
    gain = sum(facts.gain or 0.0 for facts in alike(promoted, metric))
    return Total(len(told), len(promoted), len(paid), _effort(paid, gain))


def _effort(paid: Sequence[BatchFacts], gain: float) -> Effort:
    seconds = sum(batch.reviewer_seconds for batch in paid)
    dollars = sum(batch.dollars for batch in paid)
    points = 100 * gain if gain >= LEAST_GAIN and seconds else None
    return Effort(
        questions=sum(batch.asked for batch in paid),
        answers=sum(batch.answers for batch in paid),
        labels=sum(batch.labels for batch in paid),
        seconds=seconds,
        expected=sum(batch.expected_seconds for batch in paid),
        dollars=dollars,
        seconds_per_point=seconds / points if points else None,
        dollars_per_point=dollars / points if points else None,
    )
