"""A PNG reduced to the chunks that make its picture.

Takes a PNG's bytes, gives its header and a PNG of the same pixels without texts, colour profiles, times and
metadata: nobody here uses them, and compressed ones are bombs as easily as pictures are. Checks what browsers
and OpenCV (libpng) insist on and Pillow does not: the checksums of these chunks, their order, and the end.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import unpack_from

from include.pictures.errors import PictureError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PALETTE = 3  # the colour type of a picture that is nothing without its PLTE


@dataclass(frozen=True)
class Header:
    """Bits of each sample, and PNG's number for the kind of colour."""

    depth: int
    colour: int


def read_header(body: bytes) -> Header:
    """What the first chunk says. PictureError when it is another one, or cut off."""
    if len(body) < 33 or unpack_from(">I4s", body, 8) != (13, b"IHDR"):
        raise PictureError("damaged image: a PNG must begin with its header (IHDR)")
    return Header(*unpack_from(">BB", body, 24))


def essential(body: bytes) -> bytes:
    """The PNG without what its picture does not need. PictureError when it is damaged or animated."""
    header, view = read_header(body), memoryview(body)
    kept: list[bytes | memoryview] = [_SIGNATURE]
    seen: set[bytes] = set()
    at, name = len(_SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(body):
            raise PictureError("damaged image: the PNG ends before its end (IEND)")
        before = name
        length, name = unpack_from(">I4s", body, at)
        end = at + 12 + length
        if end > len(body):
            raise PictureError(f"damaged image: the PNG ends within its chunk {name.decode('latin-1')!r}")
        if name == b"acTL":
            raise PictureError("image is an animated PNG; still JPEG and PNG are read")
        if name in _KEPT:
            if zlib.crc32(view[at + 4 : end - 4]) != unpack_from(">I", body, end - 4)[0]:
                raise PictureError(f"damaged image: wrong checksum of the PNG's chunk {name.decode()}")
            again = name in seen and not name == before == b"IDAT"
            if again or (name == b"PLTE" and b"IDAT" in seen):
                raise PictureError(f"damaged image: the PNG's chunk {name.decode()} is out of place")
            seen.add(name)
            kept.append(view[at:end])
        elif not name[0] & 0x20:  # a capital letter: nobody may show the picture who does not know it
            raise PictureError(f"damaged image: unknown chunk {name.decode('latin-1')!r} in the PNG")
        at = end
    if header.colour == _PALETTE and b"PLTE" not in seen:
        raise PictureError("damaged image: a PNG of palette colours without its palette (PLTE)")
    return b"".join(kept)
