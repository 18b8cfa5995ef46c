"""RecordIO framing, as MXNet and SageMaker's pipes write it: a magic number, a length, the payload, padding
to 4 bytes (dmlc-core's recordio.h).

Takes and gives bytes over any binary stream (file, FIFO, socket file); holds one record in memory at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
MAX_PART = (1 << 29) - 1  # the upper three bits of the length word say which part of a record this is

_HEADER = struct.Struct("<II")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
# A header may claim 512 MiB in a file of 20 bytes: memory is taken as bytes come, and not as they are told.
_PIECE = 1 << 20


class RecordIOError(ValueError):
    """The stream is not RecordIO, or ends inside a record: the message says at which byte."""


def write(stream: BinaryIO, payload: bytes) -> int:
    """Write one record; how many bytes it takes in the stream. RecordIOError as ``frame``."""
    framed = frame(payload)
    stream.write(framed)  # one call: a FIFO's reader wakes once per record
    return len(framed)


def frame(payload: bytes) -> bytes:
    """The bytes of one record in a stream.

    A payload that contains the magic number at a multiple of 4 bytes is cut there and written as several
    parts, so that a reader can find the next record by looking for the magic number. Raises RecordIOError
    above 512 MiB.
    """
    if len(payload) > MAX_PART:
        raise RecordIOError(f"a record of {len(payload)} bytes is too long: RecordIO allows {MAX_PART}")
    if MAGIC_BYTES not in payload:  # nearly all
        size = len(payload)
        return b"".join((_HEADER.pack(MAGIC, size), payload, b"\0" * (-size % 4)))
    parts = _split(payload)
    last = len(parts) - 1
    frames: list[bytes] = []
    for number, part in enumerate(parts):
        if last == 0:
            flag = _WHOLE
        elif number == 0:
            flag = _FIRST
        else:
            flag = _LAST if number == last else _MIDDLE
        frames += _HEADER.pack(MAGIC, flag << 29 | len(part)), part, b"\0" * (-len(part) % 4)
    return b"".join(frames)


def read(stream: BinaryIO) -> Iterator[bytes]:
    """Yield each record's payload until the stream ends; RecordIOError when it is malformed or cut short."""
    return (payload for _, payload in read_placed(stream))


def read_placed(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The same, each with the byte at which the record starts, counted from where the stream stood."""
    parts: list[bytes] = []
    begun = at = total = 0
    while True:
        header = _read_exactly(stream, _HEADER.size, at, may_end=not parts)
        if not header:
            return
        magic, word = _HEADER.unpack(header)
        if magic != MAGIC:
            raise RecordIOError(
                "The Record IO header does not start with the magic number: "
                f"found 0x{magic:08x} at byte {at}; is RecordWrapperType RecordIO?"
            )
        flag, length = word >> 29, word & MAX_PART
        if flag > _LAST or (flag in (_WHOLE, _FIRST)) == bool(parts):
            raise RecordIOError(f"unexpected part flag {flag} in the RecordIO header at byte {at}")
        total = total + len(MAGIC_BYTES) + length if parts else length
        if total > MAX_PART:
            raise RecordIOError(f"the record at byte {begun} is longer than the {MAX_PART} bytes of RecordIO")
        begun = begun if parts else at
        padded = _read_exactly(stream, length + (-length % 4), at + _HEADER.size)
        at += _HEADER.size + len(padded)
        parts.append(padded[:length])
        if flag in (_WHOLE, _LAST):
            yield begun, MAGIC_BYTES.join(parts)  # each cut took one magic number out
            parts = []


def _split(payload: bytes) -> list[bytes]:
    parts, start, found = [], 0, payload.find(MAGIC_BYTES)
    while found >= 0:
        if found % 4 == 0:
            parts.append(payload[start:found])
            start = found + 4
            found = payload.find(MAGIC_BYTES, start)
        else:
            found = payload.find(MAGIC_BYTES, found + 1)
    parts.append(payload[start:])
    return parts


def _read_exactly(stream: BinaryIO, count: int, at: int, may_end: bool = False) -> bytes:
    """Read `count` bytes; a FIFO may hand them over in pieces. Nothing at a clean end when `may_end`."""
    pieces, missing = [], count
    while missing:
        piece = stream.read(min(missing, _PIECE))
        if not piece:
            if may_end and missing == count:
                return b""
            raise RecordIOError(
                f"the stream ends inside a record, at byte {at + count - missing}: "
                f"{missing} of {count} bytes are missing"
            )
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
