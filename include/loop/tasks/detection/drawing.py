"""A picture with its labelled boxes and a detector's boxes on it.

Labels are thin and dashed. Every detection says what it is, so that colour is not needed: a right one is
blue, a wrong one orange and marked with a cross, and an object that was not found says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import match
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.ink import DARK, LABEL, RIGHT, WRONG, font, short
from include.loop.tasks.measuring import Drawn

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Corners = tuple[float, float, float, float]


def draw(
    scene: Image.Image, label: LabelledImage, detections: Sequence[Detection], classes: Sequence[str]
) -> Drawn:
    """On a copy of the scene, which may have another size than the label says. It tells how many detections
    are right and wrong, and how many objects were missed.
    """
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
        _tag(brush, picture, scaled(matches.true_box[index]), text, LABEL, below=True)
    right, wrong = len(hits), int((matches.hit < 0).sum())
    counts = ((right, "right"), (wrong, "wrong"), (len(missed), "missed"))
    return Drawn(picture, ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing")


def show(
    scene: Image.Image, detections: Sequence[Detection], classes: Sequence[str], threshold: float
) -> Image.Image:
    """Each detection of the threshold or more on a copy of the scene, the best ones on top."""
    from PIL import ImageDraw

    picture = scene.copy()
    brush = ImageDraw.Draw(picture)
    for item in sorted(detections, key=lambda item: item.score):
        if item.score < threshold:
            continue
        corners = (
            item.xmin * picture.width,
            item.ymin * picture.height,
            item.xmax * picture.width,
            item.ymax * picture.height,
        )
        brush.rectangle(corners, outline=DARK, width=5)
        brush.rectangle(corners, outline=RIGHT, width=3)
        # The score first: a long name is cut at its end.
        _tag(brush, picture, corners, f"{item.score:.2f} {classes[item.class_id]}", RIGHT)
    return picture


def _dashed(brush: ImageDraw.ImageDraw, corners: Corners, dash: int = 7) -> None:
    """A rectangle of white dashes on dark ones, to be seen on any picture."""
    left, top, right, bottom = (round(side) for side in corners)
    brush.rectangle((left, top, right, bottom), outline=DARK, width=1)
    for start in range(left, right, 2 * dash):
        for y in (top, bottom):
            brush.line((start, y, min(start + dash, right), y), fill=LABEL, width=1)
    for start in range(top, bottom, 2 * dash):
        for x in (left, right):
            brush.line((x, start, x, min(start + dash, bottom)), fill=LABEL, width=1)


def _tag(
    brush: ImageDraw.ImageDraw,
    picture: Image.Image,
    corners: Corners,
    text: str,
    color: str,
    below: bool = False,
) -> None:
    """A name at a box's corner, kept inside the picture."""
    text = short(text)
    left, top, right, bottom = brush.textbbox((0, 0), text, font=font())
    width, height = right - left + 6, bottom - top + 5
    x = min(max(corners[0], 0), picture.width - width)
    y = corners[3] if below else corners[1] - height
    y = min(max(y, 0), picture.height - height)
    brush.rectangle((x, y, x + width, y + height), fill=color)
    brush.text((x + 3 - left, y + 2 - top), text, fill=DARK, font=font())
