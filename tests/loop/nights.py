"""An unattended pipeline on paper: nights that come in, a gate of one's own, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.loop.trials.next_trial import choices
from include.loop.trials.standing import Past, State, stand
from include.loop.trials.weigh import Outcome, Trial

HOUR = timedelta(hours=1)
Gate = Callable[[Collection[str]], Outcome]


def names(count: int) -> list[str]:
    return [f"2026-11-{day:02}" for day in range(1, count + 1)]


@dataclass
class Paper:
    """``gate`` judges a set of new nights; what passes is learned, and makes the next champion. Where it does
    harm, the gate names those ``nameable`` whose labels could not be learned.
    """

    gate: Gate
    most: int = 3
    nameable: frozenset[str] = frozenset()
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    nights: list[str] = field(default_factory=list)
    learned: set[str] = field(default_factory=set)
    trials: list[Trial] = field(default_factory=list)
    champions: int = 1
    discarded: set[str] = field(default_factory=set)
    released: dict[str, datetime] = field(default_factory=dict)

    @property
    def past(self) -> Past:
        left = [night for night in self.nights if night not in self.learned]
        return Past(
            f"champion-{self.champions}", left, self.trials, frozenset(self.discarded), dict(self.released)
        )

    def day(self, *came_in: str) -> list[tuple[str, tuple[str, ...], str]]:
        """All rounds of one day: kind, nights and outcome of each."""
        self.nights += came_in
        began, told = self.now, []
        while choice := next(choices(self.past, self.now, self.most), None):
            assert frozenset(choice.nights) not in self.past.tried, "once with one champion"
            self.now += timedelta(minutes=20)
            outcome, job = self.gate(choice.nights), f"job-{len(self.trials)}"
            blamed = tuple(sorted(self.nameable & {*choice.nights})) if outcome is Outcome.HARM else ()
            champion, at = f"champion-{self.champions}", self.now
            self.trials.append(Trial(job, champion, choice.nights, outcome, at, choice.kind, blamed))
            if outcome is Outcome.PROMOTE:
                self.learned |= {*choice.nights}
                self.champions += 1
            told.append((str(choice.kind), choice.nights, str(outcome)))
            assert len(told) < 50
        self.now = max(self.now, began + 24 * HOUR)
        return told

    def days(self, batches: Sequence[Sequence[str]], more: int = 0) -> None:
        for came_in in (*batches, *([()] * more)):
            self.day(*came_in)

    @property
    def states(self) -> dict[str, State]:
        return {night: item.state for night, item in stand(self.past).items()}

    def reason(self, night: str) -> str:
        return stand(self.past)[night].reason


def harmful(*bad: str) -> Gate:
    """A gate under which these nights do harm, with whatever else, and all others are good."""
    return lambda nights: Outcome.HARM if {*bad} & {*nights} else Outcome.PROMOTE
