"""A JPEG reduced to what makes its picture.

Takes a JPEG's bytes, gives a JPEG of the same pixels without EXIF, colour profiles, previews, comments and
second pictures: nobody here uses them, and whatever they hold costs nothing then. Refuses lossless and
arithmetic JPEGs, which few programs read, and progressive ones made to keep a processor busy.
"""

from __future__ import annotations

from struct import unpack_from

from include.pictures.errors import MAX_PIXELS, PictureError

_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # no marker, or one without a length
_SCAN, _END = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SHOWN = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive
_PROGRESSIVE = 0xC2
# JFIF and Adobe say what the numbers mean: YCbCr, RGB, CMYK or YCCK.
_METADATA = {*range(0xE0, 0xF0), 0xFE} - {0xE0, 0xEE}
# Every scan goes over the whole picture, 0.2 seconds for 100 megapixels; photographs have about ten.
_MOST_SCANS = 100


def essential(body: bytes) -> bytes:
    """The JPEG without what its picture does not need. PictureError when its header is cut off or damaged."""
    kept = [body[:2]]
    at, progressive, pixels = 2, False, 0
    while True:
        at = body.find(b"\xff", at)
        while body[at : at + 1] == b"\xff":
            at += 1
        if at < 0 or at + 3 > len(body) or body[at] == _END:
            raise PictureError("damaged image: the JPEG ends before its picture begins")
        marker, start = body[at], at - 1
        at += 1
        if marker in _ALONE:
            continue
        at += unpack_from(">H", body, at)[0]
        if at > len(body):
            raise PictureError("damaged image: the JPEG ends before its picture begins")
        if marker in _FRAMES:
            if marker not in _SHOWN:
                raise PictureError(
                    "image is a lossless or arithmetic JPEG; baseline and progressive ones are read"
                )
            height, width = unpack_from(">HH", body, start + 5)
            progressive, pixels = marker == _PROGRESSIVE, width * height
        if marker == _SCAN:
            break
        if marker not in _METADATA:
            kept.append(body[start:at])
    if progressive and body.count(b"\xff\xda", start) * pixels > _MOST_SCANS * MAX_PIXELS:
        raise PictureError("image is a progressive JPEG of so many scans that it takes too long to decode")
    return b"".join([*kept, body[start:]])
