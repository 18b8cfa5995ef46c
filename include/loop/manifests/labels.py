"""What a label of a manifest line says, of whichever type it is: its task, its classes and their names.

For looking at manifests that belong to no pipeline yet. A pipeline's own task reads its lines with its own,
stricter rules (``Task.read_value``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.loop.config.pipeline import TaskName
from include.loop.core.errors import BadRecord

METADATA = "-metadata"
# Ground Truth's types of labels that a built-in algorithm learns → whose they are, and whether an image may
# have several classes.
TYPES: dict[str, tuple[TaskName, bool]] = {
    "groundtruth/object-detection": ("object-detection", False),
    "groundtruth/image-classification": ("image-classification", False),
    "groundtruth/image-classification-multilabel": ("image-classification", True),
}
# Labels about other labels, or of tasks that have no algorithm here: they are no label to learn from.
OTHER_TYPES = re.compile(r"groundtruth/.*", re.IGNORECASE)


@dataclass(frozen=True)
class Label:
    """``classes`` are the class indices of all that is labelled, as often as they come; ``multi_hot`` is the
    number of all classes where the label has a 0 or 1 for every one of them, else 0.
    """

    task: TaskName
    multi_label: bool
    classes: tuple[int, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    multi_hot: int = 0


def metadata_of(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What stands beside a label; empty where nothing does."""
    found = line.get(name + METADATA)
    return found if isinstance(found, dict) else {}


def type_of(metadata: Mapping[str, Any]) -> str:
    """The label's type as its metadata says it; "" where they do not."""
    found = metadata.get("type")
    return found if isinstance(found, str) else ""


def read_label(value: Any, metadata: Mapping[str, Any]) -> Label:
    """A label by its type, or by its shape where none is written. BadRecord when it is of no task here."""
    known = TYPES.get(type_of(metadata))
    if isinstance(value, dict) and "annotations" in value and (known is None or not known[1]):
        return Label("object-detection", False, _boxes(value["annotations"]), _class_map(metadata))
    if isinstance(value, list) and (known is None or known[1]):
        return _many(value, metadata)
    if isinstance(value, int | float | str) and (known is None or known == ("image-classification", False)):
        index = _index(value)
        name = metadata.get("class-name")
        return Label("image-classification", False, (index,), {index: name} if isinstance(name, str) else {})
    raise BadRecord("the label is neither boxes, nor a class, nor a list of classes")


def _boxes(annotations: Any) -> tuple[int, ...]:
    if not isinstance(annotations, list) or not all(isinstance(item, dict) for item in annotations):
        raise BadRecord("annotations is no list of boxes")
    return tuple(_index(item.get("class_id")) for item in annotations)


def _many(value: list[Any], metadata: Mapping[str, Any]) -> Label:
    """Ground Truth writes class ids and a class-map; without one, 0 and 1 for every class are meant, as
    SageMaker's image classification takes them unless it is told otherwise.
    """
    numbers = tuple(map(_index, value))
    multi_hot = len(numbers) if "class-map" not in metadata and set(numbers) <= {0, 1} else 0
    if multi_hot:
        numbers = tuple(index for index, present in enumerate(numbers) if present)
    return Label("image-classification", True, numbers, _class_map(metadata), multi_hot)


def _index(value: Any) -> int:
    """A class index, from 0; some tools write it as text or as a float."""
    try:
        number = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not 0 <= number < 1_000_000 or number != int(number):
        raise BadRecord(f"{str(value)[:40]!r} is no class index")
    return int(number)


def _class_map(metadata: Mapping[str, Any]) -> dict[int, str]:
    found = metadata.get("class-map")
    names = found.items() if isinstance(found, dict) else ()
    return {int(key): name for key, name in names if key.isdecimal() and isinstance(name, str)}
