"""How large a JPEG or PNG is, read from its header: thousands a second, where decoding takes milliseconds.

Takes the bytes, gives width and height in stored pixels. That the picture behind the header can be decoded is
for reading.py to find out.
"""

from __future__ import annotations

from struct import error as StructError
from struct import unpack_from

from include.pictures import formats, png
from include.pictures.errors import PictureError, check_size

_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # no marker, or one without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_CUT = "damaged image: it ends before its header tells a size"


START_BYTES = 1024  # enough to tell a format by


def check_format(start: bytes) -> str:
    """The name of the format. PictureError for what is none that is read: the first ``START_BYTES`` tell."""
    format = formats.name(start)
    if format not in formats.READ:
        raise PictureError(
            f"image is {format or 'of no known format'}; {' and '.join(formats.READ)} are read"
        )
    return format


def read_size(body: bytes) -> tuple[int, int]:
    """Width and height. PictureError for what is neither format, or has no such header."""
    format = check_format(body)
    try:
        if format == "PNG":
            png.read_header(body)  # that it is there
            width, height = unpack_from(">II", body, 16)
        else:
            width, height = _jpeg_size(body)
    except StructError:
        raise PictureError(_CUT) from None
    check_size(width, height)
    return width, height


def _jpeg_size(body: bytes) -> tuple[int, int]:
    at = 2
    while (at := body.find(b"\xff", at)) >= 0:
        (marker,) = unpack_from("B", body, at + 1)
        if marker in _FRAMES:
            height, width = unpack_from(">HH", body, at + 5)
            return width, height
        # 0xFF before a marker is fill; what stands alone has no length behind it.
        at += 1 if marker == 0xFF else 2 if marker in _ALONE else 2 + unpack_from(">H", body, at + 2)[0]
    raise PictureError(_CUT)
