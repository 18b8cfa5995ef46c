"""What every format is read into and written from: one image with its labels.

Labels carry class names, never indices: formats number their classes as they like, and a pipeline has an
order of its own (classes.py matches them by name).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Box:
    """One labelled object, in pixels of the stored image, origin top left, the first pixel from 0 to 1.

    ``marks`` are what a format says of it besides, under the names of MARKS.
    """

    label: str
    left: float
    top: float
    width: float
    height: float
    marks: Mapping[str, Scalar] = field(default_factory=dict)


# The marks that more than one format has; formats pass over those that they do not know, and say so.
MARKS = ("difficult", "truncated", "occluded", "crowd", "confidence", "pose")


@dataclass(frozen=True)
class Class:
    """One class of an image. ``confidence`` (0 to 1) is None where nobody said it; ``present`` is False where
    somebody looked and found that the image is not of that class (Open Images verifies so).
    """

    label: str
    confidence: float | None = None
    present: bool = True


@dataclass(frozen=True)
class Item:
    """One image of a data set.

    ``name`` is its path inside the set, with slashes: unique there, and never absolute or with ``..``.
    ``read`` gives its bytes when they are wanted (BadRecord or FileNotFoundError when there are none);
    ``uri`` is its S3 URI where it lies in S3. ``size`` is width and height in pixels where the format says
    it. ``boxes`` are None where the image was not labelled with boxes, and empty where somebody looked and
    saw nothing; ``classes`` likewise. ``split`` is train, validation or test as the source has it.
    ``details`` are fields that a manifest line carries and other formats do not have.
    """

    name: str
    read: Callable[[], bytes]
    uri: str | None = None
    size: tuple[int, int] | None = None
    boxes: tuple[Box, ...] | None = None
    classes: tuple[Class, ...] | None = None
    split: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """What of a source is not used, or was changed so that it could be: where it stands, and why.

    ``kind`` is ``refused`` for a whole image or record, ``dropped`` for one label of an image that is used
    otherwise, ``mended`` for a label that was changed (a box clipped to its image), ``doubtful`` for an image
    that is used and may be wrong, ``unheld`` for what a target format cannot hold.
    """

    where: str
    reason: str
    kind: str = "refused"
