"""Pictures of a source, found by what its labels call them.

Labels and pictures part easily: tools write paths of another machine, Windows its own slashes, and a Mac's
archive takes accents apart. Only what the source lists is ever found, so no name leads out of it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from weakref import WeakKeyDictionary

from include.loop.core.errors import BadRecord
from include.loop.core.storage import MOST_BYTES
from include.loop.exchange.files import Files
from include.loop.exchange.formats._values import shown, split_of, without_suffix
from include.pictures import PictureError, read_size

# Also those that are refused when they are read, with the reason that tells the person what to do.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic", ".avif"}
)


# A source is read twice, and a size takes a picture's bytes: how large each was, or why it is refused.
_sizes: WeakKeyDictionary[Files, dict[str, tuple[int, int] | str]] = WeakKeyDictionary()


class Pictures:
    """An index of the files that can be pictures, by their last names."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._by_last: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in self.names():
            self._by_last[_plain(PurePosixPath(name).name)].append(name)
            self._by_stem[_plain(without_suffix(name))].append(name)

    def names(self) -> Iterator[str]:
        return (name for name in self.files.names() if PurePosixPath(name).suffix.lower() in SUFFIXES)

    def reader(self, name: str) -> Callable[[], bytes]:
        """What ``Item.read`` is."""
        return partial(self.files.read, name, MOST_BYTES)

    def size(self, name: str) -> tuple[int, int]:
        """Width and height in stored pixels. BadRecord when the picture cannot be used."""
        known = _sizes.setdefault(self.files, {})
        if name not in known:
            try:
                known[name] = read_size(self.files.read(name, MOST_BYTES))
            except (BadRecord, PictureError, FileNotFoundError) as error:
                known[name] = str(error)
        size = known[name]
        if isinstance(size, str):
            raise BadRecord(size)
        return size

    def find(self, called: str, near: str = "", *, elsewhere: bool = False) -> str:
        """The picture that labels in the file ``near`` call so: beside that file, or the only one whose path
        ends in this name; among several the one in a folder of that file's folder's name, or of its split.

        ``elsewhere`` takes the name for a path of another machine, whose first folders need not be here; an
        absolute path always is one. BadRecord when there is none, or several.
        """
        path = PurePosixPath(_plain(called.replace("\\", "/")))
        if ".." in path.parts:
            raise BadRecord(f"image name {shown(called)} leads out of the data set")
        parts = [part for part in path.parts if part != "/"]
        if not parts:
            raise BadRecord(f"image name {shown(called)} names no file")
        alike = self._by_last.get(parts[-1], [])
        beside = _plain(str(PurePosixPath(near).parent.joinpath(*parts)))
        if found := [name for name in alike if _plain(name) == beside]:
            return found[0]
        starts = len(parts) if elsewhere or path.is_absolute() or parts[0].endswith(":") else 1
        for start in range(starts):
            tail = "/".join(parts[start:])
            if found := [name for name in alike if f"/{_plain(name)}".endswith(f"/{tail}")]:
                return self._only(found, called, near)
        raise BadRecord(f"no image {shown(called)} in {self.files.place}")

    def find_stem(self, path: str) -> str | None:
        """The picture at this path without its suffix; BadRecord when there are several."""
        found = self._by_stem.get(_plain(path), [])
        return self._only(found, path, "") if found else None

    def _only(self, found: list[str], called: str, near: str) -> str:
        folder = PurePosixPath(near).parent.name
        if len(found) > 1 and folder:
            found = [name for name in found if folder in PurePosixPath(name).parts[:-1]] or found
        if len(found) > 1 and (split := split_of(near)):
            found = [name for name in found if split_of(str(PurePosixPath(name).parent)) == split] or found
        if len(found) > 1:
            raise BadRecord(f"{shown(called)} can be {found[0]} or {found[1]}: name it with its folder")
        return found[0]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)
