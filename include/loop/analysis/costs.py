"""What labels cost: people, machine, in total, and each label.

The defaults are the figures of AWS's own object-detection example: 0.08 dollars for each labelled object,
whoever labelled it, and 0.036 dollars for each box answer of a public workforce. A private team costs hours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from include.loop.core.errors import ConfigurationError


@dataclass(frozen=True)
class Prices:
    """Dollars: ``service`` for each labelled object, ``answer`` for each answer of a worker, ``hour`` for
    each hour that workers spent on answers.
    """

    service: float = 0.08
    answer: float = 0.036
    hour: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < 1_000_000:  # NaN is in no range
                raise ConfigurationError(f"price {field.name}: must be dollars from 0, not {value}")


@dataclass(frozen=True)
class Ledger:
    """Dollars. ``per_label`` is None as long as there is no label."""

    people: float
    machine: float
    total: float
    per_label: float | None


def ledger(prices: Prices, *, human: int, machine: int, answers: int, seconds: float = 0.0) -> Ledger:
    """``human`` and ``machine`` are labelled objects, ``answers`` those of all workers, ``seconds`` their
    time.
    """
    people = human * prices.service + answers * prices.answer + seconds / 3600 * prices.hour
    by_machine = machine * prices.service
    total = people + by_machine
    labels = human + machine
    return Ledger(
        round(people, 4), round(by_machine, 4), round(total, 4), round(total / labels, 4) if labels else None
    )
