"""Draws docs/pictures/samples.jpg: what the two samples of boxes show, with the boxes that are their labels.

    python -m benchmarks.sample_pictures docs/pictures/samples.jpg

From the left: digits by day and by night, a tile of site A and one of site B. The tiles are of photographs of
NEON from the package `deepforest` (MIT licence), which is fetched when it is not in the cache.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from include.samples import photographs
from include.samples.scenes import Scene, draw
from include.samples.tiles import cut
from include.samples.tree_tiles import SCALE, SITE_A, SITE_B, TEST_A, TEST_B

_SIDE, _MARGIN = 256, 8  # pixels
_BOX, _PAPER = "#ffb300", "#ffffff"
_SEED = 5


def main(out: Path) -> None:
    wheel = photographs.fetch(photographs.cache_directory())
    scenes = [draw("day", "test", _SEED), draw("night", "test", _SEED)]
    for site, tile in ((SITE_A, TEST_A.tiles()[16]), (SITE_B, TEST_B.tiles()[0])):
        scenes.append(cut(photographs.read(wheel, site), tile, SCALE))
    sheet = Image.new("RGB", (len(scenes) * (_SIDE + _MARGIN) - _MARGIN, _SIDE), _PAPER)
    for number, scene in enumerate(scenes):
        sheet.paste(_with_boxes(scene), (number * (_SIDE + _MARGIN), 0))
    sheet.save(out, quality=85)


def _with_boxes(scene: Scene) -> Image.Image:
    picture = Image.fromarray(scene.pixels)
    scale = _SIDE / picture.width
    picture = picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    brush = ImageDraw.Draw(picture)
    for box in scene.boxes:
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        brush.rectangle([corner * scale for corner in corners], outline=_BOX, width=2)
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1]))
