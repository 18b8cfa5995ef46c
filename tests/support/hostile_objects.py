"""What real buckets hold under the name of a picture, made here: every body is a function of a seed.

A seed gives another picture of the same kind, so that two nights are hostile in the same way without the same
bytes. Pictures are patches of random grey with a box drawn at ``BOX``: small, and no two of them look alike.
"""

from __future__ import annotations

import io
import struct
import zlib
from random import Random
from typing import Any

from PIL import Image, ImageDraw

SIZE = (64, 48)
BOX = (4, 5, 20, 10)  # left, top, width, height of the one object on every picture
HUGE, BEYOND = (10_000, 9_200), (12_000, 10_000)  # 92 and 120 megapixels


def picture(seed: str, mode: str = "RGB") -> Image.Image:
    """Patches of random grey with an object on them, of ``SIZE``."""
    dice = Random(seed)
    patches = Image.frombytes("L", (16, 12), bytes(dice.randrange(30, 220) for _ in range(16 * 12)))
    image = patches.resize(SIZE)
    left, top, width, height = BOX
    ImageDraw.Draw(image).rectangle((left, top, left + width - 1, top + height - 1), fill=250)
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# ---- what can be learned from


def jpeg(seed: str) -> bytes:
    return saved(picture(seed), "JPEG", quality=90)


def png(seed: str) -> bytes:
    return saved(picture(seed), "PNG")


def progressive(seed: str) -> bytes:
    return saved(picture(seed), "JPEG", progressive=True)


def grey_jpeg(seed: str) -> bytes:
    return saved(picture(seed, "L"), "JPEG")


def cmyk(seed: str) -> bytes:
    return saved(picture(seed).convert("CMYK"), "JPEG")


def turned(seed: str) -> bytes:
    """A telephone held upright: EXIF says that the picture is to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture(seed), "JPEG", exif=exif)


def two_in_one(seed: str) -> bytes:
    """As telephones save a photograph and its depth: Pillow calls it MPO, a browser and SageMaker JPEG."""
    return saved(picture(seed), "MPO", save_all=True, append_images=[picture(f"{seed}, depth")])


def with_garbage_behind(seed: str) -> bytes:
    return jpeg(seed) + noise(seed)


def with_damaged_exif(seed: str) -> bytes:
    """The metadata says of itself that it is longer than the file."""
    body = turned(seed)
    exif = body.index(b"Exif")
    return body[: exif + 14] + b"\xff" * 8 + body[exif + 22 :]


def palette(seed: str) -> bytes:
    return saved(picture(seed).quantize(16), "PNG")


def transparent_palette(seed: str) -> bytes:
    return saved(picture(seed).quantize(16), "PNG", transparency=bytes(range(0, 256, 16)))


def alpha(seed: str) -> bytes:
    image = picture(seed)
    image.putalpha(picture(f"{seed}, alpha", "L"))
    return saved(image, "PNG")


def grey_alpha(seed: str) -> bytes:
    return saved(picture(seed, "LA"), "PNG")


def one_bit(seed: str) -> bytes:
    return saved(picture(seed, "1"), "PNG")


def grey_16(seed: str, bits: int = 16) -> bytes:
    """Thermal, X-ray, microscopy: sixteen bits a pixel, of which the lowest ``bits`` are used."""
    levels = [level << (bits - 8) for level in picture(seed, "L").tobytes()]
    image = Image.frombytes("I;16", SIZE, struct.pack(f"<{len(levels)}H", *levels))
    return saved(image, "PNG")


def grey_12_in_16(seed: str) -> bytes:
    return grey_16(seed, bits=12)


def large_photograph(seed: str) -> bytes:
    """More than 6 MB: a camera's noise at the highest quality."""
    dice = Random(seed)
    side = 1_600
    noise = Image.frombytes("RGB", (side, side), dice.randbytes(3 * side * side))
    noise.paste(picture(seed).resize((800, 600)), (0, 0))
    body = saved(noise, "JPEG", quality=98, subsampling=0)
    assert len(body) > 6 * 1024 * 1024
    return body


def pixel(seed: str) -> bytes:
    return saved(Image.new("RGB", (1, 1), (Random(seed).randrange(256), 0, 0)), "PNG")


# ---- formats that are not what the name says


def webp(seed: str) -> bytes:
    return saved(picture(seed), "WEBP")


def gif(seed: str) -> bytes:
    return saved(picture(seed), "GIF", save_all=True, append_images=[picture(f"{seed}, later")])


def bmp(seed: str) -> bytes:
    return saved(picture(seed), "BMP")


def tiff(seed: str) -> bytes:
    return saved(picture(seed), "TIFF")


def jpeg_2000(seed: str) -> bytes:
    return saved(picture(seed), "JPEG2000")


def ppm(seed: str) -> bytes:
    return saved(picture(seed), "PPM")


def ico(seed: str) -> bytes:
    return saved(picture(seed).resize((48, 48)), "ICO")


def avif(seed: str) -> bytes:
    return saved(picture(seed), "AVIF", speed=10)


def damaged_avif(seed: str) -> bytes:
    """The header says what it is, and the picture itself is noise: its decoder raises RuntimeError."""
    body = avif(seed)
    start = body.index(b"mdat") + 4
    return body[:start] + Random(seed).randbytes(len(body) - start)


def eps(seed: str) -> bytes:
    return saved(picture(seed), "EPS")


def svg(seed: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><title>{seed}</title><rect width="9"/></svg>'.encode()


def pdf(seed: str) -> bytes:
    return f"%PDF-1.4\n% {seed}\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n".encode()


def html(seed: str) -> bytes:
    return f"<!doctype html><title>404 Not Found</title><p>{seed}</p>".encode()


def pointer(seed: str) -> bytes:
    """What Git LFS leaves where the file should be."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{seed}\nsize 12345\n".encode()


def animated_png(seed: str) -> bytes:
    return saved(picture(seed), "PNG", save_all=True, append_images=[picture(f"{seed}, later")])


# ---- damaged


def empty(_: str) -> bytes:
    return b""


def noise(seed: str) -> bytes:
    return Random(seed).randbytes(2_000)


def half_jpeg(seed: str) -> bytes:
    return _half(jpeg(seed))


def half_png(seed: str) -> bytes:
    return _half(png(seed))


def head_of_jpeg(seed: str) -> bytes:
    """The start of image, the name of the format and nothing more."""
    return jpeg(seed)[:20]


def wrong_sum(seed: str) -> bytes:
    """A PNG whose pixels do not have the checksum that stands behind them."""
    body = bytearray(png(seed))
    body[body.index(b"IDAT") + 6] ^= 0xFF
    return bytes(body)


def huge(seed: str) -> bytes:
    """A plain PNG of 92 megapixels, small in bytes."""
    return _flat(HUGE, Random(seed).randrange(256))


def beyond(seed: str) -> bytes:
    """A plain PNG of 120 megapixels, small in bytes."""
    return _flat(BEYOND, Random(seed).randrange(256))


def bomb(seed: str) -> bytes:
    """A PNG that says it has 4 gigapixels, and has a hundred bytes."""
    return _png(65_500, 65_500, zlib.compress(seed.encode()))


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _flat(size: tuple[int, int], level: int) -> bytes:
    """A grey PNG of one level, written row by row: no picture of this size is ever held."""
    width, height = size
    packer = zlib.compressobj(1)
    row = b"\0" + bytes([level]) * width
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return _png(width, height, rows)


def _png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
