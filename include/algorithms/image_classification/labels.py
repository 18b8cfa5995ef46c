"""Labels as they arrive, to classes: the JSON of augmented manifests, the columns of a list, the numbers in a
.rec.

Gives the class of an image, or with multi_label a row of 0 and 1, one for each class (multi-hot). LabelError
says why a record cannot be used; a class that the job does not have, or a label of another kind, means that
data and hyperparameters do not belong together, and ends the job instead, as in SageMaker's own container.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from include.algorithms.container import ClientError
from include.algorithms.image_classification.hyperparameters import Hyperparameters
from include.algorithms.records import unpacked

MULTI_HOT, CLASS_ID = "multi-hot", "class-id"
_DETECTION = "a label of object detection, with boxes; image classification wants a class"
_LONGEST = 80  # characters of a label that a message shows


class LabelError(ValueError):
    """A label that cannot be used."""


def parse_label(text: bytes, form: str, settings: Hyperparameters) -> np.ndarray:
    """The JSON of an augmented manifest's attribute: a number or a string, or with multi_label a list of
    this ``form``.
    """
    try:
        value = json.loads(text)
        if isinstance(value, str) and settings.multi_label:
            value = json.loads(value)  # a list may stand in a string too
    except (ValueError, RecursionError) as error:
        raise LabelError(f"the label is no JSON: {error}") from error
    if isinstance(value, dict):
        raise ClientError(_DETECTION if "annotations" in value else f"a label is an object: {_shown(value)}")
    if not settings.multi_label:
        if isinstance(value, list):
            raise ClientError(f"a label is a list, {_shown(value)}: such labels need multi_label=1")
        return single(value, settings)
    if not isinstance(value, list):
        raise ClientError(f"a label is {_shown(value)}: with multi_label=1 it must be a list")
    return class_ids(value, settings) if form == CLASS_ID else multi_hot(value, settings)


def parse_packed(record: bytes, settings: Hyperparameters) -> tuple[bytes, np.ndarray]:
    """A .rec record to image bytes and label: one number, or with multi_label a number for each class."""
    packed = unpacked(record)
    if packed is None:
        raise LabelError("no JPEG or PNG behind a packed label")
    values = packed.values.tolist()
    if len(values) >= 2 and values[0] >= 2 and values[1] >= 5:
        raise ClientError(_DETECTION)
    if settings.multi_label:
        return packed.image, multi_hot(values or [packed.label], settings)
    if len(values) > 1:
        raise ClientError(f"a label has {len(values)} numbers: such labels need multi_label=1")
    return packed.image, single(values[0] if values else packed.label, settings)


def single(value: Any, settings: Hyperparameters) -> np.ndarray:
    """One class, shape ()."""
    return np.asarray(_class(value, settings), np.int32)


def multi_hot(values: Sequence[Any], settings: Hyperparameters) -> np.ndarray:
    """0 and 1 for each class, shape (num_classes,)."""
    numbers = [_number(value) for value in values]
    if len(numbers) != settings.num_classes or not set(numbers) <= {0, 1}:
        raise ClientError(
            f"a label is {_shown(values)}: multi-hot labels have a 0 or 1 for each of the num_classes "
            f"({settings.num_classes}). Lists of class ids are told by the channel's ContentType: "
            f"application/x-recordio; label-format={CLASS_ID}"
        )
    return np.asarray(numbers, np.uint8)


def class_ids(values: Sequence[Any], settings: Hyperparameters) -> np.ndarray:
    """The classes that an image has, as multi-hot."""
    row = np.zeros(settings.num_classes, np.uint8)
    row[[_class(value, settings) for value in values]] = 1
    return row


def _class(value: Any, settings: Hyperparameters) -> int:
    number = _number(value)
    if number != int(number):
        raise LabelError(f"the class {_shown(value)} is not a whole number")
    if not 0 <= number < settings.num_classes:
        raise ClientError(
            f"the class {_shown(value)} of an image is not one of 0 to {settings.num_classes - 1} "
            "(num_classes)"
        )
    return int(number)


def _number(value: Any) -> float:
    """A finite number, also one that is written as text."""
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            if np.isfinite(number):
                return number
    except (ValueError, OverflowError):
        pass
    raise LabelError(f"the label {_shown(value)} is not a number")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
