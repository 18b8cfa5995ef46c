"""What was tried: which new nights a challenger learned, from which champion, and what the gate found.

Gives ``Trial``, the content of ``trials/<job>.json``, and what a verdict means for the nights (``weigh``).
Pure: trial_records.py reads and writes. Knows nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from include.loop.core.records.verdict import Verdict

# The rules of the gate (rules.py) whose failure is harm. All others say that a challenger is not good enough.
HARM = frozenset({"loss", "class_loss", "train_recall"})


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

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Trial:
        """A record as it is stored. KeyError, TypeError or ValueError when it is not one."""
        return cls(
            training_job=str(value["training_job"]),
            champion=str(value["champion"]),
            shards=tuple(sorted(map(str, value["shards"]))),
            outcome=Outcome(value["outcome"]),
            at=read_time(value["at"]),
            kind=Kind(value["kind"]),
            blamed=tuple(map(str, value["blamed"])),
            reasons=tuple(str(rule["text"]) for rule in value["failed"]),
        )


def weigh(verdict: Verdict) -> tuple[Outcome, tuple[str, ...]]:
    """What a verdict means for the new nights, and which of them it names as those whose labels could not be
    learned. What was not measured is no harm.
    """
    if verdict.promote:
        return Outcome.PROMOTE, ()
    harm = [rule for rule in verdict.failed if rule.rule in HARM and rule.value is not None]
    named = {str(rule.slice) for rule in harm if rule.rule == "train_recall"}
    return (Outcome.HARM if harm else Outcome.NO_GAIN), tuple(sorted(named))


def read_time(text: str) -> datetime:
    """A time as a record has it; without a time zone it is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
