"""The names of a file's class indices, which no record has: a list beside it, one a line in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from include.recordio.records import RecordError

CLASSES_FILE = "classes.txt"
MOST_BYTES = 16 << 20


def find_class_names(rec: str, read: Callable[[str], bytes]) -> tuple[str, list[str]] | None:
    """Where the list of a ``.rec`` or ``.lst`` lies (``train.classes.txt``, else ``classes.txt`` in its
    folder) and what it says; None when there is none. ``read`` gives a file's bytes, or raises
    FileNotFoundError.

    RecordError for what is no list, with its place.
    """
    folder, slash, name = rec.rpartition("/")
    for beside in (f"{name.rpartition('.')[0]}.{CLASSES_FILE}", CLASSES_FILE):
        place = f"{folder}{slash}{beside}"
        try:
            return place, _parse(read(place))
        except FileNotFoundError:
            continue
        except RecordError as error:
            raise RecordError(f"{place} {error}") from None
    return None


def format_class_names(names: Iterable[str]) -> bytes:
    """The list's bytes. RecordError for a name that would break it."""
    lines = []
    for name in names:
        if name != name.strip() or not name or "\n" in name:
            raise RecordError(f"{CLASSES_FILE} has one class a line: the name {name!r} would break it")
        lines.append(f"{name}\n")
    return "".join(lines).encode()


def _parse(body: bytes) -> list[str]:
    try:
        names = [line.strip() for line in body.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError:
        raise RecordError("has to be UTF-8, one class a line") from None
    while names and not names[-1]:
        names.pop()
    if not names or not all(names) or len({*names}) < len(names):
        raise RecordError("has to name every class once, one a line, in the order of their ids")
    return names
