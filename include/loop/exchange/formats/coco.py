"""COCO: one JSON file with images, annotations and categories for each split.

Read are ``annotations/instances_train2017.json`` with pictures in folders beside it, one JSON file beside its
pictures (Roboflow's ``train/_annotations.coco.json``), and what CVAT, Label Studio and Datumaro write.
Boxes are ``[left, top, width, height]`` in pixels from 0, as ours are. Keypoints, masks and captions are not
read; an annotation without a bbox gets the box around its polygons. A crowd (``iscrowd``) keeps its bbox and
is marked ``crowd``: whoever learns from it leaves it out, whoever measures may ignore what lies in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeGuard

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.formats._coco_write import TITLE, write
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    class_name,
    edges,
    enclosing,
    marks_of,
    number,
    pixels,
    read_json,
    shown,
    split_of,
    usable,
)
from include.loop.exchange.items import Box, Item, Problem, Scalar

# The same images with other annotations, which nothing is read of when there are instances.
_HEAD = 1 << 16
_USUAL = re.compile(r"instances_.*\.json|_annotations\.coco\.json")
_OTHERS = re.compile(r"(person_keypoints|captions|stuff|panoptic|image_info)_.*")


def _looks_like(files: Files) -> bool:
    names = _label_files(files)
    if any(_USUAL.fullmatch(PurePosixPath(name).name) for name in names):
        return True
    if not names:
        return False
    with files.open(names[0]) as stream:
        head = stream.read(_HEAD).lstrip()
    # Other files have categories, too (the notes.json that Label Studio puts beside YOLO's).
    return head.startswith(b"{") and re.search(rb'"(images|annotations)"\s*:\s*\[', head) is not None


def _classes(files: Files, options: ReadOptions) -> list[str] | None:
    """By category id; those of further files follow."""
    names: dict[str, None] = {}
    for file in _sets(files, options):
        names |= dict.fromkeys(label for _, label in sorted(file.categories.items(), key=_by_number))
    return list(names)


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    sets = _sets(files, options)
    return _items(sets, Pictures(options.images or files))


@dataclass
class _Set:
    """One JSON file. ``annotations`` lie by the image's id, with their place in the file."""

    name: str
    categories: dict[int | str, str]
    images: list[Any]
    annotations: dict[Any, list[tuple[int, Any]]] = field(default_factory=lambda: defaultdict(list))


def _label_files(files: Files) -> list[str]:
    names = [name for name in files.names() if name.lower().endswith(".json")]
    usual = [name for name in names if _USUAL.fullmatch(PurePosixPath(name).name)]
    others = [name for name in names if not _OTHERS.fullmatch(PurePosixPath(name).name)]
    return usual or others or [name for name in names if "person_keypoints_" in name]


def _sets(files: Files, options: ReadOptions) -> list[_Set]:
    """Every file, checked so far that its images can be told apart. ``options.sets`` are splits or stems."""
    names = _label_files(files)
    if not names:
        raise BadRecord(f"{files.place} has no JSON file with images, annotations and categories")
    if options.sets:
        names = [n for n in names if PurePosixPath(n).stem in options.sets or split_of(n) in options.sets]
        if not names:
            there = ", ".join(PurePosixPath(name).stem for name in _label_files(files))
            raise BadRecord(f"there is no set {', '.join(options.sets)}; there are: {there}")
    return [_set(name, read_json(files, name)) for name in names]


def _set(name: str, value: Any) -> _Set:
    if isinstance(value, list):
        raise BadRecord(f"{name}: a list, as results of a model are; COCO's labels are an object")
    for key in ("images", "annotations", "categories"):
        if not isinstance(value, dict) or not isinstance(value.get(key), list):
            raise BadRecord(f"{name}: has no list {key!r}, as COCO's labels have")
    categories: dict[int | str, str] = {}
    for index, category in enumerate(value["categories"]):
        try:
            number_of = _id(_object(category), "id")
            label = class_name(category.get("name"))
        except BadRecord as error:
            raise BadRecord(f"{name}: category {index + 1}: {error}") from None
        if categories.setdefault(number_of, label) != label:
            raise BadRecord(f"{name}: category {number_of} is {categories[number_of]!r} and {label!r}")
    found = _Set(name, categories, value["images"])
    for place, annotation in enumerate(value["annotations"], 1):
        of = annotation.get("image_id") if isinstance(annotation, dict) else None
        found.annotations[of if _is_id(of) else None].append((place, annotation))
    return found


def _items(sets: list[_Set], pictures: Pictures) -> Iterator[Item | Problem]:
    seen: dict[str, str] = {}
    for file in sets:
        names = _image_names(file.images)
        for index, image in enumerate(file.images, 1):
            where = f"{file.name}: image {index}"
            try:
                key, called = _id(_object(image), "id"), _file_name(image)
                if len(names[key]) > 1:
                    raise BadRecord(f"image id {key!r} is of {' and '.join(sorted(names[key])[:2])}")
                where = f"{file.name}: {called}"
                if (picture := pictures.find(called, file.name)) in seen:
                    raise BadRecord(f"is listed twice, before as {seen[picture]}, which is used")
                split = split_of(file.name) or split_of(str(PurePosixPath(picture).parent))
                boxes, problems = _boxes(file, key)
                used = usable(boxes, problems)
            except BadRecord as error:
                yield Problem(where, str(error))
                continue
            seen[picture] = where
            yield from problems
            uri = pictures.files.uri(picture)
            yield Item(
                picture,
                pictures.reader(picture),
                uri,
                pixels(image.get("width"), image.get("height")),
                used,
                split=split,
            )
        for key in file.annotations.keys() - names.keys():
            for index, _ in file.annotations[key]:
                yield Problem(f"{file.name}: annotation {index}", "its image_id is of no image", "dropped")


def _image_names(images: list[Any]) -> dict[Any, set[str]]:
    """Under which names each id is listed: two names for one id leave open whose boxes are whose."""
    names: dict[Any, set[str]] = defaultdict(set)
    for image in images:
        if isinstance(image, dict) and _is_id(image.get("id")):
            names[image["id"]].add(shown(image.get("file_name")))
    return names


def _boxes(file: _Set, key: int | str) -> tuple[list[Box], list[Problem]]:
    boxes, problems, once = [], [], set()
    for index, annotation in file.annotations.get(key, ()):
        try:
            box = _box(annotation, file.categories)
            same = annotation.get("id"), box.label, box.left, box.top, box.width, box.height
            if _is_id(same[0]) and same in once:
                raise BadRecord(f"the annotation with the id {same[0]!r} is written twice")
            once.add(same if _is_id(same[0]) else None)
        except BadRecord as error:
            problems.append(Problem(f"{file.name}: annotation {index}", str(error), "dropped"))
        else:
            boxes.append(box)
    return boxes, problems


def _box(annotation: dict[str, Any], categories: Mapping[int | str, str]) -> Box:
    key = annotation.get("category_id")
    if not _is_id(key) or key not in categories:
        raise BadRecord(f"category_id is {shown(key)}, which no category has")
    label = categories[key]
    attributes = annotation.get("attributes")
    marks: dict[str, Scalar] = marks_of(attributes) if isinstance(attributes, dict) else {}
    if annotation.get("iscrowd") in (1, True):
        marks["crowd"] = True
    bbox = annotation.get("bbox")
    if not bbox and (segments := annotation.get("segmentation")):
        return enclosing(label, _points(segments), marks)
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise BadRecord(f"bbox is {shown(bbox)}; [left, top, width, height] is wanted")
    left, top, width, height = (number(value, "a number of bbox") for value in bbox)
    return edges(label, left, top, left + width, top + height, marks)


def _points(segments: Any) -> list[tuple[float, float]]:
    """The corners of all polygons of an annotation."""
    if not isinstance(segments, list) or not all(isinstance(part, list) for part in segments):
        raise BadRecord("there is no bbox, and segmentation is no list of polygons")
    values = [number(value, "a number of segmentation") for part in segments for value in part]
    if not values or len(values) % 2:
        raise BadRecord("there is no bbox, and segmentation has no pairs of numbers")
    return list(zip(values[::2], values[1::2], strict=True))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRecord(f"is {shown(value)}; an object is wanted")
    return value


def _is_id(value: Any) -> TypeGuard[int | str]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _id(value: dict[str, Any], key: str) -> int | str:
    found = value.get(key)
    if not _is_id(found):
        raise BadRecord(f"{key} is {shown(found)}; a number is wanted")
    return found


def _file_name(image: dict[str, Any]) -> str:
    called = image.get("file_name")
    if not isinstance(called, str) or not called:
        raise BadRecord(f"file_name is {shown(called)}; the image's path is wanted")
    return called


def _by_number(entry: tuple[int | str, str]) -> tuple[bool, int, str]:
    key = entry[0]
    return isinstance(key, str), key if isinstance(key, int) else 0, str(key)


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes"}),
    looks_like=_looks_like,
    classes=_classes,
    read=_read,
    write=write,
    notes=(
        "crowds come marked as such; keypoints, masks and captions are not read",
        "marks of boxes are written as attributes, as CVAT and Datumaro do",
        "an image without a split is written to annotations/instances_default.json",
    ),
)
