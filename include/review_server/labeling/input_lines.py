"""The lines of an input manifest: cut out of bytes, and judged one by one before people see them.

Takes what was read of a manifest (JSON Lines in UTF-8), gives each line's text with what becomes of its
object: it goes out, it is labeled already (chaining), or it fails alone with a reason. What is wrong with the
manifest as a whole raises ``BadManifest``. The limits are the developer guide's ("Input Data Quotas" and
"Use an Input Manifest File"). Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from include.review_server import jsontext
from include.review_server.labeling.task_types import TaskType
from include.review_server.s3 import image_buckets
from include.review_server.s3_location import S3Location

MOST_CHARACTERS = 100_000
MOST_ATTRIBUTE_CHARACTERS = 20_000

# What may be a number beyond all floats: it is read as infinity, and no template could be given it.
_HUGE = re.compile(r"\d[eE]\+?\d{3}|\d{300}")
_BYTE_ORDER_MARK = "\ufeff"
_BOXES, _MASKS = "groundtruth/object-detection", "groundtruth/semantic-segmentation"
_REVIEWED = {
    "AdjustmentBoundingBox": _BOXES,
    "VerificationBoundingBox": _BOXES,
    "AdjustmentSemanticSegmentation": _MASKS,
    "VerificationSemanticSegmentation": _MASKS,
}


class BadManifest(ValueError):
    """No object of the manifest can be labeled by this job, whatever its line says."""


@dataclass(frozen=True)
class InputLine:
    """One object. ``problem`` is why it fails; ``is_labeled`` is whether it has its label already.

    ``image`` is where its picture is, None for texts, for failed objects and for labeled ones.
    """

    text: str
    problem: str | None = None
    is_labeled: bool = False
    image: S3Location | None = None


def cut(piece: bytes, is_first: bool, is_last: bool) -> tuple[list[str], int]:
    """The whole lines of a piece, and how many of its bytes they take; blank lines are no objects.

    Lines end at a line feed alone, with or without a carriage return before: U+2028 and its like are
    characters of a JSON text.
    """
    end = len(piece) if is_last else piece.rfind(b"\n") + 1
    if end == 0 and piece:
        raise BadManifest(f"a line of it has more than {len(piece):,} bytes; write one JSON object per line")
    try:
        text = piece[:end].decode()
    except UnicodeDecodeError as error:
        raise BadManifest(
            f"it is no UTF-8 text: {error.reason} in {piece[error.start : error.end]!r}"
        ) from None
    if "\0" in text:
        raise BadManifest("it is no text: it has a NUL character (write it as UTF-8)")
    if is_first:
        text = text.removeprefix(_BYTE_ORDER_MARK)
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()], end


def judged(text: str, attribute: str, kind: TaskType | None) -> InputLine:
    """What becomes of a line's object in a job of that label attribute and type (None: a custom task)."""
    try:
        line = _parsed(text)
        if _is_labeled(line, attribute):
            _check_own(line, attribute, kind)
            return InputLine(text, is_labeled=True)
        image = _source(line, kind)
        _check_reviewed(line, attribute, kind)
    except BadManifest:
        raise
    except ValueError as error:
        return InputLine(text, problem=str(error))
    return InputLine(text, image=image)


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the line has {len(text):,} characters; {MOST_CHARACTERS:,} are allowed")
    try:
        line = jsontext.parse(text)
    except ValueError as error:
        raise ValueError(f"the line is not JSON: {error}") from None
    if _HUGE.search(text):
        try:
            jsontext.dump(line)
        except ValueError:
            raise ValueError("the line has a number that is too large") from None
    if not isinstance(line, dict):
        raise ValueError("the line is no JSON object")
    for key, value in line.items():
        if key.startswith("$"):
            raise ValueError(f"the key {key[:60]!r} begins with $, which is kept for Ground Truth's own")
        # No value of a short line can be too long: most lines are not written a second time.
        if len(text) > MOST_ATTRIBUTE_CHARACTERS and _length(value) > MOST_ATTRIBUTE_CHARACTERS:
            raise ValueError(
                f"the value of {key[:60]!r} has {_length(value):,} characters; "
                f"{MOST_ATTRIBUTE_CHARACTERS:,} are allowed"
            )
    return line


def _length(value: Any) -> int:
    return len(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _is_labeled(line: dict[str, Any], attribute: str) -> bool:
    """Whether an earlier job of this attribute has labeled the object: a label that failed is none."""
    metadata = line.get(f"{attribute}-metadata")
    failed = isinstance(metadata, dict) and "failure-reason" in metadata
    return line.get(attribute) is not None and not failed


def _source(line: dict[str, Any], kind: TaskType | None) -> S3Location | None:
    """The object's picture. ``ValueError`` when the line names no object, or none of the job's kind."""
    keys = [key for key in ("source-ref", "source") if key in line]
    if len(keys) != 1:
        many = "both source-ref and source" if keys else "neither source-ref nor source"
        raise ValueError(f"the line has {many}: it must have exactly one")
    key, value = keys[0], line[keys[0]]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} must be a text, not {json.dumps(value)[:60]}")
    texts = kind is not None and kind.output_type.startswith("groundtruth/text-")
    if kind is not None and texts == (key == "source-ref"):
        right = "a text: write it as source" if texts else "an image in S3: write its address as source-ref"
        raise ValueError(f"an object of {kind.name} is {right}")
    if key == "source":
        return None
    try:
        location = S3Location.of_object(value)
        location.key.encode()
    except UnicodeEncodeError:
        raise ValueError("source-ref: no key in S3 has half a character (a lone surrogate)") from None
    except ValueError as error:
        raise ValueError(f"source-ref: {error}") from None
    # Of custom tasks' objects, which may be sounds or documents, those that A2I takes for images too.
    return location if kind is not None or image_buckets(value) else None


def _check_own(line: dict[str, Any], attribute: str, kind: TaskType | None) -> None:
    """A review writes beside the label under review. A line of an earlier review has both."""
    if kind is not None and kind.reviews and _candidates(line, "", kind) == [attribute]:
        raise BadManifest(
            f"LabelAttributeName {attribute!r} is the attribute under review: give the result of "
            f"{kind.name} a name of its own"
        )


def _check_reviewed(line: dict[str, Any], attribute: str, kind: TaskType | None) -> None:
    if kind is None or not kind.reviews:
        return
    found = _candidates(line, attribute, kind)
    if not found:
        raise ValueError(
            f"the line has no label to review: {kind.name} needs an attribute whose metadata says "
            f'"type": "{_REVIEWED[kind.name]}"'
        )
    if _REVIEWED[kind.name] == _MASKS:
        for name in found:
            _check_colours(name, line[f"{name}-metadata"].get("internal-color-map"))


def _candidates(line: dict[str, Any], attribute: str, kind: TaskType) -> list[str]:
    """The attributes of a line that the job may review."""
    return [
        name
        for name in line
        if name != attribute
        and isinstance(metadata := line.get(f"{name}-metadata"), dict)
        and metadata.get("type") == _REVIEWED[kind.name]
    ]


def _check_colours(name: str, colours: Any) -> None:
    """Masks made before colours were kept cannot be reviewed: AWS refuses such a job whole."""
    rows = colours.values() if isinstance(colours, dict) else [None]
    if not all(isinstance(row, dict) and isinstance(row.get("hex-color"), str) for row in rows):
        raise BadManifest(
            f"the internal-color-map in {name + '-metadata'!r} has no hex-color for every class, so "
            "that its mask cannot be shown"
        )
