"""What formats say in the same ways: numbers, edges of boxes, class names, splits, text, JSON.

Takes what a stranger's file has, gives plain values, or BadRecord with the reason. No box is clipped here:
that takes the stored image, and is done for all formats alike when it is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse
from include.loop.exchange.files import MOST_LABEL_BYTES, Files
from include.loop.exchange.items import MARKS, Box, Item, Problem, Scalar

# Ten times the longest side that an image may have: what lies further out is no pixel.
FARTHEST = 1_000_000
# Longer names are sentences; SageMaker and labelling tools have none such.
LONGEST_CLASS = 256
MOST_TEXT = 64 << 20

# What would break a line of a list, or cannot be written at all.
UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBER = re.compile(r"[-+]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})([eE][-+]?\d{1,3})?", re.ASCII)
_SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def number(value: Any, what: str) -> float:
    """A finite number that can be a coordinate, from JSON or from text. BadRecord for everything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(f"{what} is {shown(value)}, which is no number")
    if not abs(value) <= FARTHEST:  # nor is NaN; compared first, for a long integer becomes no float
        raise BadRecord(f"{what} is {shown(value)}; at most {FARTHEST:,} is a coordinate")
    return float(value)


def edges(
    label: str, left: float, top: float, right: float, bottom: float, marks: Mapping[str, Scalar]
) -> Box:
    """The box between four edges. BadRecord when there is nothing between them."""
    if right <= left or bottom <= top:
        raise BadRecord(f"box of {label!r} has no area: {left:g} to {right:g} by {top:g} to {bottom:g}")
    return Box(label, left, top, right - left, bottom - top, marks)


def from_fractions(
    label: str, left: float, top: float, right: float, bottom: float, marks: Mapping[str, Scalar]
) -> Box:
    """The box between edges that are fractions times a size: a millionth of a pixel is not theirs to say."""
    return edges(label, round(left, 6), round(top, 6), round(right, 6), round(bottom, 6), marks)


def enclosing(label: str, points: Sequence[tuple[float, float]], marks: Mapping[str, Scalar]) -> Box:
    """The upright box around a shape's corners."""
    across, down = zip(*points, strict=True)
    return from_fractions(label, min(across), min(down), max(across), max(down), marks)


def turned(
    corners: Sequence[tuple[float, float]], centre: tuple[float, float], degrees: float
) -> list[tuple[float, float]]:
    """Points turned clockwise, as seen on the screen, around one of them or another."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    offsets = [(x - centre[0], y - centre[1]) for x, y in corners]
    return [(centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in offsets]


def class_name(value: Any) -> str:
    """The name of a class. BadRecord for what no list, CSV or XML could hold on one line."""
    if not isinstance(value, str) or not value.strip():
        raise BadRecord(f"class name is {shown(value)}; a name is wanted")
    name = value.strip()
    if len(name) > LONGEST_CLASS or UNPRINTED.search(name):
        raise BadRecord(
            f"class name {shown(name)} is longer than {LONGEST_CLASS} characters or has line breaks or "
            "control characters in it"
        )
    return name


def pixels(width: Any, height: Any) -> tuple[int, int] | None:
    """An image's size, from numbers or text; None where a file says nothing, or 0 x 0, as some tools do."""
    sides = []
    for side in (width, height):
        if isinstance(side, str) and re.fullmatch(r"[0-9]{1,6}", side.strip()):
            side = int(side)
        if isinstance(side, bool) or not isinstance(side, int) or not 0 < side < FARTHEST:
            return None
        sides.append(side)
    return sides[0], sides[1]


def without_suffix(name: str) -> str:
    """A path as label files and images share it."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def usable(boxes: Sequence[Box], problems: Sequence[Problem]) -> tuple[Box, ...]:
    """An image's boxes. BadRecord when all of them were dropped: somebody saw something on it, and without
    boxes it would teach that there is nothing.
    """
    lost = [problem.reason for problem in problems if problem.kind == "dropped"]
    if lost and not boxes:
        raise BadRecord(f"none of its {len(lost)} labels can be used: {'; '.join(lost[:3])}")
    return tuple(boxes)


def marks_of(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Those of a tool's attributes that are marks of ours too."""
    found = {name: values[name] for name in MARKS if isinstance(values.get(name), str | int | float | bool)}
    return {name: value for name, value in found.items() if value is not False and value != ""}


def split_word(word: str) -> str | None:
    """train, validation or test for the word that a format has for it."""
    return _SPLITS.get(word.lower())


def split_of(path: str) -> str | None:
    """The split that a file's or folder's name tells (``instances_val2017.json``, ``train/images``): the part
    nearest to the end that has it as its first or last word.
    """
    for part in reversed(PurePosixPath(path).parts):
        words = [word for word in re.split(r"[^a-z]+", PurePosixPath(part).stem.lower()) if word]
        found = [_SPLITS[word] for word in words[:1] + words[-1:] if word in _SPLITS]
        if found:
            return found[0]
    return None


def read_text(files: Files, name: str, most: int = MOST_TEXT) -> str:
    """A whole text file. BadRecord when it is too large or not UTF-8."""
    try:
        return files.read(name, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRecord(f"{name}: not UTF-8 (byte {error.start:,}); save the file as UTF-8") from None


def read_lines(files: Files, name: str, most: int = MOST_TEXT) -> list[tuple[int, str]]:
    """The lines of a text file that have anything on them, with their numbers; a line ends at a line feed
    only.
    """
    lines = enumerate(read_text(files, name, most).split("\n"), 1)
    return [(count, line.strip()) for count, line in lines if line.strip()]


def read_json(files: Files, name: str, most: int = MOST_LABEL_BYTES) -> Any:
    """BadRecord when a file is too large or no JSON that everybody reads alike."""
    try:
        return parse(files.read(name, most))
    except BadRecord:
        raise
    except ValueError as error:
        raise BadRecord(f"{name}: not JSON: {error}") from None


def shown(value: Any) -> str:
    """A stranger's value in a message: short, on one line, and no number so long that Python refuses it."""
    if isinstance(value, int) and value.bit_length() > 300:
        return "an absurdly long number"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def boxes_to_write(
    item: Item, title: str, held: Sequence[str]
) -> tuple[tuple[Box, ...] | None, list[Problem]]:
    """An image's boxes for a format that holds boxes only, and what is lost: classes, and marks other than
    those ``held``. None for an image that has no place in it.
    """
    if item.boxes is None:
        return None, [Problem(item.name, f"{title} holds images labelled with boxes only", "unheld")]
    lost = sorted({mark for box in item.boxes for mark in box.marks if mark not in held})
    reasons = [f"{title} does not hold the mark {mark!r} of boxes" for mark in lost]
    if item.classes is not None:
        reasons.append(f"{title} does not hold classes of whole images")
    return item.boxes, [Problem(item.name, reason, "unheld") for reason in reasons]
