"""Before and after, in one picture: held-out night scenes, and below each what the two models take it for.

Takes the two models' predictions as SageMaker wrote them (the probability of each class), the test set's
manifest and images, all from the bucket; writes one PNG.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from include.demo.batch import Batch
from include.demo.compared import Compared, compared, lines_of
from include.pictures import read

_SIDE = 128  # pixels; the scenes are half as wide: too small to look at
_RIGHT, _WRONG, _PAPER, _INK = "#2e7d32", "#c62828", "#ffffff", "#202020"
_MARGIN, _LINE, _COLUMNS = 12, 14, 6
_CAPTIONS = ("before", "after")


def draw(batch: Batch, test_set: str, before: str, after: str, out: Path, count: int = 24) -> list[Path]:
    """Draw the first `count` scenes of a test set with the classes that two models, named by their training
    jobs, give them. Returns the path; none when either model has no predictions there.
    """
    # The first ones as they come: chosen by what the models say, they would flatter one of them.
    scenes = list(islice(compared(batch, test_set, (before, after), order=lambda _: 0), count))
    if not scenes:
        return []
    path = out / f"{test_set}.png"
    # Of all lines: a model may see a class that none of these scenes has.
    _sheet(scenes, dict(map(_truth, lines_of(batch, test_set)))).save(path)
    return [path]


def _sheet(scenes: list[Compared], names: dict[int, str]) -> Image.Image:
    wide, high = _SIDE + _MARGIN, _SIDE + len(_CAPTIONS) * _LINE + _MARGIN
    columns = min(_COLUMNS, len(scenes))
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * wide + _MARGIN, rows * high + _LINE + 2 * _MARGIN), _PAPER)
    brush = ImageDraw.Draw(sheet)
    right = [0 for _ in _CAPTIONS]
    for index, scene in enumerate(scenes):
        left, top = _MARGIN + index % columns * wide, _LINE + 2 * _MARGIN + index // columns * high
        picture = read(scene.image).image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        sheet.paste(picture, (left, top))
        for model, prediction in enumerate(scene.predictions):
            said, score = _best(prediction)
            is_right = said == _truth(scene.line)[0]
            right[model] += is_right
            words = f"{_CAPTIONS[model]}: {names.get(said, 'nothing')}  {score:.2f}"
            at = (left, top + _SIDE + model * _LINE)
            colour = _RIGHT if is_right else _WRONG
            brush.rectangle((at[0], at[1] + 4, at[0] + 5, at[1] + 9), fill=colour)
            brush.text((at[0] + 10, at[1]), words, fill=colour)
    told = (
        f"{caption}: {count} of {len(scenes)} right" for caption, count in zip(_CAPTIONS, right, strict=True)
    )
    brush.text((_MARGIN, _MARGIN), ", ".join(told), fill=_INK)
    return sheet


def _best(prediction: list[float]) -> tuple[int, float]:
    """The class with the highest probability, and that; class -1 when nothing was said."""
    score = max(prediction, default=0.0)
    return (prediction.index(score) if prediction else -1), score


def _truth(line: dict[str, Any]) -> tuple[int, str]:
    """Class index and name of a line, as a classification job writes them."""
    attribute = next(key.removesuffix("-metadata") for key in line if key.endswith("-metadata"))
    return line[attribute], line[f"{attribute}-metadata"]["class-name"]
