"""Encoded image bytes to a square of pixels, the same way in training and in serving.

Takes JPEG or PNG, gives uint8 RGB. Stored pixels are used as they are: EXIF orientation is not applied,
because label tools and browsers' boxes refer to the same stored pixels throughout the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from include.pictures import PictureError, read


class ImageError(ValueError):
    """The bytes are no image, a damaged one, or one that people and model would not see alike."""


@dataclass(frozen=True)
class Picture:
    """Pixels resized to a square (side, side, 3), and the size the image had."""

    pixels: np.ndarray
    width: int
    height: int


def decode(data: bytes, side: int) -> Picture:
    """Decode and resize without keeping the aspect ratio; ImageError says what is wrong with the bytes."""
    try:
        picture = read(data, "RGB", side)
    except PictureError as error:
        raise ImageError(str(error)) from error
    pixels = picture.image.resize((side, side), Image.Resampling.BILINEAR)
    return Picture(np.asarray(pixels), picture.width, picture.height)
