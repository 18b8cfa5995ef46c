"""Made-up wheels that hold photographs as the package `deepforest` does."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Corners = tuple[float, float, float, float]


def png(width: int, height: int) -> bytes:
    """A photograph whose colours say roughly where a pixel lies."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, width)[None, :]
    pixels[:, :, 1] = np.linspace(0, 255, height)[:, None]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def voc(crowns: Sequence[Corners], name: str = "Tree") -> bytes:
    sides = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, crown, strict=True))
        + "</bndbox></object>"
        for crown in crowns
    )
    return f"<annotation>{objects}</annotation>".encode()


def wheel(path: Path, **files: bytes) -> Path:
    """A zip with these files (``a_png`` for a.png) where the package has its photographs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(f"deepforest/data/{'.'.join(name.rsplit('_', 1))}", body)
    return path
