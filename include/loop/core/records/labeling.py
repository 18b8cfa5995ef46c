"""What a labeling job is made of, and what of its source it leaves out."""

from __future__ import annotations

from typing import ClassVar, Literal

from include.loop.core import layout
from include.loop.core.records.base import Line, Location, Record

# What a job's labels become, in the words of an import.
Target = Literal["initial", "labels"]


class LabelingRequest(Record):
    """One labeling job, whatever attempts it takes: ``name`` is what the names of its attempts begin with.

    ``images`` has all lines of its input manifest, ``labelled`` those that have a label already, ``left_out``
    what of the source is not in it, ``known`` of these because an earlier job has them. ``buckets`` hold the
    images. ``workers`` label each image; with ``automatic`` a model labels those that it is sure of; people
    label at most ``most_images``. ``question`` is a digest of what they are asked: jobs that have the same
    one count each other's labels.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.labeling_file)

    name: str
    source: str
    images: int
    labelled: int
    left_out: int
    known: int = 0
    buckets: tuple[str, ...]
    workers: int
    automatic: bool
    question: str
    most_images: int | None = None
    target: Target

    @property
    def asked(self) -> int:
        """The images that people are asked about, or at most so many."""
        return min(self.images - self.labelled, self.most_images or self.images)


class LeftOut(Line):
    """An object or line of the source that nobody is asked about, and why."""

    LOCATION: ClassVar[Location] = staticmethod(layout.labeling_left_out)

    where: str
    reason: str
