"""An unattended pipeline on paper: batches that come in, a gate of one's own, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.loop.core.records.trials import Finding, Trial
from include.loop.trials.next_trial import choices
from include.loop.trials.standing import Past, State, stand

HOUR = timedelta(hours=1)
Gate = Callable[[Collection[str]], Finding]


def names(count: int) -> list[str]:
    return [f"2026-11-{day:02}" for day in range(1, count + 1)]


@dataclass
class Paper:
    """``gate`` judges a set of new batches; what passes is learned, and makes the next champion. Where it
    does harm, the gate names those ``nameable`` whose labels could not be learned.
    """

    gate: Gate
    most: int = 3
    nameable: frozenset[str] = frozenset()
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    batches: list[str] = field(default_factory=list)
    learned: set[str] = field(default_factory=set)
    trials: list[Trial] = field(default_factory=list)
    champions: int = 1
    discarded: set[str] = field(default_factory=set)
    released: dict[str, datetime] = field(default_factory=dict)

    @property
    def past(self) -> Past:
        left = [batch for batch in self.batches if batch not in self.learned]
        return Past(
            f"champion-{self.champions}", left, self.trials, frozenset(self.discarded), dict(self.released)
        )

    def day(self, *came_in: str) -> list[tuple[str, tuple[str, ...], str]]:
        """All rounds of one day: kind, batches and outcome of each."""
        self.batches += came_in
        began, told = self.now, []
        while choice := next(choices(self.past, self.now, self.most), None):
            assert frozenset(choice.batches) not in self.past.tried, "once with one champion"
            self.now += timedelta(minutes=20)
            outcome, job = self.gate(choice.batches), f"job-{len(self.trials)}"
            blamed = tuple(sorted(self.nameable & {*choice.batches})) if outcome is Finding.HARM else ()
            champion, at = f"champion-{self.champions}", self.now
            self.trials.append(
                Trial(
                    training_job=job,
                    champion=champion,
                    shards=choice.batches,
                    outcome=outcome,
                    at=at,
                    kind=choice.kind,
                    blamed=blamed,
                )
            )
            if outcome is Finding.PROMOTE:
                self.learned |= {*choice.batches}
                self.champions += 1
            told.append((str(choice.kind), choice.batches, str(outcome)))
            assert len(told) < 50
        self.now = max(self.now, began + 24 * HOUR)
        return told

    def days(self, arrivals: Sequence[Sequence[str]], more: int = 0) -> None:
        for came_in in (*arrivals, *([()] * more)):
            self.day(*came_in)

    @property
    def states(self) -> dict[str, State]:
        return {batch: item.state for batch, item in stand(self.past).items()}

    def reason(self, batch: str) -> str:
        return stand(self.past)[batch].reason


def harmful(*bad: str) -> Gate:
    """A gate under which these batches do harm, with whatever else, and all others are good."""
    return lambda batches: Finding.HARM if {*bad} & {*batches} else Finding.PROMOTE
