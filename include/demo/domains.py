"""The two domains of a demo: where the first model has learned, and where the batches come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """Images of one origin: their test set, as the pipeline names it, and the words behind a number."""

    test_set: str
    words: str


@dataclass(frozen=True)
class Domains:
    """The first model learned from the ``source``; the batches are all of the ``target``."""

    source: Domain
    target: Domain

    @property
    def both(self) -> tuple[Domain, Domain]:
        return self.source, self.target
