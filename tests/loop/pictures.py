"""Small pictures that differ in what is on them, as photographs do: the same name gives the same bytes."""

from __future__ import annotations

import io
from random import Random

from PIL import Image

SIZE = (64, 48)


def patchwork(name: str, quality: int = 90, brighter: int = 0, scale: float = 1) -> bytes:
    """A JPEG of random patches of grey; the other arguments make a copy of it that is not byte-equal."""
    dice = Random(name)
    patches = Image.frombytes("L", (16, 12), bytes(dice.randrange(30, 220) for _ in range(16 * 12)))
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    picture = patches.resize(SIZE).point(lambda level: level + brighter).resize(size)
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=quality)
    return stream.getvalue()
