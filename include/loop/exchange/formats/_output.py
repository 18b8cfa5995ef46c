"""Files that formats write below a new folder: no name leads out of it, and none is written twice."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from include.loop.core.errors import BadRecord
from include.loop.core.identity import content_hash
from include.loop.exchange.files import is_passed_over
from include.loop.exchange.formats._pictures import SUFFIXES
from include.loop.exchange.formats._values import UNPRINTED, shown, split_of
from include.loop.exchange.items import Item
from include.pictures import PictureError, read_size

_LONGEST_PART = 255  # bytes, of every common file system
# Folders that readers look for: YOLO's labels lie where the last images becomes labels, VOC's by Annotations.
_MEANT = frozenset({"images", "labels", "annotations", "jpegimages", "imagesets"})


def put(folder: Path, name: str, body: bytes) -> None:
    """Write a new file at a path with slashes. BadRecord when no file can have it, or another one has."""
    path = folder / check_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(body)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise BadRecord(f"{name} cannot be written: another image's file or folder has this name") from None


def check_name(name: str) -> str:
    """The name, if a file of it lies inside of its folder on every system. BadRecord otherwise."""
    parts = name.split("/")
    if not name or UNPRINTED.search(name) or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise BadRecord(f"image name {shown(name)} is no path inside of a data set")
    if any(len(part.encode(errors="replace")) > _LONGEST_PART for part in parts):
        raise BadRecord(f"image name {shown(name)} is longer than {_LONGEST_PART} bytes between its slashes")
    return name


def readable_name(item: Item) -> str:
    """What an item's picture is called when it is written: its name, changed where readers would pass it over
    (a hidden file, no picture's suffix) or read something out of its folders (images, test). BadRecord when
    no file can have the name, or the picture that tells its suffix cannot be read.
    """
    path = PurePosixPath(check_name(item.name))
    if any(part.lower() in _MEANT or is_passed_over(part) or split_of(part) for part in path.parts[:-1]):
        path = PurePosixPath("_".join(path.parts))
    if path.name.startswith("."):
        path = path.with_name(f"_{path.name}")
    if path.suffix.lower() not in SUFFIXES:
        path = path.with_name(path.name + (".png" if picture_of(item).startswith(b"\x89PNG") else ".jpg"))
    if len(path.name.encode()) > _LONGEST_PART:
        path = path.with_name(content_hash(item.name) + path.suffix)
    return str(path)


def size_of(item: Item) -> tuple[int, int]:
    """Width and height as the item says, or else as its picture has. BadRecord when there is no picture."""
    try:
        return item.size or read_size(picture_of(item))
    except PictureError as error:
        raise BadRecord(str(error)) from None


def picture_of(item: Item) -> bytes:
    """An item's bytes. BadRecord when there are none."""
    try:
        return item.read()
    except FileNotFoundError as error:
        raise BadRecord(f"no image: {error}") from None
