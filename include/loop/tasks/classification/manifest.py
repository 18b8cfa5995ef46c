"""Classes in lines of augmented manifests, written and read.

Takes the agreed classes of one image and gives the line that Ground Truth would write for it (image
classification, with one label or with many); takes anybody's line and gives a typed ``LabelledImage``, or the
reason why it cannot be learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse
from include.loop.tasks.classification.names import class_index
from include.loop.tasks.classification.values import LabelledImage
from include.loop.tasks.manifest_lines import check_class_map, read_metadata, read_source, write_line
from include.loop.tasks.values import ClassMapMismatch, Origin

ONE = "groundtruth/image-classification"
MANY = "groundtruth/image-classification-multilabel"
MOST_CLASSES = 1 << 31  # whatever the pipeline has: more is no class id


def one_class(
    attribute: str,
    classes: Sequence[str],
    origin: Origin,
    label: int,
    confidence: float,
    submitted: datetime,
    workers: Sequence[str],
) -> dict[str, Any]:
    """One line in the shape of Ground Truth's image classification with one label per image."""
    metadata = {"class-name": classes[label], "confidence": confidence, "type": ONE}
    return write_line(attribute, label, metadata, submitted, workers, origin)


def many_classes(
    attribute: str,
    classes: Sequence[str],
    origin: Origin,
    labels: Mapping[int, float],
    submitted: datetime,
    workers: Sequence[str],
) -> dict[str, Any]:
    """The same with many: ``labels`` to the confidence in each; none: the image is of no class."""
    ids = sorted(labels)
    metadata = {
        "class-map": {str(index): classes[index] for index in ids},
        "confidence-map": {str(index): labels[index] for index in ids},
        "type": MANY,
    }
    return write_line(attribute, ids, metadata, submitted, workers, origin)


def describe(line: dict[str, Any], attribute: str, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The classes of a line that was learned from; some tools write a class as ``"0"`` or ``0.0``."""
    value = line[attribute]
    return [{"label": classes[int(float(item))]} for item in (value if isinstance(value, list) else [value])]


def read_value(value: Any, attribute: str, classes: Sequence[str], *, multi_label: bool) -> LabelledImage:
    """One manifest line, ours or anybody's. BadRecord says what keeps it from being learned.

    A class is a number or a text of one. With many labels per image the line that is learned from has a list
    of class ids, as the training job is told to expect (``value``), whatever it had.
    """
    source = read_source(value)
    metadata = read_metadata(value, attribute)
    label = value[attribute]
    if multi_label:
        check_class_map(metadata.get("class-map"), classes)
        found = _many(
            label, attribute, classes, numbered="class-map" in metadata or metadata.get("type") == MANY
        )
        as_ids = isinstance(label, list) and all(type(item) is int for item in label)
        if not as_ids or sorted(label) != list(found):
            value = value | {attribute: list(found)}
    else:
        found = (_one(label, attribute, classes, metadata.get("class-name")),)
    return LabelledImage(source, found, str(metadata.get("creation-date", "")), value)


def _unwrapped(label: Any) -> Any:
    """Labels as text, the form of some of SageMaker's examples: ``"2"``, ``"[0, 2]"``."""
    if not isinstance(label, str):
        return label
    try:
        return parse(label.encode())
    except ValueError:
        return label


def _one(label: Any, attribute: str, classes: Sequence[str], name: Any) -> int:
    if isinstance(_unwrapped(label), list):
        raise BadRecord(
            f"manifest line: {attribute} is a list of classes, and an image of this pipeline has one "
            "(multi_label: true is for many)"
        )
    index = _index(label, attribute)
    if name is not None and _is_other(name, index, classes):
        ours = f"{classes[index]!r} in the pipeline" if index < len(classes) else ""
        raise ClassMapMismatch(
            f"class {index} is {name!r:.200} in the line's class-name, but "
            + (ours or f"the pipeline has {len(classes)} classes only")
        )
    return _known(index, classes)


def _many(label: Any, attribute: str, classes: Sequence[str], *, numbered: bool) -> tuple[int, ...]:
    """``numbered``: Ground Truth wrote the line, and its lists hold ids. Without its word a list of a zero or
    a one for each class is what SageMaker's algorithm takes it for.
    """
    items = _unwrapped(label)
    if not isinstance(items, list):
        raise BadRecord(
            f"manifest line: {attribute} is no list of classes, and an image of this pipeline may have many"
        )
    numbers = [_index(item, attribute) for item in items]
    if not numbered and len(numbers) == len(classes) and set(numbers) <= {0, 1}:
        return tuple(index for index, there in enumerate(numbers) if there)
    return tuple(sorted({_known(index, classes) for index in numbers}))


def _index(item: Any, attribute: str) -> int:
    number = _unwrapped(item)
    # NaN is in no range, and True is no number.
    fits = isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < MOST_CLASSES
    if not fits or number != int(number):
        raise BadRecord(f"manifest line: {attribute}: a class is a number from 0, not {item!r:.80}")
    return int(number)


def _known(index: int, classes: Sequence[str]) -> int:
    if index >= len(classes):
        raise BadRecord(f"class {index} is not one of the pipeline's {len(classes)} classes")
    return index


def _is_other(name: Any, index: int, classes: Sequence[str]) -> bool:
    try:
        return not isinstance(name, str) or class_index(name, classes) != index
    except BadRecord:
        return True
