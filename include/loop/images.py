"""What can be known of an image from its bytes: its size, and whether it can be shown at all.

Takes bytes, gives width and height in stored pixels (EXIF orientation is never applied: boxes, training and
reviewers all use the pixels as they are stored). Raises BadRecord with the reason for the quarantine. Knows
errors only.
"""

from __future__ import annotations

import io

from include.loop.errors import BadRecord

# Enough for the header of nearly every image, thumbnails and colour profiles included.
HEADER_BYTES = 256 * 1024
# Ground Truth and A2I show images of up to 100 megapixels; more is a decompression bomb rather than a
# photograph.
MAX_PIXELS = 100_000_000


def image_size(header: bytes) -> tuple[int, int]:
    """Width and height in pixels from the first bytes of an image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(header)) as image:
            size = image.size
    except UnidentifiedImageError:
        raise BadRecord("not an image") from None
    except Image.DecompressionBombError as error:
        raise BadRecord(f"image is too large: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:  # begins like an image
        raise BadRecord(f"truncated image: {error}") from None
    if size[0] * size[1] > MAX_PIXELS:
        raise BadRecord(f"image of {size[0]} x {size[1]} pixels is larger than {MAX_PIXELS:,} pixels")
    return size


def check_image(body: bytes) -> tuple[int, int]:
    """Decode a whole image; its width and height. BadRecord: ``not an image`` or ``truncated image``."""
    from PIL import Image

    size = image_size(body)
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadRecord(f"truncated image: {error}") from None
    return size
