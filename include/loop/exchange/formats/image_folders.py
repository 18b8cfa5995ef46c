"""One folder of pictures for each class, alone or below folders for the splits: ``train/cat/1.jpg``.

What torchvision, Keras and im2rec read. A picture's class is the folder below the split, or the first one;
folders inside of it are its own affair. An archive's single outer folder is passed over. Folders called
train, val or test are splits where one of them has folders inside, and classes where none has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files, is_passed_over
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.formats._output import picture_of, put, readable_name
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import class_name, split_word
from include.loop.exchange.items import Class, Item, Problem

TITLE = "Image folders"
# Files of other formats: pictures beside them have labels that are no folders.
_LABELS = (".xml", ".json", ".manifest", ".rec", ".yaml", ".yml", ".csv", ".lst")


def looks_like(files: Files) -> bool:
    if any(
        name.lower().endswith(_LABELS) or ("/" in name and name.lower().endswith(".txt"))
        for name in files.names()
    ):
        return False
    return any("/" in name for name in Pictures(files).names())


def classes(files: Files, options: ReadOptions) -> list[str] | None:
    """The folders in alphabetical order, as all that read this format number them."""
    outer = _outer(files)
    has_splits = _has_splits(files, outer)
    found = {_place(_parts(name, outer), has_splits)[1] for name in Pictures(files).names()}
    return sorted(name for name in found if name)


def read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    pictures, outer = Pictures(files), _outer(files)
    has_splits = _has_splits(files, outer)
    for name in pictures.names():
        split, label = _place(_parts(name, outer), has_splits)
        if options.sets and (split or "") not in {split_word(word) or word for word in options.sets}:
            continue
        if not label:
            yield Problem(name, "lies in no class's folder")
            continue
        try:
            said = (Class(class_name(label)),)
        except BadRecord as error:
            yield Problem(name, str(error))
            continue
        yield Item(name, pictures.reader(name), files.uri(name), classes=said, split=split)


def write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    for name in options.classes:
        if "/" in name or "\\" in name or is_passed_over(name) or split_word(name):
            raise BadRecord(f"class {name!r} cannot be the name of a folder")
    for item in items:
        present = [said for said in item.classes or () if said.present]
        if len(present) != 1:
            why = f"is of {len(present)} classes" if item.classes is not None else "has no class"
            yield Problem(item.name, f"{why}, and a picture lies in one folder", "unheld")
            continue
        if item.boxes:
            yield Problem(item.name, f"{TITLE} hold no boxes", "unheld")
        if present[0].confidence is not None:
            yield Problem(item.name, f"{TITLE} do not hold how sure a class is", "unheld")
        parts = [item.split] if item.split else []
        try:
            put(folder, "/".join([*parts, present[0].label, readable_name(item)]), picture_of(item))
        except BadRecord as error:
            yield Problem(item.name, str(error))


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"classes"}),
    looks_like=looks_like,
    classes=classes,
    read=read,
    write=write,
    notes=(
        "one class for an image",
        "splits are the folders train, validation (val) and test above the classes'",
    ),
)


def _outer(files: Files) -> str:
    """The one folder that everything lies in, when classes are below it; else nothing."""
    folders = [PurePosixPath(name).parts[:-1] for name in Pictures(files).names()]
    first = folders[0][0] if folders and folders[0] else ""
    alone = all(len(parts) > 1 and parts[0] == first for parts in folders)
    return first if alone and not split_word(first) else ""


def _parts(name: str, outer: str) -> Sequence[str]:
    parts = PurePosixPath(name).parts[:-1]
    return parts[1:] if outer else parts


def _has_splits(files: Files, outer: str) -> bool:
    """Whether folders called like splits are some: pictures right inside of all of them are of a class."""
    parts = (_parts(name, outer) for name in Pictures(files).names())
    return any(len(folders) > 1 and split_word(folders[0]) for folders in parts)


def _place(parts: Sequence[str], has_splits: bool) -> tuple[str | None, str]:
    """Split and class of the picture in these folders."""
    split = split_word(parts[0]) if parts and has_splits else None
    inner = parts[1:] if split else parts
    return split, inner[0] if inner else ""
