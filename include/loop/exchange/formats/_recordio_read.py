"""The records of one ``.rec`` file, or the lines of one ``.lst``, as items. Streams; an ``Item`` holds its
image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.core.storage import MOST_BYTES
from include.loop.exchange.files import Files, check_name
from include.loop.exchange.items import Box, Class, Item, Problem
from include.pictures import PictureError, read_size

# Pixels are told to a thousandth: fractions of 32 bits give back whole ones exactly.
_DIGITS = 3


def read_file(
    files: Files, name: str, classes: Sequence[str], split: str | None, seen: set[int]
) -> Iterator[Item | Problem]:
    """One ``.rec``. BadRecord when its framing is broken, as what follows could be anything."""
    with ExitStack() as stack:
        paths = _Paths(_list_beside(files, name, stack), f"{name.removesuffix('.rec')}.lst")
        stream = stack.enter_context(files.open(name))
        records = recordio.read_records(stream)
        while True:
            try:
                placed = next(records, None)
            except recordio.RecordIOError as error:
                raise BadRecord(f"{name}: {error}") from None
            if placed is None:
                break
            where = f"record {placed.number} of {name} (byte {placed.offset})"
            try:
                if isinstance(placed.record, recordio.RecordError):
                    raise placed.record
                size = read_size(placed.record.image)
                path = paths.find(placed.record.id) or _own_path(name, placed.record)
                yield from paths.take_problems()
                path = _unique(path, name, placed.number, seen)
                yield from _items(placed.record, path, size, classes, split, where)
            except (recordio.RecordError, PictureError) as error:
                yield Problem(where, str(error))


def read_list_file(
    files: Files, images: Files, name: str, classes: Sequence[str], split: str | None, seen: set[int]
) -> Iterator[Item | Problem]:
    """A list without records, whose images are files still."""
    with files.open(name) as stream:
        lines = recordio.read_list(stream)
        while True:
            try:
                found = next(lines, None)
            except recordio.RecordError as error:
                raise BadRecord(f"{name}: {error}") from None
            if found is None:
                break
            number, line = found
            where = f"line {number} of {name}"
            try:
                if isinstance(line, recordio.RecordError):
                    raise line
                if len(classes) == 1 and not isinstance(line.label, tuple):
                    # Many classes as zeros and ones look the same, and mean the opposite.
                    raise recordio.RecordError(
                        f"a list with one number for each image and one class, {classes[0]!r}, does not say "
                        "whether 0 is that class or its absence; a .rec does, image folders too"
                    )
                record = recordio.Record(line.index, line.label, images.read(line.path, MOST_BYTES))
                size = read_size(record.image)
                path = _unique(line.path, name, number, seen)
                yield from _items(record, path, size, classes, split, where)
            except (BadRecord, FileNotFoundError, PictureError, recordio.RecordError) as error:
                yield Problem(where, str(error))


def _unique(path: str, name: str, number: int, seen: set[int]) -> str:
    """The path of an image in the whole source: two lists may have the same one, and ids may come twice."""
    if hash(path) in seen:
        path = f"{name.rpartition('.')[0]}/{number}/{path}"
    seen.add(hash(path))
    return path


class _Paths:
    """The images' paths by their index, from a list that is read beside its records: they are in the same
    order, so that only what is passed over has to be kept.
    """

    def __init__(self, stream: BinaryIO | None, place: str) -> None:
        self._problems: list[Problem] = []
        self._place = place
        self._lines = recordio.read_list(stream) if stream else iter(())
        self._passed: dict[int, str] = {}

    def find(self, index: int) -> str | None:
        if (found := self._passed.pop(index, None)) is not None:
            return found
        for number, line in self._lines:
            if isinstance(line, recordio.RecordError):
                self._tell(number, str(line))
            elif self._may_be(number, line.path):
                if line.index == index:
                    return line.path
                self._passed[line.index] = line.path
        return None

    def take_problems(self) -> list[Problem]:
        """What was wrong with the lines that were read since."""
        taken, self._problems = self._problems, []
        return taken

    def _may_be(self, number: int, path: str) -> bool:
        try:
            check_name(path)
        except BadRecord as error:
            self._tell(number, str(error))
            return False
        return True

    def _tell(self, number: int, reason: str) -> None:
        reason = f"{reason}; the image is called by its id"
        self._problems.append(Problem(f"line {number} of {self._place}", reason, "mended"))


def _list_beside(files: Files, name: str, stack: ExitStack) -> BinaryIO | None:
    try:
        return stack.enter_context(files.open(f"{name.removesuffix('.rec')}.lst"))
    except FileNotFoundError:
        return None


def _own_path(name: str, record: recordio.Record) -> str:
    ending = "png" if record.image.startswith(b"\x89PNG") else "jpg"
    return f"{Path(name).stem}/{record.id:08d}.{ending}"


def _items(
    record: recordio.Record,
    path: str,
    size: tuple[int, int],
    classes: Sequence[str],
    split: str | None,
    where: str,
) -> Iterator[Item | Problem]:
    boxes: tuple[Box, ...] | None = None
    found: tuple[Class, ...] | None = None
    kind = recordio.kind_of(record.label)
    if not isinstance(record.label, tuple):
        found = (Class(_name(recordio.read_class(record.label), classes)),)
    elif kind is recordio.Kind.CLASSES:
        if len(record.label) != len(classes):
            raise recordio.RecordError(
                f"its label has {len(record.label)} classes, and {len(classes)} are named"
            )
        found = tuple(Class(classes[index]) for index in recordio.read_classes(record.label))
    else:
        objects, kept = recordio.read_objects(record.label), []
        for number, item in enumerate(objects, start=1):
            try:
                kept.append(_box(item, size, classes))
            except recordio.RecordError as error:
                yield Problem(f"object {number} of {where}", str(error), "dropped")
        if objects and not kept:
            raise recordio.RecordError(f"none of its {len(objects)} objects can be used")
        boxes = tuple(kept)
    image = record.image
    yield Item(path, lambda: image, size=size, boxes=boxes, classes=found, split=split)


def _box(item: recordio.Object, size: tuple[int, int], classes: Sequence[str]) -> Box:
    left, top, right, bottom = (
        round(fraction * side, _DIGITS)
        for fraction, side in zip((item.xmin, item.ymin, item.xmax, item.ymax), size * 2, strict=True)
    )
    if right <= left or bottom <= top:
        raise recordio.RecordError(f"a box from {left:g}, {top:g} to {right:g}, {bottom:g} has no area")
    marks = {"difficult": True} if item.extras[:1] == (1,) else {}
    width, height = round(right - left, _DIGITS), round(bottom - top, _DIGITS)
    return Box(_name(item.class_id, classes), left, top, width, height, marks)


def _name(index: int, classes: Sequence[str]) -> str:
    if index >= len(classes):
        raise recordio.RecordError(f"class {index} is none of the {len(classes)} that are named")
    return classes[index]
