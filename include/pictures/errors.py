"""What is wrong with an image, and how large one may be."""

from __future__ import annotations

# Ground Truth and A2I show images of up to 100 megapixels; more is a decompression bomb rather than a
# photograph.
MAX_PIXELS = 100_000_000
# JPEG's own limit. Longer PNGs are no photographs, and their rows alone would fill the memory.
MAX_SIDE = 65_535


class PictureError(ValueError):
    """Why an image is not used, in one line."""


def check_size(width: int, height: int) -> None:
    """PictureError unless an image of so many pixels may be decoded."""
    if not width or not height:
        raise PictureError(f"damaged image: {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise PictureError(f"image of {width} x {height} pixels is larger than {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_SIDE:
        raise PictureError(f"image of {width} x {height} pixels is longer than {MAX_SIDE:,} pixels")
