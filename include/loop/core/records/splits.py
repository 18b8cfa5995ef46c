"""Which split every labelled image belongs to, for ever (``splits/<shard>.jsonl``), and what pictures are."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from include.loop.core import layout
from include.loop.core.records.base import Line, Location

RESEMBLES = "near-duplicate of "


class Split(StrEnum):
    """``left_out`` resembles images of two splits, ``unusable`` cannot be read: neither is used anywhere."""

    TRAIN = "train"
    VALIDATION = "validation"
    RETENTION = "retention"
    AUDIT = "audit"
    TEST = "test"
    LEFT_OUT = "left_out"
    UNUSABLE = "unusable"

    @property
    def held_out(self) -> bool:
        """Whether the image measures, and so must never be learned from."""
        return self in {Split.VALIDATION, Split.RETENTION, Split.AUDIT, Split.TEST}


class Entry(Line):
    """One label of one image. ``label`` is a hash of the manifest line; ``classes`` has one number per
    labelled thing; ``why`` tells how the image got its split, or why it cannot be used (then it has no
    ``sha256``). Entries of older versions have no ``width`` and ``height``, which are the image's own.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.split_file)

    source: str
    etag: str
    sha256: str
    phash: str | None = None
    split: Split
    why: str
    created: str
    label: str
    classes: tuple[int, ...]
    loop: str | None = None
    width: int | None = None
    height: int | None = None

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if "side" in value:
            side = value.pop("side")
            value["split"] = "retention" if side == "memory" else side
        return value

    @property
    def size(self) -> tuple[int, int] | None:
        return (self.width, self.height) if self.width and self.height else None

    @property
    def resembles(self) -> bool:
        """Whether a likeness decided about the image's split."""
        return self.why.startswith(RESEMBLES)


class Picture(Line):
    """What reading a stored picture of this ETag gave: hashes of its bytes and pixels (a flat one has no
    ``phash``), width and height in pixels.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.pictures_file)

    source: str
    etag: str
    sha256: str
    phash: str | None = None
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height
