"""How far a labeling job is, from one DescribeLabelingJob: labels by people and by machine, failures, dollars
so far, and the end that the pace so far promises. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from include.loop.analysis.costs import Prices, ledger
from include.loop.config import Environment, Pipeline


class LabelingStatus(StrEnum):
    """LabelingJobStatus of the API model."""

    INITIALIZING = "Initializing"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({LabelingStatus.COMPLETED, LabelingStatus.FAILED, LabelingStatus.STOPPED})


@dataclass(frozen=True)
class Counts:
    """LabelCounters: images with a label by people and by a model, those that failed, and those that are
    left.
    """

    human: int = 0
    machine: int = 0
    failed: int = 0
    unlabeled: int = 0

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Counts:
        """Of a DescribeLabelingJob reply."""
        found = described["LabelCounters"]
        return cls(
            found.get("HumanLabeled", 0),
            found.get("MachineLabeled", 0),
            found.get("FailedNonRetryableError", 0),
            found.get("Unlabeled", 0),
        )

    @property
    def labelled(self) -> int:
        return self.human + self.machine

    @property
    def done(self) -> int:
        return self.labelled + self.failed


@dataclass(frozen=True)
class Rates:
    """What an image costs: ``workers`` label it, and each takes about so many ``seconds``."""

    workers: int
    seconds: float
    prices: Prices

    def dollars(self, human: int, machine: int = 0) -> float:
        """For so many images with a label by people and by a model."""
        answers = human * self.workers
        seconds = answers * self.seconds
        found = ledger(self.prices, human=human, machine=machine, answers=answers, seconds=seconds)
        return found.total


def rates_of(pipeline: Pipeline, environment: Environment, workers: int) -> Rates:
    return Rates(workers, pipeline.review.seconds_per_image, prices_of(pipeline, environment))


def prices_of(pipeline: Pipeline, environment: Environment) -> Prices:
    """What labels cost at this place."""
    place = environment.labeling
    return Prices(place.service_dollars, place.answer_dollars, pipeline.review.dollars_per_hour)


@dataclass(frozen=True)
class Watch:
    """All that is needed to wait for one job. ``spent`` are the dollars of earlier attempts; a job that was
    being stopped already when it was met ``goes_on`` under another name.
    """

    job: str
    rates: Rates
    spent: float = 0.0
    goes_on: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Watch:
        rates = value["rates"]
        prices = Prices(**rates["prices"])
        return cls(**{**value, "rates": Rates(**{**rates, "prices": prices})})

    def dollars(self, counts: Counts) -> float:
        return self.spent + self.rates.dollars(counts.human, counts.machine)


def tell(watch: Watch, described: Mapping[str, Any], now: datetime) -> str:
    """One line for the log."""
    counts, status = Counts.of(described), LabelingStatus(described["LabelingJobStatus"])
    if status is LabelingStatus.INITIALIZING:
        return f"{watch.job} is being set up"
    have = "image has" if counts.labelled == 1 else "images have"
    parts = [
        f"{watch.job}: {counts.labelled} {have} a label ({counts.human} by people, {counts.machine} by "
        f"machine), {counts.failed} failed, {counts.unlabeled} are left",
        f"about {watch.dollars(counts):.2f} dollars so far (estimate)",
    ]
    if end := estimated_end(counts, described["CreationTime"], now):
        parts.append(f"at this pace it ends about {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    return "; ".join(parts if not status.ended else [*parts, str(status)])


def estimated_end(counts: Counts, began: datetime, now: datetime) -> datetime | None:
    """When the images that are left will be done, if it goes on as it went; None before the first label and
    after the last one.
    """
    if not counts.labelled or not counts.unlabeled or now <= began:
        return None
    seconds = (now - began).total_seconds() * counts.unlabeled / counts.done
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None  # after the year 9999
