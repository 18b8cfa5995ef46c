"""Items as CVAT for images 1.1: one XML, with pictures in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats import WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._xml import xml_text
from include.loop.exchange.items import MARKS, Item, Problem

TITLE = "CVAT"
TRUTHS = frozenset({"difficult", "truncated", "occluded", "crowd"})
_SUBSET_OF = {"train": "train", "validation": "val", "test": "test"}


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    used: dict[str, None] = dict.fromkeys(options.classes)
    images: list[Element] = []
    marks: set[str] = set()
    for key, item in enumerate(items):
        if any(not one.present or one.confidence is not None for one in item.classes or ()):
            yield Problem(
                item.name, f"{TITLE} holds neither confidences nor classes that are absent", "unheld"
            )
        try:
            name = readable_name(item) if options.copy_images else check_name(item.name)
            image = _image(key, name, item)
            if options.copy_images:
                put(folder, f"images/{name}", picture_of(item))
        except BadRecord as error:
            yield Problem(item.name, str(error))
            continue
        images.append(image)
        used |= dict.fromkeys(shape.get("label", "") for shape in image)
        marks |= {attribute.get("name", "") for attribute in image.iter("attribute")}
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for name in used:
        _declare(SubElement(labels, "label"), name, marks)
    root.extend(images)
    indent(root)
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    put(folder, "annotations.xml", body + b"\n")


def _image(key: int, name: str, item: Item) -> Element:
    width, height = size_of(item)
    image = Element("image", id=str(key), name=xml_text(name), width=str(width), height=str(height))
    if item.split:
        image.set("subset", _SUBSET_OF[item.split])
    for one in item.classes or ():
        if one.present:
            SubElement(image, "tag", label=xml_text(one.label), source="manual")
    for box in item.boxes or ():
        sides = (box.left, box.top, box.left + box.width, box.top + box.height)
        texts = {side: f"{edge:.12g}" for side, edge in zip(("xtl", "ytl", "xbr", "ybr"), sides, strict=True)}
        occluded = str(int(bool(box.marks.get("occluded"))))
        shape = SubElement(image, "box", label=xml_text(box.label), occluded=occluded, z_order="0")
        shape.attrib |= texts
        for mark in sorted(box.marks.keys() & set(MARKS) - {"occluded"}):
            value = box.marks[mark]
            text = str(value).lower() if isinstance(value, bool) else str(value)
            SubElement(shape, "attribute", name=mark).text = xml_text(text)
    return image


def _declare(label: Element, name: str, marks: Iterable[str]) -> None:
    """A label of the project; CVAT takes only attributes that its label declares."""
    SubElement(label, "name").text = xml_text(name)
    attributes = SubElement(label, "attributes")
    for mark in sorted(marks):
        attribute = SubElement(attributes, "attribute")
        truth = mark in TRUTHS
        told = {"name": mark, "mutable": "False", "input_type": "checkbox" if truth else "text"}
        for key, text in {**told, "default_value": "false" if truth else "", "values": ""}.items():
            SubElement(attribute, key).text = text
