"""Items as PASCAL VOC's folders: an XML for each image, and lists of the sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._values import boxes_to_write, without_suffix
from include.loop.exchange.formats._xml import xml_text
from include.loop.exchange.items import Box, Item, Problem

TITLE = "PASCAL VOC"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
TRUTHS = ("difficult", "truncated", "occluded")
SETS = "ImageSets/Main/"
_SET_OF = {"train": "train", "validation": "val", "test": "test"}


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    lists: dict[str, list[str]] = {}
    for item in items:
        boxes, problems = boxes_to_write(item, TITLE, (*TRUTHS, "pose"))
        yield from problems
        if boxes is None:
            continue
        try:
            name = readable_name(item) if options.copy_images else check_name(item.name)
            image = without_suffix(name)
            document = _document(name, item, boxes)
            picture = picture_of(item) if options.copy_images else None
            put(folder, f"Annotations/{image}.xml", document)
            if picture is not None:
                put(folder, f"JPEGImages/{name}", picture)
        except BadRecord as error:
            yield Problem(item.name, str(error))
            continue
        lists.setdefault(_SET_OF.get(item.split or "", "default"), []).append(image)
    # CVAT and Datumaro take classes that are not VOC's own from this file; it has no way to write a colon.
    labels = "".join(
        f"{name}:::\n" for name in dict.fromkeys(("background", *options.classes)) if ":" not in name
    )
    put(folder, "labelmap.txt", f"# label:color_rgb:parts:actions\n{labels}".encode())
    for word, images in lists.items():
        put(folder, f"{SETS}{word}.txt", "".join(f"{image}\n" for image in images).encode())
    if "train" in lists or "val" in lists:
        both = sorted(lists.get("train", []) + lists.get("val", []))
        put(folder, f"{SETS}trainval.txt", "".join(f"{image}\n" for image in both).encode())


def _document(name: str, item: Item, boxes: Iterable[Box]) -> bytes:
    width, height = size_of(item)
    root = Element("annotation")
    SubElement(root, "folder").text = "JPEGImages"
    SubElement(root, "filename").text = xml_text(PurePosixPath(name).name)
    size = SubElement(root, "size")
    for side, value in (("width", width), ("height", height), ("depth", 3)):
        SubElement(size, side).text = str(value)
    SubElement(root, "segmented").text = "0"
    for box in boxes:
        node = SubElement(root, "object")
        SubElement(node, "name").text = xml_text(box.label)
        SubElement(node, "pose").text = xml_text(str(box.marks.get("pose", "Unspecified")))
        for mark in TRUTHS:
            SubElement(node, mark).text = str(int(bool(box.marks.get(mark))))
        corners = SubElement(node, "bndbox")
        sides = (box.left + 1, box.top + 1, box.left + box.width, box.top + box.height)
        for corner, edge in zip(CORNERS, sides, strict=True):
            SubElement(corners, corner).text = f"{edge:.12g}"
    indent(root)
    body: bytes = tostring(root, encoding="utf-8")
    return body + b"\n"
