"""Whose turn it is to name the next image to ask about, where several strategies share a night. Pure.

Takes the candidates of each strategy in its own order, and its share of the night; gives one order of all of
them, of which every beginning has about these shares: also a night that the budget ends early. Each image
comes once, for the first that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from include.loop.core.records.triage import Row

Candidate = tuple[Row, str]  # with the reason why people might be asked about it


class Turns(Iterator[Candidate]):
    """Those that come before all, then the candidates of all strategies, by name, in turns: next is always
    who has had the least of its share (the quotients of Sainte-Laguë: twice what it has had and one more, by
    its share). Who has no candidate left leaves its turns to the others.
    """

    def __init__(
        self,
        first: Iterable[Candidate],
        candidates: Mapping[str, Iterable[Candidate]],
        shares: Mapping[str, float],
    ) -> None:
        self._first = iter(first)
        self._left = {name: iter(some) for name, some in candidates.items()}
        self._shares = shares
        self._had: Counter[str] = Counter()
        self._named_by: dict[str, str] = {}

    def __next__(self) -> Candidate:
        if found := next(self._first, None):
            return found
        while self._left:
            name = min(self._left, key=lambda name: (2 * self._had[name] + 1) / self._shares[name])
            for row, why in self._left[name]:
                if row.image not in self._named_by:
                    self._named_by[row.image] = name
                    self._had[name] += 1
                    return replace(row, share=name), why
            del self._left[name]
        raise StopIteration

    def give_back(self, row: Row) -> None:
        """Nobody is asked about this image after all: whoever named it has that turn again."""
        if name := self._named_by.get(row.image):
            self._had[name] -= 1
