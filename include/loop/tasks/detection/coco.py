"""COCO's words for boxes, both ways: annotations to learn from, and the results of a detector.

Categories are numbered from 1 in the order of the classes: some trainers take 0 for the background. Boxes are
``[x, y, width, height]`` in stored pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.numbers import is_finite
from include.loop.core.storage import parse
from include.loop.tasks.detection.learnable import ManifestBox
from include.loop.tasks.replies import Reader, Reply

_SIDES = "bbox must be [x, y, width, height] in pixels"


def write_annotations(boxes: Iterable[ManifestBox]) -> list[dict[str, Any]]:
    """The annotations of one image, without their ids."""
    return [
        {
            "category_id": box.class_id + 1,
            "bbox": [box.left, box.top, box.width, box.height],
            "area": box.width * box.height,
            "iscrowd": 0,
            "segmentation": [],
        }
        for box in boxes
    ]


def read_results(reply: Reply) -> list[list[float]]:
    """COCO's results for one image: ``[{"category_id": 1, "bbox": [x, y, width, height], "score": 0.9}, …]``,
    best first or in any order. Other fields, ``image_id`` too, are passed over.
    """
    try:
        found = parse(reply.body)
    except ValueError as error:
        raise BadRecord(f"no JSON: {error}") from None
    if not isinstance(found, list):
        raise BadRecord(f"COCO results are a list, not {type(found).__name__}")
    if not found:
        return []
    width, height = reply.size
    return [_row(number, item, reply, width, height) for number, item in enumerate(found, 1)]


def _row(number: int, item: Any, reply: Reply, width: int, height: int) -> list[float]:
    try:
        if not isinstance(item, Mapping):
            raise BadRecord("must be an object with category_id, bbox and score")
        category, score = item.get("category_id"), _number(item.get("score"), "score")
        if type(category) is not int or not 1 <= category <= len(reply.classes):
            raise BadRecord(
                f"category_id must be a class's number, from 1 to {len(reply.classes)}, not {category!r:.40}"
            )
        if not 0 <= score <= 1:
            raise BadRecord(f"score must be from 0 to 1, not {score:g}")
        box = item.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            raise BadRecord(f"{_SIDES}, not {box!r:.80}")
        left, top, wide, high = (_number(side, "a side of bbox") for side in box)
        if wide < 0 or high < 0:
            raise BadRecord(f"{_SIDES}, and {wide:g} x {high:g} is no size")
    except BadRecord as error:
        raise BadRecord(f"result {number} of {reply.picture}: {error}") from None
    return [category - 1, score, left / width, top / height, (left + wide) / width, (top + high) / height]


def _number(value: Any, what: str) -> float:
    if not is_finite(value):
        raise BadRecord(f"{what} must be a finite number, not {value!r:.40}")
    return float(value)


READERS: dict[str, Reader] = {"coco-results": read_results}
