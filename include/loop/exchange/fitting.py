"""One item of a source as the pipeline can learn it: its classes by our names, its boxes inside its image.

Takes an item and what is known of its stored image, gives the item to write and what was dropped or mended.
The rule for boxes is the one that training keeps (tasks/detection/learnable.py): a box is clipped to its
image, and one of which less than half a pixel is left costs itself; an image that loses all its boxes is
refused, since somebody saw something on it. A crowd's box is no object, so it is dropped, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from include.loop.core.errors import BadRecord
from include.loop.exchange.items import Box, Class, Item, Problem
from include.loop.exchange.manifest_items import Kind

_LEAST_SIDE = 0.5  # pixels; also what a clip has to take away to be worth a word: less is rounding
# What a line of another manifest says about its own loop and its own image, which are not this one's.
_NOT_OURS = ("source-ref", "loop", "batch", "etag", "workers", "file")


@dataclass
class Fitted:
    """The item to write; ``left_out`` counts labels of classes that are not taken."""

    item: Item
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def fit(item: Item, kind: Kind, classes: Mapping[str, str | None], size: tuple[int, int]) -> Fitted:
    """``classes`` maps the source's names to ours; ``size`` is the stored image's, in pixels. BadRecord when
    the image cannot be used.
    """
    details = {name: value for name, value in item.details.items() if name not in _NOT_OURS}
    fitted = Fitted(replace(item, size=item.size or size, details=details | {"file": item.name}))
    if kind == "boxes":
        fitted.item = replace(fitted.item, classes=None, boxes=_boxes(fitted, classes))
    else:
        fitted.item = replace(fitted.item, boxes=None, classes=_classes(fitted, kind, classes))
    return fitted


def _boxes(fitted: Fitted, classes: Mapping[str, str | None]) -> tuple[Box, ...]:
    item = fitted.item
    if item.boxes is None:
        raise BadRecord("it is not labelled with boxes")
    width, height = item.size or (0, 0)
    kept: list[Box] = []
    lost: list[str] = []
    for number, box in enumerate(item.boxes, start=1):
        name = classes[box.label]
        if name is None:
            fitted.left_out[box.label] += 1
            continue
        where = f"box {number} ({box.label} at {box.left:g},{box.top:g} of {box.width:g} x {box.height:g})"
        inside = _inside(replace(box, label=name), width, height)
        problem = _problem(box, inside, width, height)
        if problem:
            lost.append(f"{where} {problem}")
            fitted.problems.append(Problem(item.name, lost[-1], "dropped"))
            continue
        if (
            max(abs(one - other) for one, other in zip(_edges(box), _edges(inside), strict=True))
            > _LEAST_SIDE
        ):
            reason = f"{where} was clipped to the image of {width} x {height} pixels"
            fitted.problems.append(Problem(item.name, reason, "mended"))
        kept.append(inside)
    if lost and not kept:
        raise BadRecord(f"none of its {len(lost)} boxes can be used: {'; '.join(lost[:3])}")
    return tuple(kept)


def _inside(box: Box, width: int, height: int) -> Box:
    left, top, right, bottom = _edges(box)
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return box  # a sum and a difference would round it
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
    return replace(box, left=left, top=top, width=right - left, height=bottom - top)


def _edges(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.left + box.width, box.top + box.height


def _problem(box: Box, inside: Box, width: int, height: int) -> str:
    if box.marks.get("crowd"):
        return "is of a crowd, and no single object"
    if not (box.width > 0 and box.height > 0):  # so written, NaN has none either
        return "has no area"
    if min(inside.width, inside.height) >= _LEAST_SIDE:
        return ""
    return f"has less than half a pixel inside the image of {width} x {height} pixels"


def _classes(fitted: Fitted, kind: Kind, classes: Mapping[str, str | None]) -> tuple[Class, ...]:
    item = fitted.item
    if item.classes is None:
        raise BadRecord("it is not labelled with classes")
    kept: dict[str, Class] = {}
    for said in item.classes:
        name = classes[said.label]
        if name is None:
            fitted.left_out[said.label] += 1
            continue
        before = kept.get(name)
        if before is not None and before.present != said.present:
            raise BadRecord(f"it is said to be of class {name}, and not to be")
        kept[name] = replace(said, label=name)
    if kind == "classes" and not any(said.present for said in kept.values()):
        raise BadRecord("it has no class of the pipeline's")
    unsaid = sorted({name for name in classes.values() if name is not None} - kept.keys())
    if kept and unsaid and not any(said.present for said in kept.values()):
        # As a line it would be of no class at all, which nobody has said.
        absent, more = ", ".join(list(kept)[:5]), ", ".join(unsaid[:5])
        raise BadRecord(f"it is said not to be of {absent}, and nothing is said of {more}")
    return tuple(kept.values())
