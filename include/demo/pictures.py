"""Before and after, in pictures: held-out images with the truth thin and each model's detections thick.

Takes the two models' predictions as SageMaker wrote them ([class, score, xmin, ymin, xmax, ymax], 0..1),
the test set's manifest and images, all from the bucket; writes one PNG per scene, the two models side by
side.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from include.demo.batch import Batch
from include.demo.compared import compared
from include.pictures import read

_WIDE = 384  # pixels of one picture, about: scenes of 128 are too small to look at
_TRUTH, _DETECTION, _PAPER, _INK = "#4caf50", "#ffb300", "#ffffff", "#202020"
_MARGIN, _CAPTION = 12, 22


def draw(
    batch: Batch, test_set: str, before: str, after: str, out: Path, count: int = 4, score: float = 0.4
) -> list[Path]:
    """Draw `count` scenes of a test set with the detections of two models, named by their training jobs.

    Detections below `score` are left out. Returns the paths; none when either model has no predictions there.
    """
    # The scenes with most to find, so that there is something to see.
    fullest = compared(batch, test_set, (before, after), order=lambda line: -len(_annotations(line)))
    paths: list[Path] = []
    for number, scene in enumerate(islice(fullest, count), start=1):
        path = out / f"{test_set}-{number}.png"
        _side_by_side(scene.image, _annotations(scene.line), scene.predictions, score).save(path)
        paths.append(path)
    return paths


def _annotations(line: dict[str, Any]) -> list[dict[str, Any]]:
    labels = next(value for value in line.values() if isinstance(value, dict) and "annotations" in value)
    return labels["annotations"]


def _side_by_side(
    image: bytes, truth: list[dict[str, Any]], predictions: list[list[list[float]]], score: float
) -> Image.Image:
    scene = read(image).image
    scale = max(1, round(_WIDE / scene.width))
    wide, high = scene.width * scale, scene.height * scale
    sheet = Image.new("RGB", (2 * wide + 3 * _MARGIN, high + _CAPTION + 2 * _MARGIN), _PAPER)
    brush = ImageDraw.Draw(sheet)
    for index, (caption, detections) in enumerate(
        zip(("before", "after three batches"), predictions, strict=True)
    ):
        left, top = _MARGIN + index * (wide + _MARGIN), _MARGIN + _CAPTION
        shown = [detection for detection in detections if detection[1] >= score]
        sheet.paste(scene.resize((wide, high), Image.Resampling.NEAREST), (left, top))
        brush.text((left, _MARGIN), f"{caption}: {len(shown)} found, {len(truth)} there", fill=_INK)
        for box in truth:
            x, y = left + box["left"] * scale, top + box["top"] * scale
            brush.rectangle((x, y, x + box["width"] * scale, y + box["height"] * scale), outline=_TRUTH)
        for kind, confidence, xmin, ymin, xmax, ymax in shown:
            corners = (left + xmin * wide, top + ymin * high, left + xmax * wide, top + ymax * high)
            brush.rectangle(corners, outline=_DETECTION, width=3)
            said, at = f"class {kind:.0f}  {confidence:.2f}", (corners[0] + 4, corners[1] + 3)
            brush.rectangle(brush.textbbox(at, said), fill=_DETECTION)
            brush.text(at, said, fill=_INK)
    return sheet
