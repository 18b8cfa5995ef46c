"""What can be known of an image from its bytes, as the loop tells it: BadRecord with the quarantine's reason.

Takes a whole image, gives its size and pixels as they are stored (EXIF orientation is never applied: boxes,
training and reviewers all use the pixels as they are stored).
"""

from __future__ import annotations

from typing import Literal

from include.loop.core.errors import BadRecord
from include.pictures import MAX_PIXELS, Picture, PictureError, read

__all__ = ["MAX_PIXELS", "check_image", "read_image"]

# Decoding a large JPEG at a fraction of its size finds the same faults as decoding it whole, in less time.
_GLANCE = 256


def check_image(body: bytes) -> tuple[int, int]:
    """Width and height in stored pixels of an image that people can be shown and training can read."""
    picture = read_image(body, "L", _GLANCE)
    return picture.width, picture.height


def read_image(body: bytes, mode: Literal["L", "RGB"], side: int) -> Picture:
    """The decoded picture, not smaller than ``side`` when it is larger."""
    try:
        return read(body, mode, side)
    except PictureError as error:
        raise BadRecord(str(error)) from None
