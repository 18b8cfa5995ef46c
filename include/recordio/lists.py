"""Lists of labelled images (``.lst``) and indexes of packed ones (``.idx``), as MXNet's tools write them.

A line of a list is ``index <tab> numbers of the label <tab> … <tab> path``: one number is a class, more are a
packed label (labels.py). A line of an index is ``key <tab> byte offset``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from include.recordio.labels import Kind, kind_of
from include.recordio.records import MOST_ID, MOST_NUMBERS, Label, RecordError

# 24 characters are enough for a number as anybody writes it; a longer line is no list's.
_MOST_LINE_BYTES = 24 * MOST_NUMBERS
_INDEX = re.compile(r"\d{1,20}(\.0*)?")


@dataclass(frozen=True, slots=True)
class ListLine:
    """One image of a list: its index, its label, and its path below the list's root, with slashes."""

    index: int
    label: Label
    path: str


def read_list(stream: BinaryIO) -> Iterator[tuple[int, ListLine | RecordError]]:
    """Every line that is not blank with its number in the file; what is wrong with one costs only itself."""
    for number, line in _lines(stream):
        try:
            yield number, parse_line(line)
        except RecordError as error:
            yield number, error


def parse_line(line: bytes) -> ListLine:
    """One line of a list. RecordError says what is wrong with it.

    Without a number between index and path it is refused, as im2rec does. A label of one number is a class
    also for ``--pack-label``.
    """
    try:
        index, *numbers, path = (column.strip() for column in line.decode("utf-8-sig").strip().split("\t"))
    except UnicodeDecodeError:
        raise RecordError("a line of a list has to be UTF-8") from None
    except ValueError:
        numbers = []
    if not numbers:
        raise RecordError("a line of a list has three columns at least: index, label, path, parted by tabs")
    if not _INDEX.fullmatch(index) or int(float(index)) > MOST_ID:
        raise RecordError(f"the first column has to be the image's index, a whole number, not {index[:40]!r}")
    label = _label(numbers)
    if len(label) > MOST_NUMBERS:
        raise RecordError(f"a label of {len(label):,} numbers; {MOST_NUMBERS:,} are read at most")
    return ListLine(int(index.partition(".")[0]), label[0] if len(label) == 1 else label, path)


def format_line(line: ListLine) -> str:
    """One line, with its end. Numbers of packed objects have four decimals, as MXNet's own lists of PASCAL
    VOC have them; classes are whole.

    RecordError for a path that would break the line.
    """
    if not line.path or re.search(r"[\t\n\r]", line.path) or line.path != line.path.strip():
        raise RecordError(f"a list cannot hold the path {line.path!r}")
    if not isinstance(line.label, tuple):
        texts = [f"{line.label:g}"]
    elif kind_of(line.label) is Kind.OBJECTS:
        header = int(line.label[0])
        texts = [f"{number:g}" for number in line.label[:header]]
        texts += [f"{number:.4f}" for number in line.label[header:]]
    else:
        texts = [f"{number:g}" for number in line.label]
    return "\t".join((str(line.index), *texts, line.path)) + "\n"


def format_index(key: int, offset: int) -> str:
    """One line of an index, with its end."""
    return f"{key}\t{offset}\n"


def read_index(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Key and byte offset of every record. RecordError for what is no index."""
    for number, line in _lines(stream):
        key, _, offset = line.strip().partition(b"\t")
        if not (key.isdigit() and offset.isdigit() and len(line) < 50):
            raise RecordError(f"line {number} of the index is not a key, a tab and an offset: {line[:40]!r}")
        yield int(key), int(offset)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines end at ``\\n`` and nowhere else; one that does not end in time is no list's."""
    number = 0
    while line := stream.readline(_MOST_LINE_BYTES):
        number += 1
        if len(line) == _MOST_LINE_BYTES and not line.endswith(b"\n"):
            raise RecordError(f"line {number} has more than {_MOST_LINE_BYTES:,} bytes: this is no list")
        if line.strip():
            yield number, line


def _label(texts: list[str]) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, texts))
        if all(map(math.isfinite, numbers)):
            return numbers
    except ValueError:
        pass
    wrong = next(text for text in texts if not _is_number(text))
    raise RecordError(f"{wrong[:40]!r} is no number of a label")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
