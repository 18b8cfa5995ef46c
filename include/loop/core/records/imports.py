"""Data that came in from elsewhere: what an import brought, and what of it is not used."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records.base import Line, Location, Part, Record


class ImportStarted(Record):
    """When an import was first made (UTC): the date of labels that have none, even if repeated."""

    LOCATION: ClassVar[Location] = staticmethod(layout.import_started)

    at: str


class ImportProblem(Line):
    """One record or label of a source. ``kind`` is ``refused`` for a whole image, ``dropped`` for one label
    of an image that is used otherwise, ``mended`` for a label that was changed, ``doubtful`` for an image
    that is used and may be wrong.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.import_problems)

    where: str
    reason: str
    kind: str


class NearDuplicate(Part):
    """Two images that look alike and are not of the same split; ``split`` is that of ``name``."""

    name: str
    split: str
    like: str
    other_split: str


class Import(Record):
    """``target`` is ``initial``, ``labels`` or ``test:<name>``; ``manifests`` has the S3 URI and ``splits``
    the number of images of each split. ``labels`` counts by class, ``classes`` maps the source's names to the
    pipeline's, ``left_out`` counts labels of classes that were left out as asked, ``marks`` the boxes that
    the source calls difficult and the like. ``copied`` images were put
    below the pipeline, ``referenced`` ones lie where they lay. ``first_problems`` are the first of each kind;
    all of them lie beside.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.import_file)

    name: str
    source: str
    format: str
    target: str
    at: str
    images: int
    negatives: int = 0
    labels: dict[str, int] = Field(default={})
    classes: dict[str, str] = Field(default={})
    splits: dict[str, int] = Field(default={})
    manifests: dict[str, str] = Field(default={})
    copied: int = 0
    referenced: int = 0
    other_splits: dict[str, int] = Field(default={})
    left_out: dict[str, int] = Field(default={})
    marks: dict[str, int] = Field(default={})
    problems: dict[str, int] = Field(default={})
    first_problems: tuple[ImportProblem, ...] = ()
    near_duplicates: int = 0
    first_near_duplicates: tuple[NearDuplicate, ...] = ()
