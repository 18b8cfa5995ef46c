"""Before and after, in pictures: the images on which the two models differ most.

Takes a round's examples, reads their images and predictions from S3, gives pairs of small pictures as data
URIs. Labels are thin and dashed. Every detection says what it is, so that colour is not needed: a right one
is blue, a wrong one orange and marked with a cross, and an object that was not found says so. Pixels are
shown as they are stored: EXIF orientation is never applied. What is gone or cannot be read is left out. Knows
facts, matching and transform.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.loop.core import storage
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.images import read_image
from include.loop.report.measures import Example
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import match
from include.loop.tasks.detection.predictions import Detection, read_output
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

# The longer side of a picture in pixels: sharp on a phone, and a page of twelve stays below a megabyte.
LONGEST = 400
RIGHT, WRONG, MISSED, DARK = "#4cb2e1", "#f2803f", "#ffffff", "#14202a"
_TEXT_SIZE = 19  # half of it is left where two pictures stand side by side

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Side:
    """What one model saw: counts in words, and the picture as a data URI with its alternative text."""

    told: str
    source: str
    alt: str


@dataclass(frozen=True)
class Pair:
    """One image before (None without a champion) and after."""

    example: Example
    sides: tuple[Side, ...]


def draw(workspace: Workspace, examples: Iterable[Example], threshold: float) -> list[Pair]:
    """A pair of pictures for every example that can still be shown, with the detections that count."""

    def pair(example: Example) -> Pair | None:
        return _pair(workspace, example, threshold)

    return [pair for pair in storage.in_parallel(pair, examples) if pair is not None]


def _pair(workspace: Workspace, example: Example, threshold: float) -> Pair | None:
    classes = workspace.pipeline.classes
    try:
        body = workspace.storage.read(example.image, most=storage.MOST_BYTES)
        scene = _fit(read_image(body, "RGB", LONGEST).image)
        found = {
            model: read_output(workspace.storage, output, len(classes)) if output else []
            for model, output in sorted(example.out.items(), reverse=True)  # the champion first
        }
    except (BadRecord, ConfigurationError, FileNotFoundError, OSError, ValueError):
        return None
    label = LabelledImage(example.image, example.width, example.height, example.boxes, "", {})
    sides = (
        _side(scene, model, label, [item for item in items if item.score >= threshold], classes, example)
        for model, items in found.items()
    )
    return Pair(example, tuple(sides))


def _fit(scene: Image.Image) -> Image.Image:
    """Larger ones made smaller; small ones enlarged by a whole number, so that their pixels stay pixels."""
    from PIL import Image

    longest = max(scene.size)
    if longest >= LONGEST:
        scene.thumbnail((LONGEST, LONGEST))
        return scene
    times = LONGEST // longest
    return scene.resize((scene.width * times, scene.height * times), Image.Resampling.NEAREST)


def _side(
    scene: Image.Image,
    model: str,
    label: LabelledImage,
    detections: Sequence[Detection],
    classes: Sequence[str],
    example: Example,
) -> Side:
    from PIL import ImageDraw

    matches = match([label], {label.source: detections}, len(classes))
    hits = {int(index) for index in matches.hit if index >= 0}
    picture = scene.copy()
    brush = ImageDraw.Draw(picture)
    wide, high = picture.width / label.width, picture.height / label.height

    def scaled(box: Any) -> Corners:
        left, top, width, height = (float(value) for value in box)
        return left * wide, top * high, (left + width) * wide, (top + height) * high

    missed = [index for index in range(len(matches.true_box)) if index not in hits]
    for box, class_id, score, hit in zip(
        matches.box, matches.class_id, matches.score, matches.hit, strict=True
    ):
        color = RIGHT if hit >= 0 else WRONG
        brush.rectangle(scaled(box), outline=DARK, width=5)
        brush.rectangle(scaled(box), outline=color, width=3)
        mark = "" if hit >= 0 else "× "
        _tag(brush, picture, scaled(box), f"{mark}{classes[class_id]} {score:.2f}", color)
    for box in matches.true_box:
        _dashed(brush, scaled(box))
    for index in missed:
        text = f"missed: {classes[int(matches.true_class[index])]}"
        _tag(brush, picture, scaled(matches.true_box[index]), text, MISSED, below=True)
    right, wrong = len(hits), int((matches.hit < 0).sum())
    when = "before" if model == "champion" else "after"
    name = example.image.rsplit("/", 1)[-1]
    counts = ((right, "right"), (wrong, "wrong"), (len(missed), "missed"))
    told = f"{when}: " + (", ".join(f"{count} {what}" for count, what in counts if count) or "nothing")
    return Side(told, _data_uri(picture), f"{name} {told}")


def _dashed(brush: ImageDraw.ImageDraw, corners: Corners, dash: int = 7) -> None:
    """A rectangle of white dashes on dark ones, to be seen on any picture."""
    left, top, right, bottom = (round(side) for side in corners)
    brush.rectangle((left, top, right, bottom), outline=DARK, width=1)
    for start in range(left, right, 2 * dash):
        for y in (top, bottom):
            brush.line((start, y, min(start + dash, right), y), fill=MISSED, width=1)
    for start in range(top, bottom, 2 * dash):
        for x in (left, right):
            brush.line((x, start, x, min(start + dash, bottom)), fill=MISSED, width=1)


def _tag(
    brush: ImageDraw.ImageDraw,
    picture: Image.Image,
    corners: Corners,
    text: str,
    color: str,
    below: bool = False,
) -> None:
    """A name at a box's corner, kept inside the picture."""
    text = text if len(text) <= 24 else text[:23] + "…"
    left, top, right, bottom = brush.textbbox((0, 0), text, font=_font())
    width, height = right - left + 6, bottom - top + 5
    x = min(max(corners[0], 0), picture.width - width)
    y = corners[3] if below else corners[1] - height
    y = min(max(y, 0), picture.height - height)
    brush.rectangle((x, y, x + width, y + height), fill=color)
    brush.text((x + 3 - left, y + 2 - top), text, fill=DARK, font=_font())


def _font() -> Any:
    """matplotlib's DejaVu Sans: it knows most alphabets that class names are written in."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", _TEXT_SIZE)


def _data_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
