"""Open Images: CSV files with one box or one class on each line, and a CSV with the names of the classes.

Boxes (``ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,…``) are shares of the picture's
sides; classes of whole images (``ImageID,Source,LabelName,Confidence``) are verified by people: 1 says that
it is there, 0 that somebody looked and it is not. ``LabelName`` is a code (``/m/01yrx``) whose name stands in
``class-descriptions….csv``; without that file it is the name itself. Columns are found by their names.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import split_lines
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    class_name,
    edges,
    number,
    shown,
    split_of,
    split_word,
    without_suffix,
)
from include.loop.exchange.items import Box, Class, Item, Problem, Scalar

TITLE = "Open Images CSV"
_BOX = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
_CLASS = ("ImageID", "LabelName", "Confidence")
# Column → mark. -1 says that nobody knows (boxes that a machine drew).
_FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsGroupOf": "crowd",
    "IsDepiction": "depiction",
    "IsInside": "inside",
}
_HEAD = 1 << 16
_CHUNK = 1 << 20
_MOST_LINE = 10_000
_DESCRIPTIONS = "class-descriptions"
_HEADER = ["ImageID", "Source", "LabelName", "Confidence"]


def looks_like(files: Files) -> bool:
    found = [name for name in files.names() if name.lower().endswith(".csv")]
    return any(_kind(_header(files, name)) for name in found[:50])


def classes(files: Files, options: ReadOptions) -> list[str] | None:
    names = _descriptions(files)
    return sorted(set(names.values())) if names else None


def read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    tables = _tables(files, options)
    if not tables:
        raise BadRecord(
            f"{files.place} has no CSV with the columns {', '.join(_BOX)} or {', '.join(_CLASS)}"
            + (f" of {', '.join(options.sets)}" if options.sets else "")
        )
    return _items(files, options, tables, _descriptions(files))


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    codes = {name: name for name in options.classes}
    with ExitStack() as stack:
        writers: dict[str, Any] = {}

        def table(name: str, header: Sequence[str]) -> Any:
            if name not in writers:
                file = stack.enter_context(open(folder / name, "x", encoding="utf-8", newline=""))
                writers[name] = csv.writer(file, lineterminator="\n")
                writers[name].writerow(header)
            return writers[name]

        taken: set[str] = set()
        for item in items:
            try:
                name = readable_name(item) if options.copy_images else check_name(item.name)
                # An id has no folders, and a field of a CSV no blanks around it.
                image = without_suffix(name).replace("/", "_").strip()
                if image.casefold() in taken:
                    raise BadRecord(f"another image has the id {shown(image)} already")
                if options.copy_images:
                    put(
                        folder,
                        f"{item.split or 'images'}/{image}{PurePosixPath(name).suffix}",
                        picture_of(item),
                    )
                size = size_of(item) if item.boxes else (1, 1)
            except BadRecord as error:
                yield Problem(item.name, str(error))
                continue
            taken.add(image.casefold())
            split = item.split or "images"
            yield from _lost(item)
            if item.boxes is not None:
                rows = table(f"{split}-annotations-bbox.csv", [*_HEADER, *_BOX[2:], *_FLAGS])
                rows.writerows(_box_row(image, box, size) for box in item.boxes)
            if item.classes is not None:
                rows = table(f"{split}-annotations-human-imagelabels.csv", _HEADER)
                rows.writerows(
                    [image, "verification", said.label, int(said.present)] for said in item.classes
                )
        names = csv.writer(
            stack.enter_context(open(folder / f"{_DESCRIPTIONS}.csv", "x", encoding="utf-8", newline="")),
            lineterminator="\n",
        )
        names.writerows(codes.items())


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes", "classes", "many_classes"}),
    looks_like=looks_like,
    classes=classes,
    read=read,
    write=write,
    notes=(
        "an image without any line is not in it: images with nothing on them are lost",
        "classes that nobody verified on an image count as absent, and one of which nobody said that a class "
        "is there is refused unless all were looked for",
        "images are named by an id; boxes are shares of their sides, so pictures are read for their size",
    ),
)


@dataclass
class _Image:
    """What the lines say of one image."""

    boxes: list[tuple[str, tuple[float, float, float, float], dict[str, Scalar]]] = field(
        default_factory=list
    )
    classes: dict[str, Class] = field(default_factory=dict)
    has_boxes: bool = False
    has_classes: bool = False
    problems: list[Problem] = field(default_factory=list)


def _lost(item: Item) -> Iterator[Problem]:
    if not item.boxes and not item.classes:
        yield Problem(item.name, f"{TITLE} has no line for an image without labels", "unheld")
    marks = {mark for box in item.boxes or () for mark in box.marks} - {*_FLAGS.values(), "confidence"}
    for mark in sorted(marks):
        yield Problem(item.name, f"{TITLE} does not hold the mark {mark!r} of boxes", "unheld")
    if any(said.present and said.confidence not in {None, 1} for said in item.classes or ()):
        yield Problem(item.name, f"{TITLE} says of a class that it is there or not, not how surely", "unheld")


def _box_row(image: str, box: Box, size: tuple[int, int]) -> list[Any]:
    width, height = size
    sides = (
        box.left / width,
        (box.left + box.width) / width,
        box.top / height,
        (box.top + box.height) / height,
    )
    flags = (int(bool(box.marks.get(mark))) for mark in _FLAGS.values())
    return [image, "xclick", box.label, box.marks.get("confidence", 1), *sides, *flags]


def _header(files: Files, name: str) -> list[str]:
    try:
        with files.open(name) as stream:
            head = stream.read(_HEAD)
    except (BadRecord, FileNotFoundError):
        return []
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    try:
        return _row(line.strip())
    except BadRecord:
        return []


def _row(line: str) -> list[str]:
    """The fields of a line. BadRecord when it is none, as with a carriage return in its midst."""
    try:
        return next(iter(csv.reader([line])), [])
    except csv.Error as error:
        raise BadRecord(f"is no line of a CSV: {error}") from None


def _kind(header: Sequence[str]) -> str | None:
    if set(_BOX) <= set(header):
        return "boxes"
    return "classes" if set(_CLASS) <= set(header) else None


def _tables(files: Files, options: ReadOptions) -> dict[str, str]:
    """The CSV files with labels, and which kind each has."""
    wanted = {split_word(word) or word for word in options.sets}
    found = {}
    for name in files.names():
        if not name.lower().endswith(".csv") or (wanted and _split(name) not in wanted):
            continue
        if kind := _kind(_header(files, name)):
            found[name] = kind
    return found


def _split(file: str) -> str | None:
    """``oidv6-train-annotations-bbox.csv`` is of train; the folder says it where the name does not."""
    words = re.split(r"[^a-z]+", PurePosixPath(file).name.lower())
    return next(
        (split for word in words if (split := split_word(word))), split_of(str(PurePosixPath(file).parent))
    )


def _descriptions(files: Files) -> dict[str, str]:
    """Names of classes by their codes. The file has a header in some versions only."""
    names: dict[str, str] = {}
    for file in files.names():
        if not PurePosixPath(file).name.startswith(_DESCRIPTIONS) or not file.lower().endswith(".csv"):
            continue
        for number_, line in _lines(files, file):
            try:
                row = _row(line)
                name = class_name(row[1]) if len(row) > 1 else ""
            except BadRecord as error:
                raise BadRecord(f"{file}:{number_}: {error}") from None
            if len(row) < 2 or row[:2] == ["LabelName", "DisplayName"]:
                continue
            if names.setdefault(row[0].strip(), name) != name:
                raise BadRecord(
                    f"{file}:{number_}: {shown(row[0])} is {names[row[0].strip()]!r} elsewhere, {name!r} here"
                )
    return names


def _lines(files: Files, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a CSV of simple fields: none of them goes on in the next line."""
    with files.open(name) as stream:
        for count, line in enumerate(split_lines(iter(lambda: stream.read(_CHUNK), b"")), start=1):
            text = line.decode("utf-8-sig", errors="replace").strip()
            if text:
                yield count, text[:_MOST_LINE]


def _items(
    files: Files, options: ReadOptions, tables: Mapping[str, str], names: Mapping[str, str]
) -> Iterator[Item | Problem]:
    pictures = Pictures(options.images or files)
    images: dict[tuple[str | None, str], _Image] = defaultdict(_Image)
    for file, kind in tables.items():
        yield from _read_table(files, file, kind, names, images)
    yield from _unverified(images, tables)
    stems: dict[str, list[str]] = defaultdict(list)
    for name in pictures.names():
        stems[PurePosixPath(name).stem].append(name)
    folders = {str(PurePosixPath(name).parent) for name in pictures.names()}
    splits = {split_of(folder) for folder in folders}
    for (split, image), said in images.items():
        yield from said.problems
        alike = stems.get(image, [])
        if len(alike) > 1 or split in splits:  # an id of another split is another picture
            own = [name for name in alike if split_of(str(PurePosixPath(name).parent)) == split]
            nobodys = [name for name in alike if split_of(str(PurePosixPath(name).parent)) is None]
            alike = own or nobodys
        if len(alike) != 1:
            what = "several images are" if alike else "no image is"
            of = f" of {split}" if stems.get(image) and split else ""
            yield Problem(image, f"{what} called {shown(image)}{of} in {pictures.files.place}")
            continue
        yield from _item(pictures, alike[0], split, said)


def _unverified(
    images: Mapping[tuple[str | None, str], _Image], tables: Mapping[str, str]
) -> Iterator[Problem]:
    """That classes were looked for on some images only, where the source tells that from their absence: a
    label of many classes cannot.
    """
    said = [image.classes for image in images.values() if image.has_classes]
    names = {name for classes in said for name in classes}
    if not any(not one.present for classes in said for one in classes.values()):
        return
    some = [
        classes
        for classes in said
        if len(classes) < len(names) and any(one.present for one in classes.values())
    ]
    if some:
        table = next(file for file, kind in tables.items() if kind == "classes")
        yield Problem(
            table,
            f"{len(some):,} images are verified for some of the {len(names)} classes only: a pipeline with "
            "many classes for an image learns the others as absent",
            "mended",
        )


def _item(pictures: Pictures, name: str, split: str | None, said: _Image) -> Iterator[Item | Problem]:
    size, boxes = None, []
    if said.has_boxes:
        try:
            size = pictures.size(name)
        except (BadRecord, FileNotFoundError) as error:
            yield Problem(name, str(error))
            return
        width, height = size
        for label, (left, right, top, bottom), marks in said.boxes:
            try:
                boxes.append(edges(label, left * width, top * height, right * width, bottom * height, marks))
            except BadRecord as error:
                yield Problem(name, str(error), "dropped")
        if not boxes:
            yield Problem(name, "none of its boxes can be used")
            return
    yield Item(
        name,
        pictures.reader(name),
        pictures.files.uri(name),
        size,
        boxes=tuple(boxes) if said.has_boxes else None,
        classes=tuple(said.classes.values()) if said.has_classes else None,
        split=split,
    )


def _read_table(
    files: Files,
    file: str,
    kind: str,
    names: Mapping[str, str],
    images: dict[tuple[str | None, str], _Image],
) -> Iterator[Problem]:
    lines = _lines(files, file)
    header, split = _row(next(lines)[1]), _split(file)
    for count, line in lines:
        try:
            row = dict(zip(header, _row(line), strict=False))
            image, label = row.get("ImageID", "").strip(), row.get("LabelName", "").strip()
            if not image or not label:
                raise BadRecord("has no ImageID, or no LabelName")
            if names and label not in names:
                raise BadRecord(f"LabelName {shown(label)} has no name in {_DESCRIPTIONS}")
            name = names[label] if names else class_name(label)
        except BadRecord as error:
            yield Problem(f"{file}:{count}", str(error))
            continue
        found = images[split, image]
        try:
            if kind == "boxes":
                found.has_boxes = True
                found.boxes.append((name, _sides(row), _marks(row)))
            else:
                found.has_classes = True
                _add_class(found, name, row)
        except BadRecord as error:
            found.problems.append(Problem(f"{file}:{count}", str(error), "dropped"))


def _sides(row: Mapping[str, str]) -> tuple[float, float, float, float]:
    left, right, top, bottom = (number(row.get(side), side) for side in _BOX[2:])
    for side, value in zip(_BOX[2:], (left, right, top, bottom), strict=True):
        if not -1 <= value <= 2:
            raise BadRecord(f"{side} is {value:g}, and a share of the image's side is 0 to 1")
    return left, right, top, bottom


def _marks(row: Mapping[str, str]) -> dict[str, Scalar]:
    marks: dict[str, Scalar] = {
        mark: True for column, mark in _FLAGS.items() if row.get(column, "").strip() == "1"
    }
    said = row.get("Confidence", "").strip()
    if said and (confidence := number(said, "Confidence")) not in {0, 1}:  # 1 is what people's boxes have
        marks["confidence"] = confidence
    return marks


def _add_class(found: _Image, name: str, row: Mapping[str, str]) -> None:
    confidence = number(row.get("Confidence"), "Confidence")
    if not 0 <= confidence <= 1:
        raise BadRecord(f"Confidence is {confidence:g}; 0 to 1 is wanted")
    said = Class(name, None if confidence in {0, 1} else confidence, present=confidence > 0)
    if found.classes.setdefault(name, said).present != said.present:
        raise BadRecord(
            f"{name} was said to be {'not ' if confidence else ''}on the image before: that counts"
        )
