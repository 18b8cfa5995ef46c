"""Whom a policy would have asked about in a stored night: from its predictions, as triage goes about it.

Takes a pinned batch with predictions, its audits, which are the same under every policy, and policies; gives
what each would have asked about beside the audits, and what it would have named if there were none. Of images
that nobody has looked at then it is taken that they can be asked about; no image is read, but where a
strategy compares pictures.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from include.loop.backtest.policies import Policy
from include.loop.core.records.nightly import Batch
from include.loop.core.records.parts import part_count
from include.loop.core.records.triage import Decision, Row, Weighed
from include.loop.nightly.choosing import LOOKS_LIKE, ask, weigh
from include.loop.nightly.cold_start import COMPARED, diverse_first
from include.loop.nightly.looks import Look
from include.loop.nightly.predictions import read_predictions
from include.loop.nightly.triage import show_of
from include.loop.nightly.turns import Candidate, Turns
from include.loop.strategies import find_strategy

Price = Callable[[Row], Row]


@dataclass
class _First:
    """The candidates of one strategy that come first; not more of them are held than may be looked at."""

    most: int
    _heap: list[tuple[float, int, Candidate]] = field(default_factory=list)
    _count: int = 0

    def add(self, value: float, candidate: Candidate) -> None:
        self._count += 1
        item = (-value, -self._count, candidate)
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def __iter__(self) -> Iterator[Candidate]:
        return (candidate for _, _, candidate in sorted(self._heap, key=lambda item: item[:2], reverse=True))


@dataclass(frozen=True)
class Room:
    """What is left for doubts beside a night's audits: images, and seconds (None: no limit)."""

    images: int
    seconds: float | None


@dataclass(frozen=True)
class Chosen:
    """Of one policy: the rows ``asked`` about beside the audits, and those ``named`` if no image were one."""

    asked: list[Row]
    named: list[Row]


def choose(
    pinned: Batch,
    policies: Sequence[Policy],
    room: Callable[[Policy], Room],
    looked_at: Iterable[Row],
    audits: Container[str],
    price: Price,
) -> list[Chosen]:
    """What each policy would have asked about. ``looked_at`` are the rows of which triage knew more, among
    them those of the images that are ``audits``.
    """
    first = [
        {name: _First(COMPARED * one.workspace.pipeline.triage.cap) for name in _shares(one)}
        for one in policies
    ]
    for part in range(part_count(pinned)):
        predictions = list(read_predictions(policies[0].workspace, pinned, part))
        for one, candidates in zip(policies, first, strict=True):
            settings = one.workspace.pipeline.triage.model_copy(update={"audit_share": 0.0})
            show = show_of(one.workspace, pinned, part, settings)
            for item in weigh(predictions, settings, show, one.workspace.pipeline.review.prelabel_threshold):
                for name, value, why in _named(item, next(iter(candidates))):
                    candidates[name].add(value, (item.row, why))
    known = {row.image: _look(row) for row in looked_at}

    def look(images: Iterable[tuple[str, str]]) -> Iterator[Look]:
        return (known.get(image, Look()) for image, _ in images)

    def rows(one: Policy, orders: Mapping[str, Iterable[Candidate]]) -> list[Row]:
        turns, left = Turns((), orders, _shares(one)), room(one)
        found = ask(turns, left.images, look, price, left.seconds, turns.give_back)
        return [row for row in found if row.decision is Decision.ASK]

    chosen = []
    for one, candidates in zip(policies, first, strict=True):
        orders = {name: list(_ordered(one, pinned, name, some)) for name, some in candidates.items()}
        others = {
            name: [item for item in some if item[0].image not in audits] for name, some in orders.items()
        }
        chosen.append(Chosen(rows(one, others), rows(one, orders)))
    return chosen


def _shares(one: Policy) -> dict[str, float]:
    return one.workspace.pipeline.triage.shares


def _named(item: Weighed, first: str) -> Iterator[tuple[str, float, str]]:
    """Which strategies name an image, how urgently (the smaller the sooner), and why."""
    if item.rank is not None:
        yield first, item.rank.value, item.why
    for name, (rank, why) in item.further.items():
        yield name, rank.value, why


def _ordered(one: Policy, pinned: Batch, name: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    if find_strategy(name).diverse:
        return diverse_first(one.workspace, pinned, candidates, one.workspace.pipeline.triage.cap)
    return iter(candidates)


def _look(row: Row) -> Look:
    """What triage found when it looked at an image, as far as it holds under any policy."""
    if row.decision is Decision.UNREADABLE:
        return Look(problem=row.reason)
    # Bytes that another batch has asked about; what only looks like an image of that night may come first.
    asked_before = row.decision is Decision.SKIP and not row.same_as and not row.reason.startswith(LOOKS_LIKE)
    return Look(row.sha256, row.width, row.height, known=row.reason if asked_before else None)
