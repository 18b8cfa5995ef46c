"""Datasets: what one was made of, which labels it left out or replaced, and the replay that went into it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records.base import Line, Location, Part, Record
from include.loop.core.records.trials import Kind
from include.loop.core.records.version_1 import SLICES


class TriedBatches(Part):
    """Why these batches are tried, oldest first."""

    kind: Kind
    batches: tuple[str, ...]


class ReplayChoice(Part):
    """How the labels to show again were chosen: so many ``per_new`` label, ``scored`` by the champion."""

    choose: str
    per_new: float
    scored: int
    scores_uri: str | None = None


class Dataset(Record):
    """``datasets/<id>/dataset.json``. ``shards`` are the new batches with the SHA-256 of their manifests,
    ``learned`` those and the ones that the ancestors learned from. ``root`` is the dataset of the first model
    when that had labels of its own, ``initial`` the name of their splits. Written last: it says that the
    manifests beside it are complete.
    """

    VERSION: ClassVar[int] = 2
    LOCATION: ClassVar[Location] = staticmethod(layout.dataset_file)

    dataset_id: str
    parent: str | None = None
    parent_dataset: str | None = None
    root: str | None = None
    initial: str | None = None
    shards: dict[str, str] = Field(default={})
    learned: dict[str, str] = Field(default={})
    trial: TriedBatches | None = None
    # Batches with labels that the parent does not know, and that are not tried.
    suspended: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    note: str = ""
    classes: tuple[str, ...] = ()
    class_map: dict[str, str] = Field(default={})
    label_attribute: str = ""
    # Labels: new to the parent, shown again, held out of the new ones, left out as they resemble two splits.
    new: int = 0
    replayed: int = 0
    held_out: int = 0
    left_out: int = 0
    # Lines of each manifest.
    train: int = 0
    validation: int = 0
    retention: int = 0
    recent: int = 0
    audit: int = 0
    superseded: int = 0
    near_duplicates: int = 0
    # As they are written: SageMaker's own algorithm makes room for boxes before it looks at them.
    max_boxes: int = 0
    rejected: int = 0
    rejected_boxes: int = 0
    replay: ReplayChoice | None = None
    backfilled: tuple[str, ...] = ()
    # Slices whose manifest has another name than today's: those of version 1.
    stored_names: dict[str, str] = Field(default={}, exclude=True)

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            for then, now in SLICES.items():
                value[now] = value.pop(then, 0)
            value["stored_names"] = {now: then for then, now in SLICES.items()}
            if trial := value.get("trial"):
                value["trial"] = {"kind": trial["kind"], "batches": trial["nights"]}
        return value

    @property
    def tried(self) -> TriedBatches:
        """Why its new batches were tried; a dataset of before there were trials tried them all."""
        return self.trial or TriedBatches(kind=Kind.ROUND, batches=tuple(sorted(self.shards)))

    def manifest(self, name: str) -> str:
        """Where the labels of a split or slice lie."""
        return layout.dataset_manifest(self.dataset_id, self.stored_names.get(name, name))


class LabelName(Part):
    """Which answer a label is: its human loop, if it has one, and when it was made."""

    loop: str | None = None
    created: str


class ReplacedLabels(Line):
    """An image with labels that are no longer used, oldest first, since a newer one is there."""

    LOCATION: ClassVar[Location] = staticmethod(layout.dataset_history)

    image: str
    kept: LabelName
    superseded: tuple[LabelName, ...]


class RejectedLine(Line):
    """A manifest line that is not used. With a ``box`` (its number, from 1) only that one is left out of the
    line; ``label`` is there when the split register may know the line.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.dataset_rejected)

    manifest: str
    line: str
    reason: str
    box: str | None = None
    label: str | None = None


class ReplayScore(Line):
    """How difficult the champion finds a label it knows, 0 to 1; None when it has no prediction."""

    LOCATION: ClassVar[Location] = staticmethod(layout.replay_file)

    image: str
    label: str
    difficulty: float | None = None
