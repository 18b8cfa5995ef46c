"""One labelled image as a record's payload: MXNet's IRHeader, the label, the image.

The header is ``IfQQ``, little endian: a flag (how many numbers of a label follow; 0: the one label stands in
the header), the label, the image's index in its list, a second id that nobody uses. Takes and gives bytes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

# One class, or several numbers: what they mean is in labels.py.
Label = float | tuple[float, ...]

HEADER = struct.Struct("<IfQQ")
# Of one label: 200,000 boxes, or as many classes. Numbers of a hostile record take ten times its bytes.
MOST_NUMBERS = 1 << 20
MOST_ID = (1 << 64) - 1


class RecordError(ValueError):
    """A record is framed well, and its content is none that can be used; the stream goes on behind it."""


@dataclass(frozen=True, slots=True)
class Record:
    """A labelled image: its ``id`` is the index in the list that it was packed from."""

    id: int
    label: Label
    image: bytes


def pack(record: Record) -> bytes:
    """The payload, byte for byte as MXNet's ``recordio.pack`` makes it. RecordError for a number that no
    float of 32 bits can be.
    """
    if not 0 <= record.id <= MOST_ID:
        raise RecordError(f"{record.id} is no id of a record: 0 to {MOST_ID}")
    try:
        if not isinstance(record.label, tuple):
            return HEADER.pack(0, record.label, record.id, 0) + record.image
        count = len(record.label)
        if not 0 < count <= MOST_NUMBERS:
            raise RecordError(f"a label of {count:,} numbers cannot be packed: 1 to {MOST_NUMBERS:,}")
        numbers = struct.pack(f"<{count}f", *record.label)
    except (OverflowError, struct.error) as error:
        raise RecordError(f"a number of the label does not fit: {error}") from None
    return b"".join((HEADER.pack(count, 0.0, record.id, 0), numbers, record.image))


def unpack(payload: bytes) -> Record:
    """The labelled image of a payload. RecordError when it has no whole header, when it says that its label
    is longer than it is itself, when a number is not finite, or no image follows.
    """
    if len(payload) < HEADER.size:
        raise RecordError(f"{len(payload)} bytes are too few for a record's header of {HEADER.size}")
    count, number, index, _ = HEADER.unpack_from(payload)
    start = HEADER.size + 4 * count
    if count > MOST_NUMBERS or start > len(payload):
        raise RecordError(
            f"its header says that {count:,} numbers of a label follow, but the record has "
            f"{len(payload):,} bytes (and {MOST_NUMBERS:,} numbers are read at most)"
        )
    label: Label = struct.unpack_from(f"<{count}f", payload, HEADER.size) if count else number
    if not all(map(math.isfinite, label if isinstance(label, tuple) else (label,))):
        raise RecordError("a number of its label is not finite")
    if start == len(payload):
        raise RecordError("no image follows its label")
    return Record(index, label, payload[start:])
