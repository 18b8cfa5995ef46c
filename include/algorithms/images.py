"""Encoded image bytes to pixels, the same way in training and in serving.

Takes JPEG or PNG, gives uint8 RGB. Stored pixels are used as they are: EXIF orientation is not applied,
because label tools and browsers' boxes refer to the same stored pixels throughout the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from include import pictures
from include.pictures import PictureError

_LONGEST = 16  # times the shorter side, of what is kept of an image that is resized with its aspect


class ImageError(ValueError):
    """The bytes are no image, a damaged one, or one that people and model would not see alike."""


@dataclass(frozen=True)
class Picture:
    """Pixels (height, width, 3) after resizing, and the size the image had."""

    pixels: np.ndarray
    width: int
    height: int


def decode(data: bytes, width: int, height: int) -> Picture:
    """Decode and resize without keeping the aspect ratio; ImageError says what is wrong with the bytes."""
    picture = _read(data, max(width, height))
    pixels = picture.image.resize((width, height), Image.Resampling.BILINEAR)
    return Picture(np.asarray(pixels), picture.width, picture.height)


def decode_keeping_aspect(data: bytes, shortest: int | None) -> Picture:
    """Decode and resize so that the shorter side has so many pixels; None leaves the image as it is. Of an
    image that is very long, its middle. ImageError as above.
    """
    picture = _read(data, shortest)
    image = picture.image
    if shortest is not None:
        # A line of one pixel by 65,535, enlarged as it is, would fill the memory.
        most = min(image.size) * _LONGEST
        width, height = (min(side, most) for side in image.size)
        left, top = (image.width - width) / 2, (image.height - height) / 2
        scale = shortest / min(width, height)
        size = (max(shortest, round(width * scale)), max(shortest, round(height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    return Picture(np.asarray(image), picture.width, picture.height)


def _read(data: bytes, side: int | None) -> pictures.Picture:
    try:
        return pictures.read(data, "RGB", side)
    except PictureError as error:
        raise ImageError(str(error)) from error
