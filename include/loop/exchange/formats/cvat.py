"""CVAT for images 1.1: one XML of all images, with boxes (``box``) and classes of whole images (``tag``).

Coordinates are edges in pixels from 0, as ours are. A turned box becomes the upright box around it; polygons
and other shapes are left out, each with a word. Of several files, each is of a task of its own. A file is
read twice: once to know that it is whole and what it labels, and once image by image, so that a large one
does not fill the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

import defusedxml.ElementTree as safe

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import MOST_LABEL_BYTES, Files
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.formats._cvat_write import TITLE, TRUTHS, write
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    class_name,
    edges,
    enclosing,
    marks_of,
    number,
    pixels,
    shown,
    split_of,
    turned,
    usable,
)
from include.loop.exchange.formats._xml import XML_ERRORS, xml_reason
from include.loop.exchange.items import Box, Class, Item, Problem

_MOST_NODES = 2_000_000  # within one image or the head of the file


def _looks_like(files: Files) -> bool:
    names = _xml_files(files)
    if not names:
        return False
    with closing(files.open(names[0])) as stream:
        return b"<annotations>" in stream.read(1024)


def _classes(files: Files, options: ReadOptions) -> list[str] | None:
    return list(_survey(files).labels) or None


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    survey = _survey(files)
    for name in options.sets:
        if name not in survey.subsets:
            there = ", ".join(sorted(survey.subsets)) or "none"
            raise BadRecord(f"{files.place} has no subset {name!r}; there are: {there}")
    return _items(files, Pictures(options.images or files), survey, options)


@dataclass
class _Survey:
    """What the files are found to have, in the first reading."""

    names: list[str]
    labels: dict[str, None] = field(default_factory=dict)
    subsets: set[str] = field(default_factory=set)
    boxes: bool = False
    tags: bool = False


def _xml_files(files: Files) -> list[str]:
    return [name for name in files.names() if name.lower().endswith(".xml")]


def _survey(files: Files) -> _Survey:
    survey = _Survey(_xml_files(files))
    if not survey.names:
        raise BadRecord(f"{files.place} has no XML file")
    for name in survey.names:
        try:
            for node in _nodes(files, name):
                _note(node, name, survey)
        except BadRecord as error:
            raise BadRecord(f"{name}: {error}") from None
    return survey


def _note(node: Element, name: str, survey: _Survey) -> None:
    if node.tag == "track":
        raise BadRecord("is CVAT for video; export it as CVAT for images 1.1")
    if node.tag == "label" and (label := node.findtext("name")) is not None:
        survey.labels[class_name(label)] = None
    if node.tag == "image":
        survey.subsets.add(_subset(node, name))
        survey.boxes |= node.find("box") is not None
        survey.tags |= node.find("tag") is not None


def _subset(node: Element, name: str) -> str:
    """Projects say it at each image; tasks have files of their own."""
    return node.get("subset") or PurePosixPath(name).stem


def _nodes(files: Files, name: str) -> Iterator[Element]:
    """Images, labels and tracks, one at a time: what was given is forgotten."""
    depth, count = 0, 0
    root: Element | None = None
    with closing(files.open(name)) as stream:
        try:
            for event, node in safe.iterparse(_Bounded(stream), events=("start", "end")):
                if root is None:
                    root = node
                    if node.tag != "annotations":
                        raise BadRecord(f"begins with <{node.tag[:80]}>; CVAT's begins with <annotations>")
                count += 1
                if count > _MOST_NODES:
                    raise BadRecord(f"has more than {_MOST_NODES:,} elements in one image")
                depth += 1 if event == "start" else -1
                if event == "end" and node.tag in ("image", "track", "label"):
                    yield node
                if event == "end" and depth == 1:
                    root.clear()
                    count = 0
        except XML_ERRORS as error:
            if isinstance(error, BadRecord):
                raise
            raise BadRecord(xml_reason(error)) from None


class _Bounded:
    """A stream that ends with BadRecord where it is longer than allowed."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._left = stream, MOST_LABEL_BYTES

    def read(self, size: int = -1) -> bytes:
        body: bytes = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(body)
        if self._left < 0:
            raise BadRecord(f"is larger than the {MOST_LABEL_BYTES:,} bytes that are read")
        return body


def _near(node: Element, name: str) -> str:
    """CVAT writes the images of a subset into a folder of its name."""
    return f"{_subset(node, name)}/{PurePosixPath(name).name}"


def _items(
    files: Files, pictures: Pictures, survey: _Survey, options: ReadOptions
) -> Iterator[Item | Problem]:
    seen: set[str] = set()
    for name in survey.names:
        for node in _nodes(files, name):
            if node.tag != "image" or (options.sets and _subset(node, name) not in options.sets):
                continue
            called = node.get("name") or ""
            where = f"{name}: {called or 'an image without a name'}"
            try:
                if (picture := pictures.find(called, _near(node, name))) in seen:
                    raise BadRecord("is listed twice; the first is used")
                boxes, classes, problems = _labels(node, where)
                used = usable(boxes, problems if not classes else ())
            except BadRecord as error:
                yield Problem(where, str(error))
                continue
            seen.add(picture)
            yield from problems
            yield Item(
                picture,
                pictures.reader(picture),
                pictures.files.uri(picture),
                pixels(node.get("width"), node.get("height")),
                # An image without shapes was looked at: for boxes, unless there are classes alone. One of
                # which only classes are left was not found to have no boxes.
                used if used or (not problems and (survey.boxes or not survey.tags)) else None,
                classes if survey.tags else None,
                split_of(_subset(node, name)) or split_of(str(PurePosixPath(picture).parent)),
            )


def _labels(node: Element, where: str) -> tuple[tuple[Box, ...], tuple[Class, ...], list[Problem]]:
    boxes, classes, problems = [], [], []
    for index, shape in enumerate(node, 1):
        try:
            if shape.tag == "tag":
                classes.append(Class(class_name(shape.get("label"))))
                continue
            box, whole = _box(shape)
            boxes.append(box)
            if not whole:
                reason = f"{box.label!r} is turned: the upright box around it is used"
                problems.append(Problem(f"{where}: shape {index}", reason, "mended"))
        except BadRecord as error:
            problems.append(Problem(f"{where}: shape {index}", str(error), "dropped"))
    return tuple(boxes), tuple(dict.fromkeys(classes)), problems


def _box(shape: Element) -> tuple[Box, bool]:
    """The box, and whether it is the rectangle itself. BadRecord for all other shapes."""
    if shape.tag != "box":
        raise BadRecord(f"{shown(shape.tag)} is not read: boxes and tags are")
    label = class_name(shape.get("label"))
    values = {node.get("name"): _scalar(node) for node in shape.findall("attribute")}
    marks = marks_of({name: value for name, value in values.items() if name is not None})
    if shape.get("occluded") == "1":
        marks["occluded"] = True
    left, top, right, bottom = (number(shape.get(side), side) for side in ("xtl", "ytl", "xbr", "ybr"))
    box = edges(label, left, top, right, bottom, marks)
    degrees = number(shape.get("rotation", "0"), "rotation")
    if not degrees % 360:
        return box, True
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    centre = (left + right) / 2, (top + bottom) / 2
    return enclosing(label, turned(corners, centre, degrees), marks), False


def _scalar(node: Element) -> str | float | bool:
    """An attribute's value in the type of our mark of that name."""
    name, text = node.get("name"), (node.text or "").strip()
    if name in TRUTHS:
        return text.lower() in ("true", "1", "yes")
    return number(text, "confidence") if name == "confidence" else text


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes", "classes", "many_classes"}),
    looks_like=_looks_like,
    classes=_classes,
    read=_read,
    write=write,
    notes=(
        "a turned box becomes the upright box around it; polygons, masks, points and skeletons are not read",
        "CVAT for video (tracks) is refused: export the task as CVAT for images 1.1",
        "write: annotations.xml and the folder images, to be uploaded to a task of these images",
    ),
)
