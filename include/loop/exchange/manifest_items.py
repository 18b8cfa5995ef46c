"""Items as lines of Ground Truth's output manifests, and back: boxes, one class of an image, or many.

Takes a line, gives what it labels by the names of the classes; takes an item, gives the line that Ground
Truth would write for it. What a line says besides goes along as ``Item.details``, so that its history (the
loop, the batch, the job, the date) survives. The shapes are those of the developer guide (sms-data-output).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from include.loop.core.errors import BadRecord
from include.loop.core.numbers import is_finite
from include.loop.exchange.items import Box, Class, Item, Problem, Scalar
from include.loop.tasks.manifest_lines import read_metadata

Kind = Literal["boxes", "classes", "many_classes"]
TYPES: dict[Kind, str] = {
    "boxes": "groundtruth/object-detection",
    "classes": "groundtruth/image-classification",
    "many_classes": "groundtruth/image-classification-multilabel",
}
# What is made anew from an item's boxes and classes; all else of the metadata is history.
_DERIVED = {"class-map", "class-name", "confidence", "confidence-map", "objects", "type", "absent-map"}
# Where details keep the history of the label itself; no name in a manifest begins so.
HISTORY = "$metadata"


def kind_of_value(label: Any, metadata: Mapping[str, Any]) -> Kind | None:
    """What a label attribute labels; None for what is neither boxes nor classes (masks, text, verdicts)."""
    said = metadata.get("type")
    for kind, name in TYPES.items():
        if said == name:
            return kind
    if said is not None and said != "groundTruth/custom":
        return None
    if isinstance(label, dict) and "annotations" in label:
        return "boxes"
    if isinstance(label, list):
        return "many_classes"
    return "classes" if isinstance(label, int | float | str) and not isinstance(label, bool) else None


def read_labels(
    value: dict[str, Any], attribute: str, classes: Sequence[str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The fields of an ``Item`` that a line's label fills: boxes or classes, size, details; and the boxes
    that cannot be used. ``classes`` names the indices where the line has no names. BadRecord for the whole
    line.
    """
    metadata = read_metadata(value, attribute)
    label = value[attribute]
    kind = kind_of_value(label, metadata)
    if kind is None:
        raise BadRecord(f"{attribute} labels neither boxes nor classes (type {metadata.get('type')!r:.80})")
    others = {name: item for name, item in value.items() if name not in {"source-ref", attribute}}
    others.pop(f"{attribute}-metadata", None)
    kept = {name: item for name, item in metadata.items() if name not in _DERIVED}
    details = others | ({HISTORY: kept} if kept else {})
    if kind == "boxes":
        size, boxes, problems = _read_boxes(label, attribute, metadata, classes)
        return {"boxes": boxes, "size": size, "details": details}, problems
    return {"classes": _read_classes(kind, label, metadata, classes), "details": details}, []


def to_value(
    item: Item, source: str, attribute: str, kind: Kind, classes: Sequence[str], metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """The line of an item; ``metadata`` is what it gets where the item's own history does not say it.

    BadRecord when the item has no label of this kind, or one of a class that is not among the ``classes``.
    """
    own = item.details.get(HISTORY)
    history = dict(metadata) | (own if isinstance(own, dict) else {})
    label, described = _boxes(item, classes) if kind == "boxes" else _classes(item, kind, classes)
    return {name: value for name, value in item.details.items() if name != HISTORY} | {
        "source-ref": source,
        attribute: label,
        f"{attribute}-metadata": history | described | {"type": TYPES[kind]},
    }


def _read_boxes(
    label: Any, attribute: str, metadata: Mapping[str, Any], classes: Sequence[str]
) -> tuple[tuple[int, int], tuple[Box, ...], list[Problem]]:
    size = _size(label, attribute)
    annotations = label.get("annotations") if isinstance(label, dict) else None
    if not isinstance(annotations, list):
        raise BadRecord(f"{attribute}.annotations: must be a list of boxes")
    objects = metadata.get("objects")
    said = (
        objects if isinstance(objects, list) and len(objects) == len(annotations) else [{}] * len(annotations)
    )
    boxes, problems = [], []
    for number, (annotation, beside) in enumerate(zip(annotations, said, strict=True), start=1):
        try:
            boxes.append(_read_box(annotation, beside, metadata, classes))
        except BadRecord as error:
            problems.append(Problem(f"box {number}", str(error), "dropped"))
    return size, tuple(boxes), problems


def _size(label: Any, attribute: str) -> tuple[int, int]:
    sizes = label.get("image_size") if isinstance(label, dict) else None
    if isinstance(sizes, list) and len(sizes) == 1 and isinstance(sizes[0], dict):
        width, height = sizes[0].get("width"), sizes[0].get("height")
        if type(width) is int and type(height) is int and width > 0 < height:
            return width, height
    raise BadRecord(f"{attribute}.image_size: must be one width and height in pixels")


def _read_box(value: Any, beside: Any, metadata: Mapping[str, Any], classes: Sequence[str]) -> Box:
    if not isinstance(value, dict):
        raise BadRecord("is no object with class_id, left, top, width and height")
    left, top, width, height = (_number(value, side) for side in ("left", "top", "width", "height"))
    name = _class_name(value.get("class_id"), metadata, classes)
    marks = {mark: said for mark, said in _marks(beside) if mark != "confidence" or said}
    return Box(name, left, top, width, height, marks)


def _marks(beside: Any) -> Iterator[tuple[str, Scalar]]:
    for mark, said in beside.items() if isinstance(beside, dict) else ():
        if isinstance(said, str | int | bool) or (isinstance(said, float) and math.isfinite(said)):
            yield mark, said


def _number(value: Mapping[str, Any], name: str) -> float:
    number = value.get(name)
    if not is_finite(number):
        raise BadRecord(f"{name} must be a finite number, not {number!r:.40}")
    return float(number)


def _class_name(index: Any, metadata: Mapping[str, Any], classes: Sequence[str]) -> str:
    """The name of a class index, from the line or else from the list; some write ``"0"`` or ``0.0``."""
    try:
        number = int(index)
        if isinstance(index, bool) or number != float(index) or number < 0:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise BadRecord(f"class_id must be a whole number from 0, not {index!r:.40}") from None
    names = metadata.get("class-map")
    for key, name in names.items() if isinstance(names, dict) else ():
        if isinstance(name, str) and (key.lstrip("0") or key[-1:]) == str(number):
            return name
    if number < len(classes):
        return classes[number]
    raise BadRecord(
        f"class_id {number} has no name in the class-map"
        + (f", and the list has {len(classes)}" if classes else "; say the names with --classes FILE")
    )


def _read_classes(
    kind: Kind, label: Any, metadata: Mapping[str, Any], classes: Sequence[str]
) -> tuple[Class, ...]:
    if kind == "classes":
        name = metadata.get("class-name")
        if not isinstance(name, str):
            name = _class_name(label, metadata, classes)
        return (Class(name, _confidence(metadata.get("confidence"))),)
    if not isinstance(label, list):
        raise BadRecord("must be a list of class indices")
    sure = metadata.get("confidence-map")
    sure = sure if isinstance(sure, dict) else {}
    if _is_flags(label, metadata, classes):
        label = [index for index, there in enumerate(label) if int(there)]
    names = [(str(index), _class_name(index, metadata, classes)) for index in label]
    absent = metadata.get("absent-map")
    found = {name: Class(name, _confidence(sure.get(key))) for key, name in names}
    for name in absent.values() if isinstance(absent, dict) else ():
        if isinstance(name, str):
            found.setdefault(name, Class(name, present=False))
    return tuple(found.values())


def _is_flags(label: list[Any], metadata: Mapping[str, Any], classes: Sequence[str]) -> bool:
    """Whether a list has a zero or a one for each class, and no ids: what training takes it for where Ground
    Truth did not write the line (the same rule as tasks/classification/manifest.py's).
    """
    numbered = "class-map" in metadata or metadata.get("type") == TYPES["many_classes"]
    flags = all(not isinstance(one, bool) and one in (0, 1, "0", "1") for one in label)
    return not numbered and flags and len(label) == len(classes)


def _confidence(value: Any) -> float | None:
    """0 is what Ground Truth writes where one worker alone has answered: nobody said how sure it is."""
    sure = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    return float(value) if sure else None


def _boxes(item: Item, classes: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    if item.boxes is None or item.size is None:
        raise BadRecord(
            "the image has no boxes" if item.boxes is None else "nobody says how large the image is"
        )
    indices = [_index(box.label, classes) for box in item.boxes]
    annotations = [
        {
            "class_id": index,
            "left": _plain(box.left),
            "top": _plain(box.top),
            "width": _plain(box.width),
            "height": _plain(box.height),
        }
        for index, box in zip(indices, item.boxes, strict=True)
    ]
    width, height = item.size
    # SageMaker's object detection takes images of three channels only.
    label = {"annotations": annotations, "image_size": [{"width": width, "height": height, "depth": 3}]}
    # Marks stand beside the label: what stands in it is sent to the training container.
    objects = [{"confidence": 0} | dict(box.marks) for box in item.boxes]
    return label, {
        "objects": objects,
        "class-map": {str(index): classes[index] for index in sorted({*indices})},
    }


def _classes(item: Item, kind: Kind, classes: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    if item.classes is None:
        raise BadRecord("the image has no classes")
    present = {_index(said.label, classes): said.confidence or 0 for said in item.classes if said.present}
    if kind == "classes":
        if len(present) != 1:
            names = ", ".join(classes[index] for index in present) or "none"
            raise BadRecord(
                f"an image has one class in this pipeline, and this one has {len(present)}: {names}"
            )
        ((index, confidence),) = present.items()
        return index, {"class-name": classes[index], "confidence": confidence}
    absent = sorted(
        {_index(said.label, classes) for said in item.classes if not said.present} - present.keys()
    )
    described: dict[str, Any] = {
        "class-map": {str(index): classes[index] for index in sorted(present)},
        "confidence-map": {str(index): present[index] for index in sorted(present)},
    }
    if absent:  # no field of Ground Truth's, which cannot say that somebody looked and it is not there
        described["absent-map"] = {str(index): classes[index] for index in absent}
    return sorted(present), described


def _index(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise BadRecord(f"class {name!r:.80} is not among {', '.join(classes)}")
    return classes.index(name)


def _plain(number: float) -> float | int:
    """Whole pixels without a fraction, as Ground Truth writes them."""
    return int(number) if number == int(number) else number
