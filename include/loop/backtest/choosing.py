"""Whom a policy would have asked about in a stored night: from its predictions, as triage goes about it.

Takes a pinned batch with predictions, its audits, which are the same under every policy, and policies; gives
what each would have asked about, and which of the audited images it would have asked about if they were none.
Of images that nobody has looked at then it is taken that they can be asked about; no image is read, but where
a strategy compares pictures.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from include.loop.backtest.policies import Policy
from include.loop.core.fingerprints import HASH_BYTES
from include.loop.core.records.nightly import Batch
from include.loop.core.records.parts import part_count
from include.loop.core.records.triage import Decision, Row, Weighed
from include.loop.nightly.budget import of_a_night
from include.loop.nightly.choosing import LOOKS_LIKE, ask, weigh
from include.loop.nightly.cold_start import COMPARED, diverse_first
from include.loop.nightly.looks import Look
from include.loop.nightly.predictions import Predicted, read_predictions
from include.loop.nightly.triage import show_of
from include.loop.nightly.turns import Candidate, Turns
from include.loop.strategies import AUDIT, find_strategy

AT_ONCE = 500  # predictions in memory: a detector says hundreds of boxes of an image

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
class Chosen:
    """Of one policy: the rows ``asked`` about, audits included; and the audited images that it ``names``: it
    would have asked about each of them if that one were no audit, all others being as they are.
    """

    asked: list[Row]
    names: frozenset[str]


def choose(
    pinned: Batch,
    policies: Sequence[Policy],
    looked_at: Iterable[Row],
    price: Price,
) -> list[Chosen]:
    """What each policy would have asked about. ``looked_at`` are the rows of which triage knew more, among
    them those of the audits.
    """
    first = [
        {name: _First(COMPARED * one.workspace.pipeline.triage.cap) for name in _shares(one)}
        for one in policies
    ]
    for part in range(part_count(pinned)):
        _collect(pinned, part, policies, first)
    looked_at = list(looked_at)
    audits = [row for row in looked_at if row.decision is Decision.ASK and row.reason == AUDIT]
    drawn = {row.image for row in audits}
    looks = {row.image: _look(row) for row in looked_at}

    def look(images: Iterable[tuple[str, str]]) -> Iterator[Look]:
        return (looks.get(image, Look()) for image, _ in images)

    chosen = []
    for one, candidates in zip(policies, first, strict=True):
        orders = {name: list(_ordered(one, pinned, name, some)) for name, some in candidates.items()}
        others = {
            name: [item for item in some if item[0].image not in drawn] for name, some in orders.items()
        }
        turns = Turns([(row, AUDIT) for row in audits], others, _shares(one))
        rows = ask(
            turns, one.workspace.pipeline.triage.cap, look, price, of_a_night(one.workspace), turns.give_back
        )
        asked = [row for row in rows if row.decision is Decision.ASK]
        seen = drawn.union(row.image for row in rows)
        named = (image for some in orders.values() for image in _before_the_rest(some, seen))
        chosen.append(Chosen(asked, frozenset(drawn.intersection(named))))
    return chosen


def _collect(
    pinned: Batch, part: int, policies: Sequence[Policy], first: Sequence[Mapping[str, _First]]
) -> None:
    """Put the candidates of a part to those of each policy."""
    by_policy = []
    for one, candidates in zip(policies, first, strict=True):
        settings = one.workspace.pipeline.triage.model_copy(update={"audit_share": 0.0})
        show = show_of(one.workspace, pinned, part, settings)
        by_policy.append((settings, show, one.workspace.pipeline.review.prelabel_threshold, candidates))
    predictions = read_predictions(policies[0].workspace, pinned, part)
    while some := list[Predicted](islice(predictions, AT_ONCE)):
        for settings, show, threshold, candidates in by_policy:
            for item in weigh(some, settings, show, threshold):
                for name, value, why in _named(item, next(iter(candidates))):
                    candidates[name].add(value, (item.row, why))


def _shares(one: Policy) -> dict[str, float]:
    return one.workspace.pipeline.triage.shares


def _named(item: Weighed, first: str) -> Iterator[tuple[str, float, str]]:
    """Which strategies name an image, how urgently (the smaller the sooner), and why."""
    if item.rank is not None:
        yield first, item.rank.value, item.why
    for name, (rank, why) in item.further.items():
        yield name, rank.value, why


def _ordered(one: Policy, pinned: Batch, name: str, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """As nightly/candidates.py has them, but that audits are among what a diverse strategy compares."""
    if find_strategy(name).diverse:
        cap = math.ceil(one.workspace.pipeline.triage.cap * _shares(one)[name])
        return diverse_first(one.workspace, pinned, candidates, cap)
    return iter(candidates)


def _before_the_rest(order: Iterable[Candidate], seen: set[str]) -> Iterator[str]:
    """The images of an order up to the first that nobody came to: an audit less leaves room for one more."""
    for row, _ in order:
        if row.image not in seen:
            return
        yield row.image


def _look(row: Row) -> Look:
    """What triage found when it looked at an image, as far as it holds under any policy."""
    if row.decision is Decision.UNREADABLE:
        return Look(problem=row.reason)
    resembled = row.reason.removeprefix(LOOKS_LIKE) if row.reason.startswith(LOOKS_LIKE) else None
    # Bytes that another batch has asked about.
    asked_before = row.decision is Decision.SKIP and not row.same_as and resembled is None
    return Look(
        row.sha256,
        row.width,
        row.height,
        known=row.reason if asked_before else None,
        # The hash itself is not kept; this one is equal where that was near, and far from all others.
        phash=hashlib.sha256((resembled or row.image).encode()).hexdigest()[: 2 * HASH_BYTES],
    )
