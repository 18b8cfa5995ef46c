"""RecordIO files of MXNet and SageMaker (``.rec``), alone or with ``.lst`` and ``.idx`` beside them.

The images and labels come from the records, of objects, one class or many, as their headers tell; the names
of the images from the list, where there is one. A record has class indices only: their names are given, or
stand in ``classes.txt`` beside the file, one a line in their order. A list alone is read as well, with its
images as files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.formats._recordio_read import read_file, read_list_file
from include.loop.exchange.formats._recordio_write import write
from include.loop.exchange.items import Item, Problem
from include.recordio.class_names import CLASSES_FILE, MOST_BYTES

_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def _looks_like(files: Files) -> bool:
    return any(name.endswith((".rec", ".lst")) for name in files.names())


def _classes(files: Files, options: ReadOptions) -> list[str] | None:
    if options.classes:
        return list(options.classes)
    first: tuple[str, list[str]] | None = None
    for name in _data_files(files, options):
        try:
            found = recordio.find_class_names(name, lambda place: files.read(place, MOST_BYTES))
        except recordio.RecordError as error:
            raise BadRecord(str(error)) from None
        if first and found and first[1] != found[1]:
            raise BadRecord(
                f"{first[0]} and {found[0]} name different classes: import their files one by one"
            )
        first = first or found
    return first[1] if first else None


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    classes = _classes(files, options)
    names = _data_files(files, options)
    if not names:
        of = f" of {', '.join(options.sets)}" if options.sets else ""
        raise BadRecord(f"{files.place} has no .rec or .lst file{of}")
    if classes is None:
        raise BadRecord(
            f"{names[0]} has class indices and no names: say them with --classes FILE, or put {CLASSES_FILE} "
            "beside it, one class a line, in the order of their ids"
        )
    for name in _lists_alone(files, options, names):
        yield Problem(name, "is passed over, since other files here are packed: import it by itself")
    seen: set[int] = set()
    for name in names:
        split = _split_of(name)
        if name.endswith(".rec"):
            yield from read_file(files, name, classes, split, seen)
        else:
            yield from read_list_file(files, options.images or files, name, classes, split, seen)


def _data_files(files: Files, options: ReadOptions) -> list[str]:
    """The ``.rec`` files; where there are none, the lists from which they would be packed."""
    return _chosen(files, options, ".rec") or _chosen(files, options, ".lst")


def _lists_alone(files: Files, options: ReadOptions, names: Sequence[str]) -> list[str]:
    """Lists without records among those that have them: one image could stand in both."""
    packed = {name.removesuffix(".rec") for name in names if name.endswith(".rec")}
    lists = _chosen(files, options, ".lst") if packed else []
    return [name for name in lists if name.removesuffix(".lst") not in packed]


def _chosen(files: Files, options: ReadOptions, ending: str) -> list[str]:
    names = [name for name in files.names() if name.endswith(ending)]
    wanted = {_SPLITS.get(part, part) for part in options.sets}
    return [name for name in names if not wanted or _split_of(name) in wanted or Path(name).stem in wanted]


def _split_of(name: str) -> str | None:
    """What a file is for: ``train.rec``, ``val-00001.rec``, or ``validation/a.rec`` as channels lie."""
    for part in (Path(name).stem, Path(name).parent.name):
        if split := _SPLITS.get(re.sub(r"[-_.\d]+$", "", part.lower())):
            return split
    return None


FORMAT = Format(
    title="RecordIO (.rec, with or without .lst and .idx; or a .lst with its images)",
    holds=frozenset({"boxes", "classes", "many_classes"}),
    looks_like=_looks_like,
    classes=_classes,
    read=_read,
    write=write,
    notes=(
        "Images are packed as they are (im2rec's --pass-through), never encoded anew.",
        "An image without boxes cannot be in a RecordIO for SageMaker's object detection: it is left out.",
        "Of what lists say of an object besides, difficult is read; it is not written.",
    ),
)
