"""Labels as they arrive, to boxes: the JSON of augmented manifests and annotation files, and the numbers in a
.rec.

Gives rows (class, xmin, ymin, xmax, ymax) as fractions of the image, clipped to it. LabelError says why a
record cannot be used; too many objects for label_width is the user's setting and ends the job instead.
"""

from __future__ import annotations

import struct
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from include.algorithms.container import ClientError
from include.algorithms.object_detection.hyperparameters import Hyperparameters

_Model = TypeVar("_Model", bound=BaseModel)
_PACKED = struct.Struct("<IfQQ")  # flag (number of label values), label, id, second id


class LabelError(ValueError):
    """A label that cannot be used."""


_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Annotation(BaseModel):
    class_id: int
    left: _Number
    top: _Number
    width: _Number
    height: _Number


class _ImageSize(BaseModel):
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class _Label(BaseModel):
    annotations: list[_Annotation]
    image_size: list[_ImageSize] = Field(min_length=1)


class AnnotationFile(_Label):
    """One JSON file of the annotation channels; `file` is relative to the image channel."""

    file: str


def parse_label(text: bytes, settings: Hyperparameters) -> np.ndarray:
    """A label's JSON to boxes (N, 5). An empty `annotations` is an image with nothing in it."""
    return boxes_of(parse_json(_Label, text), settings)


def parse_json(model: type[_Model], text: bytes) -> _Model:
    """The text as this model, or a LabelError that names the first field that is wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the label"
        raise LabelError(f"{where}: {first['msg']}") from error


def boxes_of(label: _Label, settings: Hyperparameters) -> np.ndarray:
    """Pixels to fractions of the size the label itself names."""
    size = label.image_size[0]
    rows = [
        [
            box.class_id,
            box.left / size.width,
            box.top / size.height,
            (box.left + box.width) / size.width,
            (box.top + box.height) / size.height,
        ]
        for box in label.annotations
    ]
    return _checked(np.asarray(rows, np.float32).reshape(-1, 5), settings)


def parse_packed(record: bytes, settings: Hyperparameters) -> tuple[bytes, np.ndarray]:
    """A record of a .rec file to image bytes and boxes: header width, object width, objects as fractions."""
    if not is_packed(record):
        raise LabelError("no JPEG or PNG behind a packed label")
    count = _PACKED.unpack_from(record)[0]
    start = _PACKED.size + 4 * count
    values = np.frombuffer(record[_PACKED.size : start], "<f4")
    if count < 2 or not (2 <= values[0] <= count and values[1] >= 5):
        raise LabelError("packed label: expected header width (2 or more) and object width (5 or more) first")
    objects = values[int(values[0]) :]
    width = int(values[1])
    if len(objects) % width:
        raise LabelError(f"packed label: {len(objects)} numbers are no whole objects of {width}")
    return record[start:], _checked(objects.reshape(-1, width)[:, :5].copy(), settings)


def is_packed(record: bytes) -> bool:
    """Whether a record is label and image in one, as im2rec writes it, rather than an image alone."""
    if len(record) < _PACKED.size:
        return False
    start = _PACKED.size + 4 * _PACKED.unpack_from(record)[0]
    return record[start : start + 3] == b"\xff\xd8\xff" or record[start : start + 4] == b"\x89PNG"


def _checked(boxes: np.ndarray, settings: Hyperparameters) -> np.ndarray:
    if len(boxes) > settings.most_objects:
        raise ClientError(
            f"Invalid parameter value 'label_width'. An image has {len(boxes)} objects and needs a "
            f"label_width of at least {len(boxes) * 5 + 2}, not {settings.label_width}"
        )
    for row in boxes:
        if not (0 <= row[0] < settings.num_classes and row[0] == int(row[0])):
            raise LabelError(
                f"class_id {row[0]:g} is not one of 0 to {settings.num_classes - 1} (num_classes)"
            )
    boxes[:, 1:] = boxes[:, 1:].clip(0.0, 1.0)
    if not ((boxes[:, 3:] - boxes[:, 1:3]) > 0).all():
        raise LabelError("a box has no area inside the image")
    return boxes
