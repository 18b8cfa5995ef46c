"""Many labelled images to a ``.rec`` file with its ``.idx``, and back; one image in memory at a time.

Images are packed as they are (im2rec's ``--pass-through``): JPEGs are not encoded anew, so nothing is lost
and the same files make the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from include.recordio import framing
from include.recordio.lists import ListLine, format_index
from include.recordio.records import Record, RecordError, pack, unpack


class Writer:
    """Appends records to a ``.rec`` stream and their places to an ``.idx`` stream, if there is one."""

    def __init__(self, stream: BinaryIO, index: BinaryIO | None = None) -> None:
        self.offset = 0
        self.records = 0
        self._stream, self._index = stream, index

    def add(self, record: Record) -> None:
        """RecordError when the record cannot be packed: nothing of it is written then."""
        payload = pack(record)
        if len(payload) > framing.MAX_PART:
            raise RecordError(f"an image of {len(record.image):,} bytes is too long for a record")
        size = framing.write(self._stream, payload)
        if self._index:
            self._index.write(format_index(record.id, self.offset).encode())
        self.offset += size
        self.records += 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of a file: its ``number`` from 1, the byte at which it starts, and what it is, or why it
    cannot be used.
    """

    number: int
    offset: int
    record: Record | RecordError


def read_records(stream: BinaryIO) -> Iterator[Placed]:
    """Every record of a ``.rec`` stream in its order. RecordIOError where the stream itself is broken."""
    for number, (offset, payload) in enumerate(framing.read_placed(stream), start=1):
        try:
            yield Placed(number, offset, unpack(payload))
        except RecordError as error:
            yield Placed(number, offset, error)


def pack_list(
    lines: Iterable[tuple[int, ListLine | RecordError]], read: Callable[[str], bytes], writer: Writer
) -> Iterator[tuple[int, str]]:
    """Pack the images of a list in its order; the lines that are not packed, each with the reason.

    ``read`` gives an image's bytes by its path, or raises OSError or RecordError. What cannot be read is left
    out and told, as im2rec does; its index is not used again.
    """
    for number, line in lines:
        try:
            if isinstance(line, RecordError):
                raise line
            writer.add(Record(line.index, line.label, read(line.path)))
        except (OSError, RecordError) as error:
            yield number, str(error)
