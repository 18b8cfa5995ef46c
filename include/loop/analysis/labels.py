"""What an image is said to show, by a manifest line or by one worker, in one shape: boxes or classes.

Boxes are shares of the picture's width and height, so that labels of one picture can be compared whatever
size each was made at. Classes have names, since two manifests may number them differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from include.loop.analysis.matching import Floats, Match, match
from include.loop.core.errors import BadRecord
from include.loop.core.numbers import is_finite
from include.loop.manifests.labels import metadata_of, read_label

Kind = Literal["boxes", "classes"]
# More on one image would take gigabytes to be compared with as many others.
MOST_BOXES = 1_000
MOST_SIDE = 1_000_000  # pixels
NO_BOXES = np.zeros((0, 4))
UNLABELLED = "the image has no label"


@dataclass(frozen=True, slots=True)
class Label:
    """``boxes`` are rows of left, top, width and height, empty where the image has ``classes`` as a whole;
    otherwise ``classes`` are those of the boxes. ``confidences`` are of each box or class, none where nothing
    is said; ``confidence`` is that of the image.
    """

    kind: Kind
    classes: tuple[str, ...]
    boxes: Floats = field(default_factory=lambda: NO_BOXES)  # never written to
    confidences: tuple[float, ...] = ()
    confidence: float | None = None

    @property
    def said(self) -> str:
        """The classes of the image, shortly."""
        return ", ".join(sorted(set(self.classes))) or "none"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a label agrees with another: ``score`` from 0 to 1, of the image. ``total`` and ``things`` are
    the sum and the number of what it is a mean of, ``other_class`` counts pairs of boxes that lie together
    and are called differently.
    """

    score: float
    total: float
    things: int
    other_class: int = 0


def compare(label: Label, other: Label) -> Agreement:
    """Boxes by their IoU (matching.py); classes by how many of those named on either side are on both."""
    if label.kind != other.kind:
        raise BadRecord(f"one label has {label.kind}, the other {other.kind}")
    if label.kind == "classes":
        ours, theirs = set(label.classes), set(other.classes)
        score = len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0
        return Agreement(score, score, 1)
    found = paired(label, other)
    differ = sum(label.classes[box] != other.classes[reference] for box, reference in found.pairs)
    return Agreement(found.iou, sum(found.overlaps), found.things, differ)


def paired(label: Label, other: Label) -> Match:
    """Which boxes of two labels lie together."""
    return match(label.boxes, other.boxes, label.confidences)


def read_line(line: Mapping[str, Any], attribute: str) -> Label:
    """The label of a manifest line, anybody's. BadRecord says why there is none; its text is ``UNLABELLED``
    where the line has none yet.
    """
    metadata = metadata_of(line, attribute)
    if (failure := metadata.get("failure-reason")) is not None:
        raise BadRecord(f"the image was not labelled: {str(failure)[:200]}")
    if attribute not in line:
        raise BadRecord(UNLABELLED)
    value = line[attribute]
    read = read_label(value, metadata)
    names = tuple(read.names.get(index, str(index)) for index in read.classes)
    if read.task == "image-classification":
        return Label("classes", names, confidence=_class_confidence(metadata))
    if len(names) > MOST_BOXES:
        raise BadRecord(f"{len(names):,} boxes on one image; at most {MOST_BOXES:,} are compared")
    sizes = value.get("image_size")
    size = sizes[0] if isinstance(sizes, list) and sizes and isinstance(sizes[0], dict) else {}
    confidences = _confidences(metadata.get("objects"), len(names))
    confidence = 0.0 if not names else (sum(confidences) / len(names) if confidences else None)
    return Label("boxes", names, _rows(value["annotations"], size), confidences, confidence)


def read_answer(content: Any) -> Label:
    """What one worker has submitted, with whichever element: boxes, a class, or several. BadRecord where it
    is none of them.
    """
    for value in content.values() if isinstance(content, dict) else ():
        if not isinstance(value, dict):
            continue
        if "boundingBoxes" in value:
            return _drawn(value)
        if isinstance(value.get("label"), str):
            return Label("classes", (value["label"],))
        if isinstance(value.get("labels"), list):
            return Label("classes", tuple(str(name) for name in value["labels"][:MOST_BOXES]))
    raise BadRecord("the answer has neither boxes nor classes")


def _drawn(value: dict[str, Any]) -> Label:
    boxes = value["boundingBoxes"] or []  # a worker who saw nothing: null or an empty list
    if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
        raise BadRecord("boundingBoxes is no list of boxes")
    if len(boxes) > MOST_BOXES:
        raise BadRecord(f"{len(boxes):,} boxes in one answer; at most {MOST_BOXES:,} are compared")
    size = value.get("inputImageProperties")
    names = tuple(str(box.get("label", "")) for box in boxes)
    return Label("boxes", names, _rows(boxes, size if isinstance(size, dict) else {}))


def _rows(boxes: Sequence[Mapping[str, Any]], size: Mapping[str, Any]) -> Floats:
    if not boxes:
        return NO_BOXES
    width, height = (_number(size, name) for name in ("width", "height"))
    if not 0 < width <= MOST_SIDE >= height > 0:
        raise BadRecord("the size of the picture is not said in pixels")
    rows = [[_number(box, side) for side in ("left", "top", "width", "height")] for box in boxes]
    if any(box[2] < 0 or box[3] < 0 for box in rows):
        raise BadRecord("a box has a negative side")
    return np.array(rows) / (width, height, width, height)


def _number(value: Mapping[str, Any], name: str) -> float:
    number = value.get(name)
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= MOST_SIDE:
        raise BadRecord(f"{name} must be a number of pixels, not {number!r:.40}")
    return float(number)


def _confidences(objects: Any, boxes: int) -> tuple[float, ...]:
    """Of every box; none where they are not said of all."""
    if not isinstance(objects, list) or len(objects) != boxes:
        return ()
    found = [_share(item.get("confidence")) if isinstance(item, dict) else None for item in objects]
    return tuple(one for one in found if one is not None) if None not in found else ()


def _class_confidence(metadata: Mapping[str, Any]) -> float | None:
    several = metadata.get("confidence-map")
    if not isinstance(several, dict):
        return _share(metadata.get("confidence"))
    found = [one for value in several.values() if (one := _share(value)) is not None]
    return sum(found) / len(found) if found else 0.0


def _share(value: Any) -> float | None:
    return float(value) if is_finite(value) else None
