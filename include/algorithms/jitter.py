"""A random variation of an image: scale, place, brightness, contrast, tint.

Light stays light, dark stays dark. Nothing is mirrored, because mirrored digits, letters and signs are other
things.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

_ZOOM = 0.2  # natural logarithm of the largest scale
_STRETCH = 0.1  # the same for the aspect ratio
_SHIFT = 0.1  # of the image's side
_BRIGHTNESS = 0.2
_CONTRAST = 0.2
_TINT = 0.1


def jitter(pixels: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The varied pixels (height, width, 3; uint8), and scale and offset (x, y) by which a place in the image,
    as a fraction of its sides, has moved.
    """
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    mean = np.asarray(picture.resize((1, 1), Image.Resampling.BOX))[0, 0]
    stretch = generator.uniform(-_STRETCH, _STRETCH)
    scale = np.exp(generator.uniform(-_ZOOM, _ZOOM) + np.array([stretch, -stretch]))
    offset = (1 - scale) / 2 + generator.uniform(-_SHIFT, _SHIFT, 2)
    back = -offset * (width, height) / scale
    inverse = (1 / scale[0], 0, back[0], 0, 1 / scale[1], back[1])
    fill = (int(mean[0]), int(mean[1]), int(mean[2]))
    moved = picture.transform(
        (width, height), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=fill
    )
    # Contrast about the image's own mean, then its brightness: one table of 256 values per colour.
    gain = generator.uniform(1 - _CONTRAST, 1 + _CONTRAST) * generator.uniform(1 - _TINT, 1 + _TINT, 3)
    middle = float(mean.mean())
    level = middle * generator.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)
    table = ((np.arange(256) - middle) * gain[:, None] + level).clip(0, 255).astype(np.uint8)
    return np.asarray(moved.point(table.ravel().tolist())), scale, offset
