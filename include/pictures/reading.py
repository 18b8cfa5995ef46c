"""Bytes of an image to a picture in grey or RGB, as the reviewer's browser and OpenCV would show it.

Stored pixels are used as they are: EXIF orientation, colour profiles and gamma are never applied (browsers
apply the latter two: other shades of the same picture), transparency is dropped, and 16 bits become 8 by
their upper byte. A picture in which people and model would see different things, or nothing at all, is
refused with what to do about it.
"""

from __future__ import annotations

import io
import re
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from include.pictures import formats, jpeg, png
from include.pictures.errors import PictureError, check_size

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["L", "RGB", "RGBA"]

# 12 bits in 16 reach 16 of the 256 levels that people, browsers and models see: a black plane to all of them.
# Grey files of 16 bits are measurements, and most that use so little are no pictures yet (a thermal camera's
# kelvins); colour is a photograph, which may be of fog or of a white page.
_LEAST_LEVELS, _LEAST_COLOUR = 32, 17
# Grey levels below whose standard deviation nothing is to be seen on a picture.
_FLAT = 1.0
# The largest pictures take up to 900 MB while they are decoded, so one thread waits for another.
_LARGE = 25_000_000  # pixels
_one_at_a_time = threading.Lock()
# Pixels in blocks of this many bytes go back to the system at once; smaller ones stay with their thread.
_BLOCK = 64 << 20
_GLANCE = 256  # pixels of the longer side that are enough to tell whether anything is to be seen

# What Pillow says, in words that help.
_CLEARER = {
    "not identified by this driver": "its header tells no size or no colours",
    "cannot load this image": "there are no pixels in it",
    "broken data stream when reading image file": "its pixels cannot be decoded",
}


@dataclass(frozen=True)
class Picture:
    """The decoded ``image`` in the wished mode, and the size in pixels that the file says it has."""

    image: Image
    width: int
    height: int


def read(body: bytes, mode: Mode = "RGB", side: int | None = None) -> Picture:
    """Decode a whole image. PictureError, and nothing else, says why it is not used.

    With ``side`` a large JPEG is decoded at a half, quarter or eighth of its size, but not below so many
    pixels a side: 70 ms instead of 390 for 12 megapixels. Resizing is the caller's.
    """
    try:
        return _read(body, mode, side)
    except PictureError:
        raise
    except MemoryError:
        raise PictureError("image takes more memory than there is") from None
    except Exception as error:  # decoders raise what they like, and it is the file's fault
        said = " ".join(str(error).split()) or type(error).__name__
        said = re.sub(
            r" \(-?\d+ bytes not processed\)", "", said
        )  # or every cut image has a reason of its own
        raise PictureError(f"damaged image: {_CLEARER.get(said, said)}") from error


def _read(body: bytes, mode: Mode, side: int | None) -> Picture:
    format = formats.name(body)
    if format is None:
        raise PictureError("not an image" if body else "not an image: no bytes")
    if format not in formats.READ:
        raise PictureError(f"image is {format}; {' and '.join(formats.READ)} are read")
    image, depth = _open_png(body) if format == "PNG" else (_open_jpeg(body), 8)
    width, height = image.size
    check_size(width, height)
    if side is not None:
        image.draft(mode, (side, side))
    # A progressive JPEG is kept whole while it is decoded, whatever size is wished.
    pixels = width * height if image.info.get("progressive") else image.width * image.height
    with _one_at_a_time if pixels > _LARGE else nullcontext():
        return Picture(_decoded(image, mode, depth), width, height)


def _decoded(image: Image, mode: str, depth: int) -> Image:
    from PIL import Image as pillow
    from PIL import ImageFile

    pillow.core.set_block_size(_BLOCK)
    # Another package in this process may have told Pillow to fill what is missing with grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    image.load()
    if mode == "RGBA":
        return image.convert(mode)
    if image.has_transparency_data and (depth <= 8 or image.mode == "RGBA"):
        _check_transparency(image)
    image.info.pop("transparency", None)  # the colours behind it are what is wanted
    if image.mode == "I;16":
        image = _upper_byte(image)
    if depth == 16:
        _check_levels(image)
    return image if image.mode == mode else image.convert(mode)


# The two classes are called by name because Image.open does more than is wanted here: it asks every decoder
# that anybody has registered, reads a photograph's second image (MPO), and warns by a limit of its own that
# any package may have changed.
def _open_jpeg(body: bytes) -> Image:
    from PIL.JpegImagePlugin import JpegImageFile

    return JpegImageFile(io.BytesIO(jpeg.essential(body)))


def _open_png(body: bytes) -> tuple[Image, int]:
    from PIL.PngImagePlugin import PngImageFile

    return PngImageFile(io.BytesIO(png.essential(body))), png.read_header(body).depth


def _upper_byte(image: Image) -> Image:
    """16 bits of grey as 8, as browsers and OpenCV do it; Pillow's own conversion makes nearly all white."""
    import numpy as np
    from PIL import Image as pillow

    return pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _check_levels(image: Image) -> None:
    spans = [image.getchannel(band).getextrema() for band in image.getbands() if band != "A"]
    colour = len(spans) > 1
    levels = int(max(high - (0 if colour else low) for low, high in spans)) + 1  # type: ignore[operator]
    if levels < (_LEAST_COLOUR if colour else _LEAST_LEVELS):
        raise PictureError(
            f"image of 16 bits that uses {levels} of the 256 levels that people and model see: scale its "
            "values up to the whole range (12 bits: times 16), or save it with 8 bits"
        )


def _check_transparency(image: Image) -> None:
    """The model sees the colours behind what is transparent, people the white page: one may see nothing."""
    from PIL import Image as pillow

    part = max(1, max(image.size) // _GLANCE)
    size = max(1, image.width // part), max(1, image.height // part)
    seen = image.resize(size, pillow.Resampling.NEAREST).convert("RGBA")
    page = pillow.new("RGBA", seen.size, "white")
    page.alpha_composite(seen)
    model, people = (_is_flat(one) for one in (seen, page))
    if model != people:
        who = "the model would see" if model else "people would see"
        raise PictureError(f"image is drawn in transparency: {who} one plain colour; save it without")


def _is_flat(image: Image) -> bool:
    from PIL import ImageStat

    return bool(ImageStat.Stat(image.convert("RGB").convert("L")).stddev[0] < _FLAT)
