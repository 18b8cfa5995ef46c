"""Files as bad copies, bad programs and bad people leave them: mutants of good ones, for property tests.

Takes good files, gives a hypothesis strategy of bytes: bits flipped, parts cut off, cut out, inserted, said
twice, changed places, numbers replaced by those that programs fall over. ``split`` and ``join`` tell where a
format's parts are (lines, chunks, records); a ``join`` that writes lengths and checksums anew gets mutants
past a reader's first check. ``thorough`` sets how many of them a test tries.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from random import Random
from struct import pack, unpack_from

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Split = Callable[[bytes], list[bytes]]
Join = Callable[[list[bytes]], bytes]

MOST_EDITS = 3
# What has broken parsers of bytes and of text before.
EDGES = (
    *(bytes([value] * size) for value in (0x00, 0x7F, 0x80, 0xFF) for size in (1, 2, 4)),
    *(pack(">I", value) for value in (1, 0xFFFF, 0x1_0000, 0x7FFF_FFF0)),
    *(pack("<I", value) for value in (1, 0xFFFF, 0x1_0000, 0x7FFF_FFF0)),
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b"\x0b",
        b"\x1c",
        "\x85".encode(),
        "\u2028".encode(),
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-1",
        b"0.5",
        b"9" * 400,
        b"true",
        b"null",
        b'""',
        b"\\ud800",
        b"\\u0000",
    ),
    *(b"{", b"[" * 2000, b"}", b"]", b'"', b",", b":", b"\\"),
)


def thorough(examples: int) -> settings:
    """So many mutants, the same ones every time, however slow the machine is."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def mutants(
    files: Sequence[bytes], split: Split | None = None, join: Join = b"".join
) -> st.SearchStrategy[bytes]:
    """One of the files with one to three edits, half of them to its parts when ``split`` finds several.

    A mutant is known by a number: drawn piece by piece, hypothesis would prefer the first byte of all places.
    """

    def mutant(number: int) -> bytes:
        dice = Random(number)
        body = dice.choice(files)
        for _ in range(dice.randint(1, MOST_EDITS)):
            parts = split(body) if split and dice.randrange(2) else []
            body = join(_shuffled(dice, parts)) if len(parts) > 1 else _edited(dice, body)
        return body

    return st.integers(0, 2**64 - 1).map(mutant)


def lines(body: bytes) -> list[bytes]:
    """The parts of a text: its lines, each with the \\n that ends it."""
    return re.findall(rb"[^\n]*\n|[^\n]+", body)


def png_chunks(body: bytes) -> list[bytes]:
    """The parts of a PNG: signature, then name and content of every chunk. One part when it is none."""
    parts, at = [body[:8]], 8
    while at + 12 <= len(body):
        length = unpack_from(">I", body, at)[0]
        parts.append(body[at + 4 : at + 8 + length])
        at += 12 + length
    return parts if at == len(body) else [body]


def join_png(parts: list[bytes]) -> bytes:
    """A PNG whose lengths and checksums are right, whatever its chunks hold."""
    framed = (pack(">I", max(len(part) - 4, 0)) + part + pack(">I", zlib.crc32(part)) for part in parts[1:])
    return parts[0] + b"".join(framed)


def jpeg_segments(body: bytes) -> list[bytes]:
    """The parts of a JPEG: every marker with what follows it."""
    starts = [at for at in range(len(body) - 1) if body[at] == 0xFF and body[at + 1] not in (0x00, 0xFF)]
    return [body[start:end] for start, end in zip([0, *starts[1:]], [*starts[1:], len(body)], strict=True)]


def _shuffled(dice: Random, parts: list[bytes]) -> list[bytes]:
    parts = list(parts)
    one, other = (dice.randrange(len(parts)) for _ in range(2))
    match dice.choice(["edit", "edit", "drop", "repeat", "swap", "mix"]):
        case "edit":
            parts[one] = _edited(dice, parts[one])
        case "drop":
            del parts[one]
        case "repeat":
            parts[other:other] = [parts[one]] * dice.choice([1, 2, 200])
        case "swap":
            parts[one], parts[other] = parts[other], parts[one]
        case "mix":
            parts[one] += parts[other]
    return parts


_EDITS = ("flip", "flip", "flip", "cut", "remove", "insert", "replace", "repeat", "noise")


def _edited(dice: Random, body: bytes) -> bytes:
    start = _place(dice, len(body))
    end = min(len(body), start + dice.choice([1, 2, 4, 16, 256]))
    match dice.choice(_EDITS):
        case "flip" if start < len(body):
            return body[:start] + bytes([body[start] ^ (1 << dice.randrange(8))]) + body[start + 1 :]
        case "cut":
            return body[:start]
        case "remove":
            return body[:start] + body[end:]
        case "insert":
            return body[:start] + dice.choice(EDGES) + body[start:]
        case "replace":
            edge = dice.choice(EDGES)
            return body[:start] + edge + body[start + len(edge) :]
        case "repeat":
            return body[:end] + body[start:end] * dice.choice([1, 2, 50]) + body[end:]
        case _:
            return body[:start] + dice.randbytes(dice.randrange(16)) + body[end:]


def _place(dice: Random, most: int) -> int:
    """A place of 0 … most: often near the beginning, for headers are there."""
    return dice.randint(0, most if dice.randrange(8) else min(most, 64))
