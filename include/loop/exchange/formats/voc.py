"""PASCAL VOC: a folder of XML files, one an image, beside the images and lists of their sets.

Read are the devkit's layout (``VOC2007/Annotations``, ``JPEGImages``, ``ImageSets/Main``; several years in
one folder, or one year alone) and XML files that lie beside their images, as labelImg and Roboflow write
them.

Where a box lies: VOC counts pixels from 1 (the devkit's documentation: an image's top left pixel has the
coordinates 1,1), and both corners belong to the object. So xmin..xmax covers the pixels xmin-1 to xmax-1
counted from 0, and their edges are ``left = xmin - 1`` and ``right = xmax``: a box of xmin = xmax is one
pixel wide. Fractions are taken alike. MXNet's prepare_dataset subtracts nothing, so its boxes lie one pixel
further right and down at their left and upper edges; tools that count from 0 (labelImg, CVAT) come out one
pixel larger there, and what lies left of the image is clipped to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    class_name,
    edges,
    number,
    pixels,
    read_lines,
    shown,
    split_of,
    split_word,
    usable,
    without_suffix,
)
from include.loop.exchange.formats._voc_write import CORNERS, SETS, TITLE, TRUTHS, write
from include.loop.exchange.formats._xml import parse_xml
from include.loop.exchange.items import Box, Item, Problem, Scalar

_MOST_XML = 8 << 20  # of one image; ten thousand objects take 3 MB
# Class lists (cat_train.txt) have 1, 0 or -1 behind each image; CVAT and Datumaro quote names with spaces.
_SET_LINE = re.compile(r'"(?P<quoted>.+)"(\s+-?[01])?|(?P<plain>.+?)(\s+-?[01])?')


def _looks_like(files: Files) -> bool:
    names = files.names()
    if any(name.endswith(".xml") and "/Annotations/" in f"/{name}" for name in names):
        return True
    first = next((name for name in names if name.endswith(".xml")), None)
    if first is None:
        return False
    with files.open(first) as stream:
        return b"<annotation>" in stream.read(1024)


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    annotations = _find_annotations(files)
    if not annotations:
        raise BadRecord(f"{files.place} has no XML files in a folder Annotations, and none beside images")
    sets = _read_sets(files, annotations)
    wanted = _wanted(sets, options.sets) if options.sets else None
    pictures = Pictures(options.images or files)
    return _items(files, pictures, annotations, sets, wanted)


def _items(
    files: Files,
    pictures: Pictures,
    annotations: dict[tuple[str, str], str],
    sets: dict[str, list[tuple[str, str]]],
    wanted: set[tuple[str, str]] | None,
) -> Iterator[Item | Problem]:
    splits = _splits(sets)
    listed = {identity: name for name, identities in sets.items() for identity in identities}
    for identity in sorted(listed.keys() - annotations.keys()):
        if wanted is None or identity in wanted:
            yield Problem(listed[identity], f"lists {shown(identity[1])}, of which there is no XML")
    seen: dict[str, str] = {}
    for identity, name in annotations.items():
        if wanted is not None and identity not in wanted:
            continue
        try:
            root = parse_xml(files.read(name, _MOST_XML))
            picture = _picture(pictures, identity, root, name)
            if picture in seen:
                raise BadRecord(f"is of {picture}, and so is {seen[picture]}, which is used")
            seen[picture] = name
            boxes, problems = _boxes(root, name)
            used = usable(boxes, problems)
            split = splits.get(identity) or split_of(str(PurePosixPath(picture).parent))
            item = Item(
                picture,
                pictures.reader(picture),
                pictures.files.uri(picture),
                pixels(root.findtext("size/width"), root.findtext("size/height")),
            )
        except (BadRecord, FileNotFoundError) as error:
            yield Problem(name, str(error))
            continue
        yield from problems
        yield Item(item.name, item.read, item.uri, item.size, used, split=split)


def _find_annotations(files: Files) -> dict[tuple[str, str], str]:
    """XML files by year's folder and image id: what stands in lists, with folders of its own below."""
    names = [name for name in files.names() if name.lower().endswith(".xml")]
    inside = [name for name in names if "/Annotations/" in f"/{name}"]
    found = {}
    for name in inside or names:
        year, _, image = f"/{name}".rpartition("/Annotations/") if inside else ("", "", f"/{name}")
        found[year.removeprefix("/"), image.removeprefix("/")[: -len(".xml")]] = name
    return found


def _read_sets(files: Files, annotations: dict[tuple[str, str], str]) -> dict[str, list[tuple[str, str]]]:
    """Lists by file, with the images that each names. Lists of one class are no sets."""
    sets = {}
    for name in files.names():
        year, found, file = f"/{name}".rpartition(f"/{SETS}")
        if not found or "/" in file or not file.endswith(".txt"):
            continue
        if "_" in file and split_word(file[: -len(".txt")].rpartition("_")[2]):
            continue
        year = year.removeprefix("/")
        sets[name] = [(year, _listed(line, year, annotations)) for _, line in read_lines(files, name)]
    return sets


def _listed(line: str, year: str, annotations: dict[tuple[str, str], str]) -> str:
    """The image id of a list's line, some of which have quotes, a class's flag, or the image's suffix."""
    match = _SET_LINE.fullmatch(line)
    parsed = (match["quoted"] or match["plain"]) if match else line
    for image in (line, parsed, without_suffix(parsed)):
        if (year, image) in annotations:
            return image
    return parsed


def _wanted(sets: dict[str, list[tuple[str, str]]], names: Iterable[str]) -> set[tuple[str, str]]:
    """The images of the sets that a person named: ``trainval`` of every year, ``VOC2007/test`` of one."""
    wanted: set[tuple[str, str]] = set()
    for name in names:
        year, _, word = name.rpartition("/")
        found = [
            identities
            for file, identities in sets.items()
            if PurePosixPath(file).stem == word and (not year or f"/{file}".startswith(f"/{year}/{SETS}"))
        ]
        if not found:
            there = ", ".join(sorted(file.replace(SETS, "")[: -len(".txt")] for file in sets)) or "none"
            raise BadRecord(f"there is no set {name!r} in {SETS.removesuffix('/')}; there are: {there}")
        wanted.update(*found)
    return wanted


def _splits(sets: dict[str, list[tuple[str, str]]]) -> dict[tuple[str, str], str]:
    """Where each image belongs. trainval says less than train and val do, and so is asked last."""
    found: dict[tuple[str, str], str] = {}
    for last in (False, True):
        for file, identities in sets.items():
            word = PurePosixPath(file).stem
            split = split_word(word)
            if split and last == (word == "trainval"):
                for identity in identities:
                    found.setdefault(identity, split)
    return found


def _picture(pictures: Pictures, identity: tuple[str, str], root: Element, name: str) -> str:
    """By the XML's own name, as the devkit has it: a filename inside is often of before a renaming."""
    year, image = identity
    for folder in ("JPEGImages/", "images/", ""):
        path = f"{year}/{folder}{image}".removeprefix("/")
        if found := pictures.find_stem(path):
            return found
    try:
        return pictures.find(PurePosixPath(image).name + ".jpg", name)
    except BadRecord:
        called = (root.findtext("filename") or "").strip() or f"{image}.jpg"
        return pictures.find(called, name)


def _boxes(root: Element, name: str) -> tuple[list[Box], list[Problem]]:
    if root.tag != "annotation":
        raise BadRecord(f"XML begins with <{root.tag[:80]}>; VOC's begins with <annotation>")
    boxes, problems = [], []
    for index, node in enumerate(root.findall("object"), 1):
        try:
            boxes.append(_box(node))
        except BadRecord as error:
            problems.append(Problem(f"{name}: object {index}", str(error), "dropped"))
    return boxes, problems


def _box(node: Element) -> Box:
    label = class_name(node.findtext("name"))
    corners = node.find("bndbox")
    if corners is None:
        raise BadRecord(f"object {label!r} has no bndbox")
    left, top, right, bottom = (number(corners.findtext(side, ""), side) for side in CORNERS)
    marks: dict[str, Scalar] = {
        mark: True for mark in TRUTHS if node.findtext(mark, "").strip().lower() in ("1", "true")
    }
    if (pose := node.findtext("pose", "").strip()) and pose != "Unspecified":
        marks["pose"] = pose
    return edges(label, left - 1, top - 1, right, bottom, marks)


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes"}),
    looks_like=_looks_like,
    classes=lambda files, options: None,
    read=_read,
    write=write,
    notes=(
        "VOC counts pixels from 1: one is subtracted from xmin and ymin, as the devkit means it",
        "part (head, hand, foot), actions and segmentation masks are not read",
        "an image that stands in no set comes without a split, and is written to ImageSets/Main/default.txt",
    ),
)
