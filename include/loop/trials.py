"""What was tried: which new nights a challenger learned, from which champion, and what the gate found.

Gives ``Trial``, the content of ``trials/<job>.json``. Knows nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What the gate found about a challenger: ``promote`` it may, ``harm`` it does, or it is not better."""

    PROMOTE = "promote"
    HARM = "harm"
    NO_GAIN = "no_gain"


class Kind(StrEnum):
    """Why a set of nights is tried. ``round``: something in it is new. The others are further trials:
    ``rest`` (open nights together, since others were suspected), ``split`` and ``alone`` (suspected ones),
    ``newer`` (the newer half of what brought no gain together).
    """

    ROUND = "round"
    REST = "rest"
    SPLIT = "split"
    ALONE = "alone"
    NEWER = "newer"

    @property
    def counted(self) -> bool:
        """Whether it is one of the trials that ``training.trials`` allows within 24 hours."""
        return self is not Kind.ROUND


@dataclass(frozen=True)
class Trial:
    """One challenger of ``champion`` that learned ``shards`` as new, oldest first. ``blamed`` are the nights
    whose labels it could not learn; ``reasons`` the texts of the rules that failed; ``at`` has a time zone.
    """

    training_job: str
    champion: str
    shards: tuple[str, ...]
    outcome: Outcome
    at: datetime
    kind: Kind = Kind.ROUND
    blamed: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def harmed(self) -> bool:
        return self.outcome is Outcome.HARM

    @property
    def promotes(self) -> bool:
        return self.outcome is Outcome.PROMOTE
