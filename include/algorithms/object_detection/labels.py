"""Labels as they arrive, to boxes: the JSON of augmented manifests and annotation files, and the numbers in a
.rec.

Gives rows (class, xmin, ymin, xmax, ymax) as fractions of the image, clipped to it. LabelError says why a
record cannot be used; too many objects for label_width is the user's setting and ends the job instead.

A box of which less than half a pixel is inside the image costs itself, an image that has lost all its boxes
is left out, and the same box twice counts once: the rule by which the loop makes its manifests (learnable.py
there; a test puts the same lines through both).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from include.algorithms.container import ClientError
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.records import unpacked

_Model = TypeVar("_Model", bound=BaseModel)
_MIN_SIDE = 0.5  # pixels of a box inside its image
_WIDEST = 1 << 16  # numbers of an object in a packed label
_MOST_PIXELS = 100_000_000  # of an image's side
_TOLD = 3  # boxes whose fault is told when a record is left out for them


class LabelError(ValueError):
    """A label that cannot be used."""


@dataclass(frozen=True)
class Labelled:
    """Boxes (N, 5), and what the log should tell of the label, which can be used all the same."""

    boxes: np.ndarray
    notes: tuple[str, ...] = ()


_Number = Annotated[float, Field(allow_inf_nan=False)]
_Side = Annotated[int, Field(gt=0, le=_MOST_PIXELS)]
_Row = tuple[float, float, float, float, float]  # class, xmin, ymin, xmax, ymax


class _Annotation(BaseModel):
    class_id: int
    left: _Number
    top: _Number
    width: _Number
    height: _Number


class _ImageSize(BaseModel):
    width: _Side
    height: _Side


class _Label(BaseModel):
    annotations: list[_Annotation]
    image_size: list[_ImageSize] = Field(min_length=1, max_length=1)


class AnnotationFile(_Label):
    """One JSON file of the annotation channels; `file` is relative to the image channel."""

    file: str


def parse_label(text: bytes, settings: Hyperparameters) -> Labelled:
    """A label's JSON to boxes. An empty `annotations` is an image with nothing in it."""
    return boxes_of(parse_json(_Label, text), settings)


def parse_json(model: type[_Model], text: bytes) -> _Model:
    """The text as this model, or a LabelError that names the first field that is wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the label"
        raise LabelError(f"{where}: {first['msg']}") from error


def boxes_of(label: _Label, settings: Hyperparameters) -> Labelled:
    """Pixels to fractions of the size the label itself names."""
    size = label.image_size[0]
    rows = [
        (box.class_id, box.left, box.top, box.left + box.width, box.top + box.height)
        for box in label.annotations
    ]
    return _checked(rows, (size.width, size.height), _MIN_SIDE, settings)


def parse_packed(record: bytes, settings: Hyperparameters) -> tuple[bytes, Labelled]:
    """A record of a .rec file to image bytes and boxes: header width, object width, objects as fractions."""
    packed = unpacked(record)
    if packed is None:
        raise LabelError("no JPEG or PNG behind a packed label")
    values = packed.values
    if not len(values):
        raise LabelError(
            f"packed label: expected header width and object width first; this is a record of image "
            f"classification, of class {packed.label:g}"
        )
    if len(values) < 2 or not (2 <= values[0] <= len(values) and 5 <= values[1] <= _WIDEST):
        raise LabelError("packed label: expected header width (2 or more) and object width (5 or more) first")
    objects = values[int(values[0]) :]
    width = int(values[1])
    if len(objects) % width:
        raise LabelError(f"packed label: {len(objects)} numbers are no whole objects of {width}")
    rows = [tuple(row) for row in objects.reshape(-1, width)[:, :5].tolist()]
    if not all(math.isfinite(number) for row in rows for number in row):
        raise LabelError("packed label: a number of an object is not finite")
    labelled = _checked(rows, (1, 1), 0.0, settings)
    if not rows:
        note = "its packed label holds no object; SageMaker's own algorithm cannot read such a record"
        labelled = Labelled(labelled.boxes, (note,))
    return packed.image, labelled


def _checked(
    rows: Sequence[_Row], size: tuple[int, int], least: float, settings: Hyperparameters
) -> Labelled:
    """Rows in units of ``size`` to fractions. A box of which ``least`` or less is inside costs itself, or at
    least what has no area there.
    """
    if len(rows) > settings.most_objects:
        raise ClientError(
            f"Invalid parameter value 'label_width'. An image has {len(rows)} objects and needs a "
            f"label_width of at least {len(rows) * 5 + 2}, not {settings.label_width}"
        )
    kept: dict[_Row, None] = {}
    lost = []
    for number, (kind, *corners) in enumerate(rows, start=1):
        if not (0 <= kind < settings.num_classes and kind == int(kind)):
            raise LabelError(f"class_id {kind} is not one of 0 to {settings.num_classes - 1} (num_classes)")
        xmin, ymin, xmax, ymax = (min(max(c, 0), most) for c, most in zip(corners, size * 2, strict=True))
        side = min(xmax - xmin, ymax - ymin)
        if side <= 0 or side < least:
            where = ", ".join(f"{corner:g}" for corner in corners)
            what = "less than half a pixel" if side > 0 else "no area"
            lost.append(f"box {number} (class {kind:g}, corners {where}) has {what} inside the image")
        else:
            kept[kind, xmin, ymin, xmax, ymax] = None
    if lost and not kept:
        raise LabelError(f"none of its {len(lost)} boxes can be learned: {'; '.join(lost[:_TOLD])}")
    boxes = np.asarray(list(kept), np.float64).reshape(-1, 5) / (1, *size, *size)
    return Labelled(boxes.astype(np.float32), tuple(lost))
