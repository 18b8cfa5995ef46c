"""A picture with its label and what a classifier says of it, in a strip below.

Every line says what it is, so that colour is not needed: a right class is blue, a wrong one orange and marked
with a cross; what does not count at work is grey.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from include.loop.tasks.classification.values import ClassScore, LabelledImage
from include.loop.tasks.ink import DARK, LABEL, RIGHT, WRONG, font, short
from include.loop.tasks.measuring import Drawn

if TYPE_CHECKING:
    from PIL import Image

GREY = "#9aa5ad"
LINES = 3  # of what a model says; of many labels, so many more than count
LINE_HEIGHT = 26

Line = tuple[str, str, float | None]  # text, colour, and a score where it has a bar


def draw(
    picture: Image.Image,
    label: LabelledImage,
    prediction: Sequence[ClassScore],
    classes: Sequence[str],
    threshold: float,
    *,
    multi_label: bool,
) -> Drawn:
    """The label and the best classes with their scores, below a copy of the picture."""
    true = set(label.classes)
    said = _said(prediction, threshold, multi_label)
    missed = true - {item.class_id for item in said}
    lines: list[Line] = [
        (f"label: {', '.join(classes[index] for index in label.classes) or 'none'}", LABEL, None)
    ]
    for item in _shown(prediction, said, missed if multi_label else ()):
        if item not in said:
            mark, color = ("missed: " if multi_label and item.class_id in true else ""), GREY
        else:
            mark, color = ("", RIGHT) if item.class_id in true else ("× ", WRONG)
        lines.append((f"{mark}{classes[item.class_id]} {item.score:.2f}", color, item.score))
    if multi_label:
        hits = len(said) - sum(item.class_id not in true for item in said)
        counts = ((hits, "right"), (len(said) - hits, "wrong"), (len(missed), "missed"))
        told = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"
    elif said:
        told = f"{classes[said[0].class_id]} {said[0].score:.2f} ({'wrong' if missed else 'right'})"
    else:
        told = "no prediction"
    return Drawn(_with_lines(picture, lines), told)


def show(
    picture: Image.Image,
    prediction: Sequence[ClassScore],
    classes: Sequence[str],
    threshold: float,
    *,
    multi_label: bool,
) -> Image.Image:
    """The best classes with their scores alone, below a copy of the picture."""
    said = _said(prediction, threshold, multi_label)
    lines = [
        (f"{classes[item.class_id]} {item.score:.2f}", RIGHT if item in said else GREY, item.score)
        for item in _shown(prediction, said, ())
    ]
    return _with_lines(picture, lines or [("no prediction", LABEL, None)])


def _said(prediction: Sequence[ClassScore], threshold: float, multi_label: bool) -> list[ClassScore]:
    """The best class or, where there may be many, those that count."""
    return [item for item in prediction if item.score >= threshold] if multi_label else list(prediction[:1])


def _shown(
    prediction: Sequence[ClassScore], said: Sequence[ClassScore], missed: Container[int]
) -> list[ClassScore]:
    """The best ones, and those that are missed, however low."""
    most = max(LINES, len(said) + 1)
    return [item for place, item in enumerate(prediction) if place < most or item.class_id in missed]


def _with_lines(picture: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """The strip has the picture's width: a bar below each text is as long as the score."""
    from PIL import Image, ImageDraw

    width, height = picture.size
    found = Image.new("RGB", (width, height + LINE_HEIGHT * len(lines)), DARK)
    found.paste(picture, (0, 0))
    brush = ImageDraw.Draw(found)
    for number, (text, color, score) in enumerate(lines):
        top = height + LINE_HEIGHT * number
        if score is not None:
            bottom = top + LINE_HEIGHT - 2
            brush.rectangle((0, bottom - 2, max(1, round((width - 1) * min(score, 1.0))), bottom), fill=color)
        brush.text((4, top), short(text), fill=color, font=font())
    return found
