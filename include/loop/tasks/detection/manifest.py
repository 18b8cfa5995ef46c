"""Boxes in lines of augmented manifests, written and read.

Takes the agreed boxes of one image and gives the line that Ground Truth would write for it (bounding box);
takes anybody's line and gives a typed ``LabelledImage``, or the reason why it cannot be learned. The bytes of
a line depend on the answers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from include.loop.core.errors import BadRecord
from include.loop.core.images import MAX_PIXELS
from include.loop.tasks.detection.consensus import AgreedBox
from include.loop.tasks.detection.learnable import ManifestBox, learnable
from include.loop.tasks.manifest_lines import check_class_map, read_metadata, read_source, write_line
from include.loop.tasks.values import Lost, Origin

Pixels = Annotated[int, Field(gt=0, le=MAX_PIXELS)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class LabelledImage:
    """One training image: what a manifest line says, and the line itself (``value``), as it came.

    ``boxes`` are those that can be learned, inside the image and each once; ``lost`` are others of the
    ``annotations`` boxes that the line has.
    """

    source: str
    width: int
    height: int
    boxes: tuple[ManifestBox, ...]
    created: str
    value: dict[str, Any]
    lost: tuple[Lost, ...] = ()
    annotations: int = 0

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def objects(self) -> int:
        return self.annotations

    @property
    def classes(self) -> tuple[int, ...]:
        return tuple(box.class_id for box in self.boxes)


class _Annotation(BaseModel):
    class_id: int = Field(ge=0)
    left: Coordinate
    top: Coordinate
    width: Coordinate
    height: Coordinate


class _Size(BaseModel):
    width: Pixels
    height: Pixels


class _Label(BaseModel):
    annotations: list[_Annotation]
    image_size: list[_Size] = Field(min_length=1, max_length=1)


def manifest_value(
    attribute: str,
    classes: Sequence[str],
    origin: Origin,
    boxes: Sequence[AgreedBox],
    submitted: datetime,
    workers: Sequence[str],
) -> dict[str, Any]:
    """One line in the shape of Ground Truth's bounding-box output; no ``boxes``: a valid negative."""
    used = sorted({classes.index(item.box.label) for item in boxes})
    width, height = origin.size
    label = {
        "annotations": [
            {
                "class_id": classes.index(item.box.label),
                "left": item.box.left,
                "top": item.box.top,
                "width": item.box.width,
                "height": item.box.height,
            }
            for item in boxes
        ],
        # SageMaker's object detection takes images of three channels only.
        "image_size": [{"width": width, "height": height, "depth": 3}],
    }
    metadata = {
        "objects": [{"confidence": item.confidence} for item in boxes],
        "class-map": {str(index): classes[index] for index in used},
        "type": "groundtruth/object-detection",
    }
    return write_line(attribute, label, metadata, submitted, workers, origin)


def describe(value: dict[str, Any], attribute: str, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The boxes of a line that was learned from; some tools write a class as ``"0"`` or ``0.0``."""
    return [
        {"label": classes[int(float(item["class_id"]))]}
        | {name: item[name] for name in ("left", "top", "width", "height")}
        for item in value[attribute]["annotations"]
    ]


def read_value(value: Any, attribute: str, classes: Sequence[str]) -> LabelledImage:
    """One manifest line, ours or anybody's. BadRecord says what keeps it from being learned."""
    source = read_source(value)
    metadata = read_metadata(value, attribute)
    try:
        label = _Label.model_validate(value[attribute])
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise BadRecord(f"manifest line: {attribute}.{path}: {first['msg'].lower()}") from None
    check_class_map(metadata.get("class-map"), classes)
    for item in label.annotations:
        if item.class_id >= len(classes):
            raise BadRecord(f"class_id {item.class_id} is not one of the pipeline's {len(classes)} classes")
    size = label.image_size[0]
    boxes, lost = learnable(
        (ManifestBox(**item.model_dump()) for item in label.annotations), size.width, size.height
    )
    return LabelledImage(
        source=source,
        width=size.width,
        height=size.height,
        boxes=boxes,
        created=str(metadata.get("creation-date", "")),
        value=value,
        lost=lost,
        annotations=len(label.annotations),
    )
