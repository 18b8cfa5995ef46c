"""Boxes in the records of RecordIO files, written and read: fractions of the image there, pixels here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.tasks.detection.manifest import LabelledImage

# Of a pixel. A fraction of 32 bits gives back whole pixels exactly then.
DIGITS = 3


def write_record(label: LabelledImage) -> recordio.Label:
    """The boxes that can be learned, as a packed label; with none it is a header alone."""
    return recordio.write_objects(
        recordio.Object(
            box.class_id,
            box.left / label.width,
            box.top / label.height,
            (box.left + box.width) / label.width,
            (box.top + box.height) / label.height,
        )
        for box in label.boxes
    )


def read_record(
    label: recordio.Label,
    source: str,
    size: tuple[int, int],
    attribute: str,
    classes: Sequence[str],
    ids: Sequence[int],
) -> dict[str, Any]:
    """A manifest line with every box of the record, good or not: what can be learned is for the reader of the
    line to say. BadRecord when the label is not of boxes, or of a class without a name.
    """
    try:
        kind = recordio.kind_of(label)
        if not isinstance(label, tuple) or kind is not recordio.Kind.OBJECTS:
            raise BadRecord(f"its label is of {kind}, and this pipeline learns objects with boxes")
        objects = recordio.read_objects(label)
    except recordio.RecordError as error:
        raise BadRecord(str(error)) from None
    if unknown := [item.class_id for item in objects if item.class_id >= len(ids)]:
        raise BadRecord(f"class {unknown[0]} is none of the {len(ids)} that are named")
    width, height = size
    used = sorted({ids[item.class_id] for item in objects})
    return {
        "source-ref": source,
        attribute: {
            "annotations": [_annotation(item, size, ids) for item in objects],
            "image_size": [{"width": width, "height": height, "depth": 3}],
        },
        f"{attribute}-metadata": {
            "class-map": {str(index): classes[index] for index in used},
            "type": "groundtruth/object-detection",
        },
    }


def _annotation(item: recordio.Object, size: tuple[int, int], ids: Sequence[int]) -> dict[str, float]:
    left, top, right, bottom = (
        round(fraction * side, DIGITS)
        for fraction, side in zip((item.xmin, item.ymin, item.xmax, item.ymax), size * 2, strict=True)
    )
    return {
        "class_id": ids[item.class_id],
        "left": left,
        "top": top,
        "width": round(right - left, DIGITS),
        "height": round(bottom - top, DIGITS),
    }
