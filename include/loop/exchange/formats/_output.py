"""Files that formats write below a new folder: no name leads out of it, and none is written twice."""

from __future__ import annotations

from pathlib import Path

from include.loop.core.errors import BadRecord
from include.loop.exchange.formats._values import UNPRINTED, shown
from include.loop.exchange.items import Item
from include.pictures import PictureError, read_size

_LONGEST_PART = 255  # bytes, of every common file system


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
