"""Encoded image bytes to a square of pixels, the same way in training and in serving.

Takes JPEG, PNG or whatever else Pillow opens, gives uint8 RGB. Stored pixels are used as they are: EXIF
orientation is not applied, because label tools and browsers' boxes refer to the same stored pixels throughout
the loop.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError


class ImageError(ValueError):
    """The bytes are no image, or a damaged one."""


@dataclass(frozen=True)
class Picture:
    """Pixels resized to a square (side, side, 3), and the size the image had."""

    pixels: np.ndarray
    width: int
    height: int


def decode(data: bytes, side: int) -> Picture:
    """Decode and resize without keeping the aspect ratio; ImageError says what is wrong with the bytes."""
    if not data:
        raise ImageError("not an image: no bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                image.draft("RGB", (side, side))  # a large JPEG is decoded at a fraction of its size
                pixels = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image: {len(data)} bytes in no known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"image too large: {error}") from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
    ) as error:  # what Pillow's decoders raise on damaged files
        raise ImageError(f"damaged image: {error}") from error
    return Picture(np.asarray(pixels), width, height)
