"""The segmentation of one image from several workers' label maps, painted anew or adjusted.

The label is a file: an indexed PNG, in which 0 is BACKGROUND and white, and 1 is the first category. Colours
are those in which the workers painted (include/consensus/masks.py has how their pixels are weighed).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.consensus.masks import agree_on_map
from include.pictures import CLEAR, PictureError, read_colours, write_indexed
from include.review_server.labeling.consolidation.reading import (
    adjustment,
    class_of,
    image_size,
    member,
    one_by_one,
    read_answers,
    same_size,
    shown,
)
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question

BACKGROUND, WHITE = "BACKGROUND", 0xFFFFFF
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class _Painted:
    """One worker's class of each pixel (0 is background), and the colours of the classes."""

    classes: NDArray[np.uint8]
    colours: dict[int, int]
    size: tuple[int, int]
    modified: bool


def label_masks(question: Question, objects: Sequence[AnsweredObject]) -> list[Label | BadAnswer]:
    """A label map for each image, with one confidence for all its classes: the mean share of the workers that
    gave a pixel the class it has, over the pixels that anybody painted; 0 where there was one worker.
    """
    return one_by_one(_label, question, objects)


def _label(question: Question, item: AnsweredObject) -> Label:
    told = read_answers(question, item, lambda content: _read(question, content))
    same_size(painted.size for painted in told.values())
    agreed = agree_on_map([painted.classes for painted in told.values()])
    colours = _colours(painted.colours for painted in told.values())
    used = [index for index in np.unique(agreed.classes).tolist() if index]
    confidence = round(agreed.share, 2) if len(told) > 1 else 0
    name = f"{item.number}_{question.date}.png"
    palette = [colours.get(index, 0) for index in range(max(used, default=0) + 1)]
    names = {0: BACKGROUND} | {index: question.job.categories[index - 1] for index in used}
    return Label(
        f"{question.job.files_at}{name}",
        {
            "internal-color-map": {
                str(index): {
                    "class-name": text,
                    "hex-color": f"#{colours[index]:06x}",
                    "confidence": confidence,
                }
                for index, text in names.items()
            },
            "type": question.task_type.output_type,
            "human-annotated": "yes",
            "creation-date": question.date,
            "job-name": question.job_name,
        }
        | adjustment(question, [painted.modified for painted in told.values()]),
        ((name, write_indexed(agreed.classes, palette)),),
    )


def _colours(mappings: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """A colour of its own for each class, the first worker's where workers painted it differently."""
    found = {0: WHITE}
    late: list[int] = []
    for mapping in mappings:
        for index, colour in mapping.items():
            if index not in found and colour not in found.values():
                found[index] = colour
            elif index not in found:
                late.append(index)
    for index in late:  # its colour was taken by another class, with another worker
        if index not in found:
            found[index] = next(shade for shade in range(1, WHITE) if shade not in found.values())
    return found


def _read(question: Question, content: Any) -> _Painted:
    size = image_size(content)
    colours = _mapping(question, member(content, "labelMappings", dict))
    picture = member(member(content, "labeledImage", dict), "pngImageData", str, "labeledImage")
    try:
        pixels = read_colours(base64.b64decode(picture, validate=True), size)
    except (binascii.Error, ValueError) as error:
        reason = str(error) if isinstance(error, PictureError) else "it is no base64"
        raise BadAnswer(f"pngImageData cannot be read: {reason}") from None
    return _Painted(_classes(pixels, colours), colours, size, bool(content.get("initialValueModified")))


def _mapping(question: Question, mappings: Mapping[Any, Any]) -> dict[int, int]:
    """The colour of each class that the worker could paint, 1 being the first category."""
    if len(mappings) > len(question.classes) + 1:
        raise BadAnswer(
            f"labelMappings has {len(mappings):,} labels, and the job has {len(question.classes)} categories"
        )
    found: dict[int, int] = {}
    for label, value in mappings.items():
        color = member(value, "color", str, f"label {shown(label)}")
        if not _HEX.fullmatch(color):
            raise BadAnswer(f"color of label {shown(label)} is {shown(color)}, not like #1f77b4")
        # Some templates offer what an earlier label map calls so.
        background = label == BACKGROUND and label not in question.classes
        found[0 if background else class_of(question, label) + 1] = int(color[1:], 16)
    if len(set(found.values())) < len(found):
        raise BadAnswer("two labels have the same color in labelMappings")
    return found


def _classes(pixels: NDArray[np.int32], colours: Mapping[int, int]) -> NDArray[np.uint8]:
    table = {CLEAR: 0, WHITE: 0} | {colour: index for index, colour in colours.items()}
    known = np.array(sorted(table), dtype=np.int32)
    classes = np.array([table[colour] for colour in sorted(table)], dtype=np.uint8)
    found = np.empty(pixels.shape, dtype=np.uint8)
    for row, shades in enumerate(pixels):  # row by row: places are eight times as large as classes
        places = np.minimum(np.searchsorted(known, shades), len(known) - 1)
        if (unknown := known[places] != shades).any():
            raise BadAnswer(f"it has colors of no label in labelMappings, as #{int(shades[unknown][0]):06x}")
        found[row] = classes[places]
    return found
