"""Small images of every kind, made here and not by the library that is to read them where it cannot."""

from __future__ import annotations

import io
import zlib
from struct import pack
from typing import Any

import numpy as np
from PIL import Image

SIZE = (64, 48)
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # samples of a pixel → PNG's number for the kind of colour
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def scene() -> Image.Image:
    """Something to see, in colour."""
    grey = Image.radial_gradient("L").resize(SIZE)
    turned = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT).point(lambda level: level // 2)
    return Image.merge("RGB", (grey, turned, grey.point(lambda level: 255 - level)))


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + name + content + pack(">I", zlib.crc32(name + content))


def png(samples: np.ndarray, *more: bytes, interlaced: bool = False) -> bytes:
    """A PNG of (height, width, samples) numbers of 8 or 16 bits; ``more`` are chunks before the pixels."""
    height, width, count = samples.shape
    depth = samples.dtype.itemsize * 8
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in _PASSES] if interlaced else [samples]
    rows = (row for part in parts for row in part if part.size)
    raw = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in rows)
    header = pack(">IIBBBBB", width, height, depth, _COLOURS[count], 0, 0, interlaced)
    body = (chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def with_size(body: bytes, width: int, height: int) -> bytes:
    """The PNG with another size in its header."""
    header = chunk(b"IHDR", pack(">II", width, height) + body[24:29])
    return body[:8] + header + body[33:]


def pngs() -> list[bytes]:
    image = scene()
    wide = np.asarray(image).astype(np.uint16) * 257
    return [
        *(saved(image.convert(mode), "PNG") for mode in ("1", "L", "P", "LA", "RGB", "RGBA")),
        saved(image.quantize(16), "PNG", transparency=3),
        *(png(wide[..., :count]) for count in (1, 2, 3)),
        png(np.asarray(image), interlaced=True),
    ]


def jpegs() -> list[bytes]:
    image, exif = scene(), Image.Exif()
    exif[0x0112] = 6
    return [
        *(
            saved(image.convert(mode), "JPEG", progressive=way)
            for mode in ("L", "RGB", "CMYK")
            for way in (0, 1)
        ),
        saved(image, "JPEG", exif=exif, comment=b"by hand"),
        saved(image, "MPO", save_all=True, append_images=[image.convert("L")]),
    ]
