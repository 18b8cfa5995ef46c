"""Label maps: pictures whose colours are classes.

Reads one as somebody painted it, with the colours as they are stored and what is transparent, and writes one
as an indexed PNG. A label map is no photograph: nothing of it may be converted, and one plain colour is a
fair answer.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from include.pictures import formats, reading, sizes
from include.pictures.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Nine workers' label maps lie in memory together, and larger images are not segmented by hand.
MAX_MASK_PIXELS = 25_000_000
CLEAR = -1  # of a pixel that is wholly transparent


def read_colours(body: bytes, size: tuple[int, int]) -> NDArray[np.int32]:
    """The colour of each pixel of a PNG as 0xRRGGBB, or ``CLEAR``, in rows. PictureError when it is not one
    of this width and height, or cannot be decoded.
    """
    import numpy as np

    if formats.name(body) != "PNG":
        raise PictureError(f"a label map must be a PNG; this is {formats.name(body) or 'no image'}")
    width, height = sizes.read_size(body)
    if (width, height) != tuple(size):
        raise PictureError(f"label map of {width} x {height} pixels for an image of {size[0]} x {size[1]}")
    if width * height > MAX_MASK_PIXELS:
        raise PictureError(
            f"label map of {width} x {height} pixels is larger than {MAX_MASK_PIXELS:,} pixels"
        )
    rows = np.asarray(reading.read(body, "RGBA").image).astype(np.int32)
    colours = (rows[..., 0] << 16) | (rows[..., 1] << 8) | rows[..., 2]
    return np.where(rows[..., 3] == 0, CLEAR, colours)


def write_indexed(indices: NDArray[np.uint8], colours: Sequence[int]) -> bytes:
    """A PNG with a palette, 8 bits a pixel: ``colours`` (0xRRGGBB) of the index 0 and so on, at most 256."""
    from PIL import Image as pillow

    image = pillow.fromarray(indices)
    image.putpalette([part for colour in colours for part in colour.to_bytes(3, "big")])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=8)
    return buffer.getvalue()
