"""What a task and the stages that work with it hand to each other.

Every task has its own predictions, labels and answers; what is written here is all that a stage may know of
them. The rest of such a value is the task's own, and only goes back to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from include.loop.core.errors import BadRecord
from include.loop.strategies import Scored

# All that a model said of one image, best first: of a detector one for each object, of a classifier one for
# each class, so that they are its full probabilities.
Prediction = Sequence[Scored]


@dataclass(frozen=True)
class Lost:
    """A part of a label that cannot be learned while the rest can: its place, from 1, and why."""

    number: int
    reason: str


class Labelled(Protocol):
    """One labelled image: what a manifest line says, and the line itself (``value``), as it came."""

    @property
    def source(self) -> str:
        """The image's S3 URI."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture that was labelled, in pixels; None when the label does not say."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The class of every labelled thing; empty when the label says that there is nothing."""

    @property
    def created(self) -> str:
        """When it was labelled, as the line says it (manifest_lines.py reads it)."""

    @property
    def value(self) -> dict[str, Any]: ...

    @property
    def lost(self) -> Sequence[Lost]: ...

    @property
    def objects(self) -> int:
        """How many things the line labels, those included that are lost."""


class Answer(Protocol):
    """One worker's usable answer. ``submitted`` is in UTC; ``seconds`` is None where nobody measured."""

    @property
    def worker(self) -> str: ...

    @property
    def submitted(self) -> datetime: ...

    @property
    def seconds(self) -> float | None: ...

    @property
    def labels(self) -> list[str]:
        """The names of the classes that it gives, as often as it gives them."""

    @property
    def said(self) -> list[str]:
        """The answer in words."""


@dataclass(frozen=True)
class RejectedAnswer:
    """One worker's answer that cannot be used, and why."""

    worker: str
    reason: str


@dataclass(frozen=True)
class Origin:
    """Where a label comes from: the image that was asked about (S3 URI, ETag, width and height in pixels),
    the loop and the batch that asked, and why. ``reason`` is that of the image's triage row: lines of audits
    measure and never train.
    """

    image: str
    etag: str
    size: tuple[int, int]
    loop: str
    batch: str
    reason: str


@dataclass(frozen=True)
class Agreement:
    """How two labels of one image compare: whether they say the same, and how much those of their parts
    overlap that belong together (0 to 1 each; none where a label has no place in the image).
    """

    same: bool
    overlaps: tuple[float, ...] = ()


class ReviewersDisagree(BadRecord):
    """The answers of several workers make no label."""

    def __init__(self) -> None:
        super().__init__("reviewers disagree")


class Unlearnable(BadRecord):
    """The label is well-formed, and there is nothing to learn in it."""


class ClassMapMismatch(BadRecord):
    """The line is of another list of classes: it would teach everything the wrong name."""


P = TypeVar("P", bound=Prediction)
L = TypeVar("L", bound=Labelled)
A = TypeVar("A", bound=Answer)
