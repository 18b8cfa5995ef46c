"""Boxes of labels, references and workers on pictures.

Takes a picture and labels whose boxes are shares of it, gives copies with the boxes drawn. Each worker has a
colour of their own; the tag says whose it is or what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from include.loop.analysis.labels import Label
from include.loop.tasks.ink import DARK, RIGHT, font, short

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

# Told apart by the colour-blind (Okabe and Ito), light enough for a dark tag text.
WORKERS = ("#56b4e9", "#e69f00", "#4fc3a1", "#f0e442", "#d98cb8", "#ff8a5c", "#9ad0f5", "#c9b6f2", "#b5b5b5")
TRUE = "#f2803f"


def with_label(scene: Image.Image, label: Label) -> Image.Image:
    """What the label says."""
    return _draw(scene, [(label, RIGHT, "")])


def with_reference(scene: Image.Image, label: Label) -> Image.Image:
    """What is true."""
    return _draw(scene, [(label, TRUE, "")])


def with_both(scene: Image.Image, label: Label, reference: Label | None) -> Image.Image:
    """The label over what is true, whose boxes have no names."""
    below = [(reference, TRUE, None)] if reference else []
    return _draw(scene, [*below, (label, RIGHT, "")])


def with_answers(scene: Image.Image, labels: Sequence[Label]) -> Image.Image:
    """What each worker has said: one colour and number for each."""
    return _draw(
        scene,
        [
            (label, WORKERS[number % len(WORKERS)], f"{number + 1} ")
            for number, label in enumerate(labels)
        ],
    )  # fmt: skip


def _draw(scene: Image.Image, labels: Sequence[tuple[Label, str, str | None]]) -> Image.Image:
    from PIL import ImageDraw

    picture = scene.copy()
    brush = ImageDraw.Draw(picture)
    line = 0
    for label, color, whose in labels:  # without a name where nobody's is said
        for number, (left, top, width, height) in enumerate(label.boxes):
            # What lies outside the picture is not seen; numbers of millions are no matter for the brush.
            x0, x1 = sorted(min(max(x, -1), 2) * picture.width for x in (left, left + width))
            y0, y1 = sorted(min(max(y, -1), 2) * picture.height for y in (top, top + height))
            brush.rectangle((x0, y0, x1, y1), outline=DARK, width=4)
            brush.rectangle((x0, y0, x1, y1), outline=color, width=2)
            if whose is not None:
                _tag(brush, f"{whose}{label.classes[number]}", x0, y0 - 18, picture.size, color)
        if label.kind == "classes":
            _tag(
                brush,
                f"{'true: ' if whose is None else whose}{label.said}",
                0,
                line * 20,
                picture.size,
                color,
            )
            line += 1
    return picture


def _tag(
    brush: ImageDraw.ImageDraw, text: str, x: float, y: float, size: tuple[int, int], color: str
) -> None:
    """A name, kept inside the picture."""
    letters = font().font_variant(size=13)
    text = short(text)
    left, top, right, bottom = brush.textbbox((0, 0), text, font=letters)
    width, height = right - left + 4, bottom - top + 4
    x = min(max(x, 0), max(size[0] - width, 0))
    y = min(max(y, 0), max(size[1] - height, 0))
    brush.rectangle((x, y, x + width, y + height), fill=color)
    brush.text((x + 2 - left, y + 2 - top), text, fill=DARK, font=letters)
