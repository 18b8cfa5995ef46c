"""How a JPEG's or PNG's EXIF would turn its picture: nothing here applies it, but other programs do.

Takes the bytes, gives EXIF's orientation: 1 is as stored, 2 to 4 are mirrored or upside down, 5 to 8 lie on
their side. Reads the one number that it is for; whatever is damaged or not there is 1, for the picture itself
does not depend on it.
"""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from

from include.pictures import formats

AS_STORED = 1
_TAG = 0x0112
_SHORT = 3
_MOST_TAGS = 512  # cameras write some dozens
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_SCAN, _APP1 = 0xDA, 0xE1
_EXIF = b"Exif\0\0"


def read_orientation(body: bytes) -> int:
    """EXIF's orientation, 1 to 8."""
    try:
        exif = _of_png(body) if formats.name(body) == "PNG" else _of_jpeg(body)
        return _orientation(exif) if exif else AS_STORED
    except (StructError, IndexError):
        return AS_STORED


def _of_jpeg(body: bytes) -> bytes | None:
    at = 2
    while body[at] == 0xFF and body[at + 1] != _SCAN:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            (length,) = unpack_from(">H", body, at + 2)
            if marker == _APP1 and body.startswith(_EXIF, at + 4):
                return body[at + 4 + len(_EXIF) : at + 2 + length]
            at += 2 + length
    return None


def _of_png(body: bytes) -> bytes | None:
    at = 8
    while at < len(body):
        length, name = unpack_from(">I4s", body, at)
        if name == b"eXIf":
            return body[at + 8 : at + 8 + length]
        at += 12 + length
    return None


def _orientation(exif: bytes) -> int:
    """From TIFF's first list of tags."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return AS_STORED
    (start,) = unpack_from(f"{order}I", exif, 4)
    (count,) = unpack_from(f"{order}H", exif, start)
    for number in range(min(count, _MOST_TAGS)):
        tag, kind, _, value = unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
        if tag == _TAG:
            return value if kind == _SHORT and 1 <= value <= 8 else AS_STORED
    return AS_STORED
