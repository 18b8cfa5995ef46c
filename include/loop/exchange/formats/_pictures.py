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
# Of files that lie beside the pictures that they name, whole data sets each.
_LABELS = frozenset({".json", ".xml"})
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
        # Which folders have pictures below them (""), and which have labels.
        self._folders: set[tuple[str, str]] = set()
        for folder, kind in {_folder_and_kind(name) for name in files.names()}:
            if kind is not None:
                self._folders |= {(str(above), kind) for above in (folder, *folder.parents)}
        self._splits = {split_of(folder) for folder, kind in self._folders if not kind} - {None}

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
        Never one of another split, or of a data set that lies beside this one: it has a label of its own.

        ``elsewhere`` takes the name for a path of another machine, whose first folders need not be here; an
        absolute path always is one. BadRecord when there is none, or several.
        """
        path = PurePosixPath(called.replace("\\", "/"))
        if ".." in path.parts:
            raise BadRecord(f"image name {shown(called)} leads out of the data set")
        parts = [part for part in path.parts if part != "/"]
        if not parts:
            raise BadRecord(f"image name {shown(called)} names no file")
        alike = self._by_last.get(_plain(parts[-1]), [])
        beside = str(PurePosixPath(near).parent.joinpath(*parts))
        if found := _exact([name for name in alike if _plain(name) == _plain(beside)], beside):
            return self._only(found, called, near)
        starts = len(parts) if elsewhere or path.is_absolute() or parts[0].endswith(":") else 1
        for start in range(starts):
            tail = "/".join(parts[start:])
            ends = [name for name in alike if f"/{_plain(name)}".endswith(f"/{_plain(tail)}")]
            if found := [name for name in ends if not self._is_of_others(name, path, near)]:
                return self._only(_exact(found, tail), called, near)
            if ends:
                raise BadRecord(
                    f"no image {shown(called)}; {ends[0]} is called so, but is of another split or data set"
                )
        raise BadRecord(f"no image {shown(called)} in {self.files.place}")

    def find_stem(self, path: str) -> str | None:
        """The picture at this path without its suffix; BadRecord when there are several."""
        found = self._by_stem.get(_plain(path), [])
        exact = [name for name in found if without_suffix(name) == path]
        return self._only(exact or found, path, "") if found else None

    def _only(self, found: list[str], called: str, near: str) -> str:
        folder = PurePosixPath(near).parent.name
        if len(found) > 1 and folder:
            found = [name for name in found if folder in PurePosixPath(name).parts[:-1]] or found
        if len(found) > 1 and (split := split_of(near)):
            found = [name for name in found if _split(name) == split] or found
        if len(found) > 1:
            raise BadRecord(f"{shown(called)} can be {found[0]} or {found[1]}: name it with its folder")
        return found[0]

    def _is_of_others(self, name: str, called: PurePosixPath, near: str) -> bool:
        """Whether a picture lies in a folder of another split than its labels, whose split has folders too;
        or in a folder beside that of its labels which has labels, or a namesake with pictures, of its own.
        """
        wanted = split_of(str(called.parent)) or split_of(near)
        if wanted in self._splits and _split(name) not in (wanted, None):
            return True
        mine, theirs = PurePosixPath(near).parent.parts, PurePosixPath(name).parent.parts
        at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
        if at is None:
            return False
        suffix = PurePosixPath(near).suffix.lower()
        if ("/".join(mine), suffix) in self._folders:  # the labels are of this source
            return ("/".join(theirs[: at + 1]), suffix) in self._folders
        return ("/".join(mine[: at + 1]), "") in self._folders


def _folder_and_kind(name: str) -> tuple[PurePosixPath, str | None]:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    return path.parent, "" if suffix in SUFFIXES else suffix if suffix in _LABELS else None


def _exact(found: list[str], tail: str) -> list[str]:
    """Those of the very letters, where there are any: two ways to write an accent can be two files."""
    return [name for name in found if f"/{name}".endswith(f"/{tail}")] or found


def _split(name: str) -> str | None:
    return split_of(str(PurePosixPath(name).parent))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)
