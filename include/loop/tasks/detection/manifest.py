"""Lines of augmented manifests, written and read.

Takes the agreed boxes of one image and gives the line Ground Truth would write for it (bounding box, with the
loop, the batch and the ETag beside it); takes anybody's line and gives a typed ``LabelledImage``, or the
reason why it cannot be trained on. The bytes of a line depend on the answers only. Knows consensus
and learnable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from include.loop.core.errors import BadRecord
from include.loop.core.images import MAX_PIXELS
from include.loop.core.storage import dump, parse
from include.loop.tasks.detection.consensus import AgreedBox
from include.loop.tasks.detection.learnable import LostBox, ManifestBox, Unlearnable, learnable

# Limits of an input manifest line (Ground Truth developer guide).
MAX_LINE_CHARS = 100_000

# An object's URI; bucket names as botocore accepts them.
SOURCE = re.compile(r"s3://[A-Za-z0-9._-]{1,255}/.+", re.DOTALL)

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
    lost: tuple[LostBox, ...] = ()
    annotations: int = 0


class ClassMapMismatch(BadRecord):
    """The line is of another list of classes: it would teach every object the wrong name."""


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
    image: str,
    etag: str,
    size: tuple[int, int],
    boxes: Sequence[AgreedBox],
    loop: str,
    batch: str,
    submitted: datetime,
    reason: str,
    workers: Sequence[str],
) -> dict[str, Any]:
    """One line in the shape of Ground Truth's bounding-box output; no ``boxes``: a valid negative.

    ``reason`` is why the image was asked about, from its triage row: ``audit`` lines measure and never train.
    ``workers`` are those whose answers count: whoever doubts the label asks others.
    """
    used = sorted({classes.index(item.box.label) for item in boxes})
    width, height = size
    return {
        "source-ref": image,
        attribute: {
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
        },
        f"{attribute}-metadata": {
            "objects": [{"confidence": item.confidence} for item in boxes],
            "class-map": {str(index): classes[index] for index in used},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            # Ground Truth writes microseconds and no zone.
            "creation-date": submitted.replace(tzinfo=None).isoformat(timespec="microseconds"),
            "job-name": f"a2i/{loop}",
        },
        "loop": loop,
        "batch": batch,
        "etag": etag,
        "reason": reason,
        "workers": sorted(workers),
    }


def read_line(line: bytes, attribute: str, classes: Sequence[str]) -> LabelledImage:
    """One manifest line, ours or anybody's. BadRecord says what keeps it from being trained on."""
    return read_value(parse_line(line), attribute, classes)


def parse_line(line: bytes) -> Any:
    """The JSON of a line. BadRecord when it has none that could be written again."""
    if len(line) > MAX_LINE_CHARS and (chars := len(line.decode(errors="replace"))) > MAX_LINE_CHARS:
        raise BadRecord(f"manifest line of {chars:,} characters is longer than {MAX_LINE_CHARS:,}")
    # Lines end at a byte, so all but the first of a UTF-16 file are shifted by one: no decoder reads them.
    encoding = json.detect_encoding(line)[:6].upper()
    if encoding in {"UTF-16", "UTF-32"} and line.strip(b"\0"):
        raise BadRecord(f"manifest is {encoding}; save it as UTF-8")
    try:
        value = parse(line)
        dump(value)  # it will be written again, and NaN and 1e999 cannot be
    except ValueError:
        raise BadRecord("manifest line is not JSON") from None
    return value


def read_value(value: Any, attribute: str, classes: Sequence[str]) -> LabelledImage:
    """The same for a line that is parsed already."""
    source = value.get("source-ref") if isinstance(value, dict) else None
    if not isinstance(source, str) or not SOURCE.fullmatch(source):
        raise BadRecord("manifest line lacks source-ref (an S3 URI)")
    metadata = value.get(f"{attribute}-metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    if (failure := metadata.get("failure-reason")) is not None:
        # Ground Truth copies an object that it could not get labelled; no boxes do not mean that it is empty.
        raise Unlearnable(f"the image was not labelled: failure-reason: {str(failure)[:200]}")
    if attribute not in value:
        raise BadRecord(f"manifest line has no label {attribute!r}")
    try:
        label = _Label.model_validate(value[attribute])
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise BadRecord(f"manifest line: {attribute}.{path}: {first['msg'].lower()}") from None
    _check_classes(label, metadata.get("class-map"), classes)
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


def moment(text: str) -> datetime:
    """A time as anybody writes it, to be compared: without a zone it is UTC, as Ground Truth's are.

    What is no time is older than every time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.min
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _check_classes(label: _Label, names: Any, classes: Sequence[str]) -> None:
    for class_id, name in names.items() if isinstance(names, dict) else ():
        ours = _class_name(class_id, classes)
        if name != ours:
            raise ClassMapMismatch(
                f"class_id {class_id} is {name!r} in the line's class-map, but "
                + (f"{ours!r} in the pipeline" if ours else f"the pipeline has {len(classes)} classes only")
            )
    for item in label.annotations:
        if item.class_id >= len(classes):
            raise BadRecord(f"class_id {item.class_id} is not one of the pipeline's {len(classes)} classes")


def _class_name(class_id: str, classes: Sequence[str]) -> str | None:
    """The pipeline's name of a class-map's key; some tools fill keys up with zeros."""
    number = class_id.lstrip("0") or class_id[-1:]
    return next((name for index, name in enumerate(classes) if str(index) == number), None)
