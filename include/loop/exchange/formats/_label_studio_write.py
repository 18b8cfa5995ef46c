"""Items as Label Studio's tasks, to be imported into a project with local files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._xml import xml_text
from include.loop.exchange.items import Item, Problem

TITLE = "Label Studio"
LOCAL = "/data/local-files/"  # where a project serves the files of its local storage


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    """Tasks to be imported into a project with local files, and the labelling interface that they are of."""
    for name in options.classes:
        xml_text(name)  # before anything is written; BadRecord
    tasks = []
    boxes = classes = False
    for key, item in enumerate(items, 1):
        if any(box.marks for box in item.boxes or ()):
            yield Problem(item.name, f"{TITLE} does not hold marks of boxes", "unheld")
        if any(not one.present or one.confidence is not None for one in item.classes or ()):
            yield Problem(
                item.name, f"{TITLE} holds neither confidences nor classes that are absent", "unheld"
            )
        try:
            name = readable_name(item) if options.copy_images else check_name(item.name)
            size = size_of(item)
            if options.copy_images:
                put(folder, f"images/{name}", picture_of(item))
        except BadRecord as error:
            yield Problem(item.name, str(error))
            continue
        boxes |= item.boxes is not None
        classes |= item.classes is not None
        place = f"{LOCAL}?d=images/{quote(name)}"
        image = place if options.copy_images or item.uri is None else item.uri
        result = _result(item, size)
        tasks.append({"id": key, "data": {"image": image}, "annotations": [{"result": result}]})
    put(folder, "label_config.xml", _interface(options, boxes, classes))
    put(folder, "tasks.json", json.dumps(tasks, ensure_ascii=False, allow_nan=False).encode())


def _interface(options: WriteOptions, boxes: bool, classes: bool) -> bytes:
    """The labeling interface to paste into the project: tasks are of its controls, by their names."""
    view = Element("View")
    SubElement(view, "Image", name="image", value="$image")
    if boxes:
        labels = SubElement(view, "RectangleLabels", name="label", toName="image")
        for name in options.classes:
            SubElement(labels, "Label", value=name)
    if classes:
        how = "multiple" if options.many_classes else "single"
        choices = SubElement(view, "Choices", name="choice", toName="image", choice=how)
        for name in options.classes:
            SubElement(choices, "Choice", value=name)
    indent(view)
    body: bytes = tostring(view, encoding="utf-8")
    return body + b"\n"


def _result(item: Item, size: tuple[int, int]) -> list[dict[str, Any]]:
    width, height = size
    regions: list[dict[str, Any]] = []
    common = {"to_name": "image", "original_width": width, "original_height": height, "image_rotation": 0}
    for index, box in enumerate(item.boxes or ()):
        value = {
            "x": box.left / width * 100,
            "y": box.top / height * 100,
            "width": box.width / width * 100,
            "height": box.height / height * 100,
            "rotation": 0,
            "rectanglelabels": [box.label],
        }
        kind = {"id": f"box{index}", "type": "rectanglelabels", "from_name": "label"}
        regions.append({**kind, **common, "value": value})
    if names := [one.label for one in item.classes or () if one.present]:
        kind = {"id": "choice", "type": "choices", "from_name": "choice"}
        regions.append({**kind, **common, "value": {"choices": names}})
    return regions
