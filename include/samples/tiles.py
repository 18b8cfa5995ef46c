"""Cuts square tiles out of a part of a photograph, with what of its boxes lies in them.

Neighbouring tiles of a grid overlap when its step is shorter than their side, never beyond their region. All
sizes are in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from include.samples.photographs import Photograph
from include.samples.scenes import Box, Scene

LEAST_SHOWN = 0.4  # of a box's area: one of which the tile shows less is no box of it


@dataclass(frozen=True)
class Region:
    """A part of a photograph: its edges, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    def grid(self, side: int, step: int) -> list[Region]:
        """The tiles of this side that fit, row by row, each ``step`` from the one before."""
        return [
            Region(left, top, left + side, top + side)
            for top in range(self.top, self.bottom - side + 1, step)
            for left in range(self.left, self.right - side + 1, step)
        ]

    def apart(self, other: Region) -> int:
        """How many pixels lie between the two, across or down; negative when they overlap."""
        across = max(self.left, other.left) - min(self.right, other.right)
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(across, down)


def cut(photograph: Photograph, tile: Region, scale: int) -> Scene:
    """The tile, ``scale`` times as large as in the photograph, with its boxes."""
    edges = tile.left, tile.top, tile.right, tile.bottom
    size = ((tile.right - tile.left) * scale, (tile.bottom - tile.top) * scale)
    pixels = photograph.image.resize(size, Image.Resampling.BICUBIC, box=edges)
    return Scene(np.asarray(pixels), tuple(_shown(photograph, tile, scale)))


def _shown(photograph: Photograph, tile: Region, scale: int) -> Iterator[Box]:
    """The boxes of which enough lies in the tile, clipped to it."""
    for box in photograph.boxes:
        left, right = max(box.left, tile.left), min(box.left + box.width, tile.right)
        top, bottom = max(box.top, tile.top), min(box.top + box.height, tile.bottom)
        shown = max(0, right - left) * max(0, bottom - top)
        if shown and shown >= LEAST_SHOWN * box.width * box.height:
            yield Box(
                box.label,
                (left - tile.left) * scale,
                (top - tile.top) * scale,
                (right - left) * scale,
                (bottom - top) * scale,
            )
