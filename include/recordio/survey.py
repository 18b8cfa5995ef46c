"""What is in a ``.rec`` or ``.lst``, counted and shown: in one pass, in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from include.recordio.labels import Kind, kind_of, read_class, read_classes, read_objects
from include.recordio.lists import ListLine, read_list
from include.recordio.packing import read_records
from include.recordio.records import Label, Record, RecordError


@dataclass
class Survey:
    """``records`` that can be used, of which ``kinds``; things by class; how many numbers the longest label
    has (``label_width`` has to be so large), how many images have nothing on them; and what is ``refused``.
    """

    records: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    classes: Counter[int] = field(default_factory=Counter)
    widest: int = 0
    empty: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    refusals: int = 0

    def add(self, label: Label) -> None:
        """RecordError for a label that cannot be used."""
        kind = kind_of(label)
        these = classes_of(label)
        self.records += 1
        self.kinds[kind] += 1
        self.classes.update(these)
        self.empty += not these
        self.widest = max(self.widest, len(label) if isinstance(label, tuple) else 1)


_TOLD = 20


def survey(stream: BinaryIO) -> Survey:
    """Count a ``.rec`` stream. RecordIOError when the stream is broken; unusable records are counted."""
    found = Survey()
    for placed in read_records(stream):
        try:
            if isinstance(placed.record, RecordError):
                raise placed.record
            found.add(placed.record.label)
        except RecordError as error:
            found.refusals += 1
            if len(found.refused) < _TOLD:
                found.refused.append((placed.number, str(error)))
    return found


def classes_of(label: Label) -> tuple[int, ...]:
    """The class of every thing that a label names."""
    if not isinstance(label, tuple):
        return (read_class(label),)
    if kind_of(label) is Kind.OBJECTS:
        return tuple(item.class_id for item in read_objects(label))
    return read_classes(label)


def preview(stream: BinaryIO, limit: int) -> Iterator[str]:
    """The first records of a ``.rec`` in words, one text each."""
    for placed in islice(read_records(stream), limit):
        where = f"record {placed.number}, byte {placed.offset}"
        if isinstance(placed.record, Record):
            record = placed.record
            yield f"{where}: index {record.id}, image of {len(record.image):,} bytes; {_told(record.label)}"
        else:
            yield f"{where}: cannot be used: {placed.record}"


def preview_list(stream: BinaryIO, limit: int) -> Iterator[str]:
    """The first lines of a ``.lst`` in words, one text each."""
    for number, line in islice(read_list(stream), limit):
        if isinstance(line, ListLine):
            yield f"line {number}: index {line.index}, {line.path}; {_told(line.label)}"
        else:
            yield f"line {number}: cannot be used: {line}"


def _told(label: Label) -> str:
    try:
        kind = kind_of(label)
        if not isinstance(label, tuple):
            return f"class {read_class(label)}"
        if kind is Kind.CLASSES:
            return f"classes {', '.join(map(str, read_classes(label))) or 'none'} of {len(label)}"
        objects = read_objects(label)
    except RecordError as error:
        return f"label cannot be used: {error}"
    boxes = "; ".join(
        f"class {item.class_id} at {item.xmin:.4f} {item.ymin:.4f} {item.xmax:.4f} {item.ymax:.4f}"
        + "".join(f" {extra:g}" for extra in item.extras)
        for item in objects
    )
    return f"{len(objects)} object{'s' * (len(objects) != 1)}" + (f": {boxes}" if boxes else "")
