"""What was tried with batches of labels, and what people have said about them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, PlainSerializer

from include.loop.core import layout
from include.loop.core.records import version_1
from include.loop.core.records.base import Location, Part, Record
from include.loop.core.times import in_utc

Time = Annotated[datetime, AfterValidator(in_utc), PlainSerializer(datetime.isoformat, return_type=str)]


class Finding(StrEnum):
    """What the gate found about a challenger: ``promote`` it may, ``harm`` it does, or it is not better."""

    PROMOTE = "promote"
    HARM = "harm"
    NO_GAIN = "no_gain"


class Kind(StrEnum):
    """Why a set of batches is tried. ``round``: something in it is new. The others are further trials:
    ``rest`` (open batches together, since others were suspected), ``split`` and ``alone`` (suspected ones),
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


class FailedRule(Part):
    """A rule of the gate that failed, for a person."""

    rule: str
    slice: str | None = None
    class_name: str | None = None
    text: str


class Trial(Record):
    """``trials/<job>.json``: one challenger of ``champion`` that learned ``shards`` as new, oldest first.
    ``blamed`` are the batches whose labels it could not learn; ``failed`` the rules that it failed.
    """

    VERSION: ClassVar[int] = 2
    LOCATION: ClassVar[Location] = staticmethod(layout.trial_file)

    training_job: str
    dataset_id: str = ""
    champion: str
    shards: tuple[str, ...]
    outcome: Finding
    at: Time
    kind: Kind = Kind.ROUND
    blamed: tuple[str, ...] = ()
    failed: tuple[FailedRule, ...] = ()

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            value["failed"] = [version_1.rule(item) for item in value["failed"]]
        return value | {"shards": sorted(value["shards"])}

    @property
    def harmed(self) -> bool:
        return self.outcome is Finding.HARM

    @property
    def promotes(self) -> bool:
        return self.outcome is Finding.PROMOTE

    @property
    def reasons(self) -> tuple[str, ...]:
        """The texts of the rules that failed."""
        return tuple(rule.text for rule in self.failed)


class _Word(Record):
    """What a person said about the labels of one batch."""

    shard: str
    by: str
    why: str
    at: Time


class Discard(_Word):
    """Its labels are wrong: nothing is learned from them. Whoever wants them back deletes the object."""

    LOCATION: ClassVar[Location] = staticmethod(layout.discarded_file)


class Release(_Word):
    """Its labels are right: what was tried with them before does not count. The last word counts."""

    LOCATION: ClassVar[Location] = staticmethod(layout.released_file)
