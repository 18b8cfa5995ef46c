"""Classes in the records of RecordIO files, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.tasks.classification.values import LabelledImage


def write_record(label: LabelledImage, count: int, *, multi_label: bool) -> recordio.Label:
    """One number, or with many labels per image a 0 or 1 for each of ``count`` classes."""
    return recordio.write_classes(label.classes, count) if multi_label else float(label.classes[0])


def read_record(
    label: recordio.Label,
    source: str,
    attribute: str,
    classes: Sequence[str],
    ids: Sequence[int],
    *,
    multi_label: bool,
) -> dict[str, Any]:
    """A manifest line in the shape of Ground Truth's. BadRecord when the label is of another kind, or of a
    class without a name.
    """
    try:
        if recordio.kind_of(label) is recordio.Kind.OBJECTS:
            raise BadRecord("its label is of objects, and this pipeline learns classes of whole images")
        if isinstance(label, tuple):
            if not multi_label:
                raise BadRecord("its label is of many classes, and an image of this pipeline has one")
            if len(label) != len(ids):
                raise BadRecord(f"its label has {len(label)} classes, and {len(ids)} are named")
            found = recordio.read_classes(label)
        else:
            found = (recordio.read_class(label),)
    except recordio.RecordError as error:
        raise BadRecord(str(error)) from None
    if found and found[-1] >= len(ids):
        raise BadRecord(f"class {found[-1]} is none of the {len(ids)} that are named")
    ours = sorted(ids[index] for index in found)
    if multi_label:
        names = {str(index): classes[index] for index in ours}
        metadata: dict[str, Any] = {
            "class-map": names,
            "type": "groundtruth/image-classification-multilabel",
        }
        value: Any = ours
    else:
        metadata = {"class-name": classes[ours[0]], "type": "groundtruth/image-classification"}
        value = ours[0]
    return {"source-ref": source, attribute: value, f"{attribute}-metadata": metadata}
