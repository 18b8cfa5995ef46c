"""What can be learned of the boxes of a label: one rule for the dataset, the evaluation and the container.

Takes a label's size and boxes as somebody wrote them, gives the boxes to learn, and those that cost
themselves with the reason. The training container keeps the same rule for itself (labels.py of object
detection), as it may not know the loop; a test puts the same lines through both.

* A box is clipped to the image. One of which less than half a pixel is left, across or down, costs itself.
* Of boxes that are equal then (the same class, the same pixels), one counts.
* An image that has lost all its boxes is left out: somebody saw something, so it is no image of nothing.

A box that the network sees at less than a pixel stays: somebody saw it, and the cell of its middle learns it.
Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.loop.tasks.values import Lost, Unlearnable

# Of a box inside its image: less is the rounding of a side that was drawn along the border.
MIN_SIDE = 0.5
# Boxes whose fault is told when an image is left out for them.
TOLD = 3


@dataclass(frozen=True)
class ManifestBox:
    """A labelled box by class index, in pixels."""

    class_id: int
    left: float
    top: float
    width: float
    height: float


def learnable(
    boxes: Iterable[ManifestBox], width: int, height: int
) -> tuple[tuple[ManifestBox, ...], tuple[Lost, ...]]:
    """The boxes inside an image of this size, each once, and the lost ones. Unlearnable when all are lost."""
    kept: dict[tuple[float, ...], ManifestBox] = {}
    lost = []
    for number, box in enumerate(boxes, start=1):
        left, right = max(box.left, 0.0), min(box.left + box.width, width)
        top, bottom = max(box.top, 0.0), min(box.top + box.height, height)
        if problem := _problem(
            box, min(right - left, bottom - top), f"the image of {width} x {height} pixels"
        ):
            where = f"{box.left:g},{box.top:g} of {box.width:g} x {box.height:g}"
            lost.append(Lost(number, f"box {number} (class_id {box.class_id} at {where}) {problem}"))
            continue
        # A side that was not clipped stays as it was written: a sum and a difference would round it.
        inside = ManifestBox(
            box.class_id,
            left,
            top,
            box.width if (left, right) == (box.left, box.left + box.width) else right - left,
            box.height if (top, bottom) == (box.top, box.top + box.height) else bottom - top,
        )
        kept.setdefault((box.class_id, left, top, right, bottom), inside)
    if lost and not kept:
        why = "; ".join(item.reason for item in lost[:TOLD])
        raise Unlearnable(f"none of its {len(lost)} boxes can be learned: {why}")
    return tuple(kept.values()), tuple(lost)


def _problem(box: ManifestBox, least: float, image: str) -> str:
    """Why a box cannot be learned whose shorter side inside the image is so long; empty when it can."""
    if box.width <= 0 or box.height <= 0:
        return "has no area"
    if least <= 0:
        return f"lies outside {image}"
    return f"has less than half a pixel inside {image}" if least < MIN_SIDE else ""
