"""What an answer says, whatever its template: boxes, entities of a text, classes, and the rest as JSON.

Pure functions over strangers' JSON. Every part is checked before it is used, what is not understood counts as
"the rest", and nothing is shown at length.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from include.consensus.boxes import Box

FARTHEST = 1_000_000_000
MOST_BOXES = 1_000  # of one answer
_MOST_CLASSES = 200
_LONGEST_CLASS = 100
_LONGEST_WORDS = 160
# What a page says beside the answer: two people who mean the same may differ in it.
_BESIDE = ("inputImageProperties", "initialValueModified", "workerComment")
_REGIONS = ("polygons", "polylines", "lines", "keypoints", "instances")
_INITIAL = "initialvalue"


@dataclass(frozen=True)
class Said:
    """An answer, or what a model said. ``boxes``, ``spans``, ``classes`` and ``rest`` are by the name of the
    field; a span of a text is a box of height 1; ``rest`` has a digest of each field's JSON, ``shown`` its
    beginning, ``regions`` the classes of polygons, lines, keypoints and masks in it. ``size`` is that of the
    image, ``modified`` whether the pre-labels were changed, and ``remarks`` what a worker wrote beside a
    class, where the answer says so.
    """

    boxes: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    spans: dict[str, tuple[Box, ...]] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rest: dict[str, str] = field(default_factory=dict)
    shown: str = ""
    regions: tuple[str, ...] = ()
    size: tuple[float, float] | None = None
    modified: bool | None = None
    remarks: tuple[str, ...] = ()

    @property
    def fields(self) -> set[str]:
        return self.boxes.keys() | self.spans.keys() | self.classes.keys() | self.rest.keys()

    @property
    def all_boxes(self) -> list[Box]:
        return [box for boxes in self.boxes.values() for box in boxes]

    @property
    def all_spans(self) -> list[Box]:
        return [span for spans in self.spans.values() for span in spans]

    @property
    def all_classes(self) -> list[str]:
        return [name for names in self.classes.values() for name in names]

    @property
    def all_named(self) -> list[str]:
        """The class of everything that has one, as often as it was given."""
        named = [one.label for one in self.all_boxes + self.all_spans]
        return [*named, *self.regions, *self.all_classes]

    @property
    def words(self) -> str:
        """``2 cat, 1 dog`` for boxes and entities, the names for classes, the beginning of all other JSON."""
        labels = Counter(one.label for one in self.all_boxes + self.all_spans)
        parts = [f"{count} {label}" for label, count in labels.items()]
        if self.boxes and not self.all_boxes:
            parts.append("no boxes")
        if self.spans and not self.all_spans:
            parts.append("no entities")
        parts += self.all_classes
        if self.classes and not self.all_classes:
            parts.append("no class")
        parts += [f"“{remark}”" for remark in self.remarks]
        if self.rest:
            parts.append(self.shown)
        return _short(", ".join(parts) or "nothing", _LONGEST_WORDS)


def read_answer(content: Any) -> Said:
    """What an ``answerContent`` says."""
    said = Said()
    if not isinstance(content, Mapping):
        return _rest_only({"": content})
    left: dict[str, Any] = {}
    regions: list[str] = []
    for name, value in content.items():
        parts = value if isinstance(value, Mapping) else {}
        if (boxes := _boxes(parts.get("boundingBoxes"))) is not None:
            said.boxes[name] = boxes
        elif (spans := _spans(parts.get("entities"))) is not None:
            said.spans[name] = spans
        elif (classes := _classes_of(value)) is not None:
            said.classes[name] = classes
        else:
            left[name] = value
            regions += _regions(parts)
    rest = _rest_only(left) if left else said
    size, modified = _size(content.values()), _modified(content.values())
    written = _beside((content[name] for name in said.classes), "workerComment")
    return replace(
        said,
        rest=rest.rest,
        shown=rest.shown,
        regions=tuple(regions[:MOST_BOXES]),
        size=size,
        modified=modified,
        remarks=tuple(_short(text, _LONGEST_WORDS) for text in written if isinstance(text, str)),
    )


def read_initial(task_input: Any) -> Said | None:
    """What the model said, from the ``initialValue`` of a task's input: boxes, entities, classes."""
    if not isinstance(task_input, Mapping):
        return None
    for name, value in task_input.items():
        if str(name).lower().replace("-", "").replace("_", "") == _INITIAL and value is not None:
            boxes = _boxes(value.get("boundingBoxes") if isinstance(value, Mapping) else value)
            if boxes is not None and (boxes or value == []):
                return Said(boxes={"": boxes})
            if spans := _spans(value):
                return Said(spans={"": spans})
            classes = (value,) if isinstance(value, str) else _texts(value) or _classes_of(value)
            if classes:
                return Said(classes={"": tuple(_short(text, _LONGEST_CLASS) for text in classes if text)})
    return None


def _boxes(value: Any) -> tuple[Box, ...] | None:
    """The boxes of a list of them; None when it is no such list."""
    return _each(value, ("left", "top", "width", "height"))


def _spans(value: Any) -> tuple[Box, ...] | None:
    """The entities of a text, as boxes of height 1; None when it is no list of them."""
    return _each(value, ("startOffset", "endOffset"))


def _each(value: Any, names: Sequence[str]) -> tuple[Box, ...] | None:
    if not isinstance(value, list) or len(value) > MOST_BOXES:
        return None
    boxes = []
    for part in value:
        sides: list[Any] = [part.get(name) for name in names] if isinstance(part, Mapping) else [None]
        if not all(_is_number(side) for side in sides):
            return None
        left, top, width, height = sides if len(sides) == 4 else (sides[0], 0, sides[1] - sides[0], 1)
        if min(width, height) <= 0:
            return None
        boxes.append(Box(_label(part), float(left), float(top), float(width), float(height)))
    return tuple(boxes)


def _regions(parts: Mapping[str, Any]) -> Iterator[str]:
    """The classes of a field's shapes and instances, and those that its mask is painted with."""
    for name in _REGIONS:
        if isinstance(parts.get(name), list):
            yield from (_label(one) for one in parts[name][:MOST_BOXES] if isinstance(one, Mapping))
    painted = parts.get("labelMappings")
    if isinstance(painted, Mapping):
        yield from (_short(str(label), _LONGEST_CLASS) for label in islice(painted, MOST_BOXES))


def _label(part: Mapping[str, Any]) -> str:
    label = part.get("label")
    return _short(label, _LONGEST_CLASS) if isinstance(label, str) else ""


def _classes_of(value: Any) -> tuple[str, ...] | None:
    """The class or classes of a classifier's field; radio buttons say ``{"cat": {"on": true}}``."""
    if not isinstance(value, Mapping):
        return None
    members = {name: part for name, part in value.items() if name not in _BESIDE}
    if members.keys() == {"label"} and isinstance(members["label"], str):
        return (_short(members["label"], _LONGEST_CLASS),)
    if members.keys() == {"labels"}:
        return _texts(members["labels"])
    on = [part.get("on") if isinstance(part, Mapping) else part for part in members.values()]
    if members and all(isinstance(value, bool) for value in on) and len(on) <= _MOST_CLASSES:
        chosen = [str(name) for name, is_on in zip(members, on, strict=True) if is_on]
        return tuple(_short(name, _LONGEST_CLASS) for name in chosen)
    return None


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or len(value) > _MOST_CLASSES:
        return None
    if not all(isinstance(text, str) for text in value):
        return None
    return tuple(_short(text, _LONGEST_CLASS) for text in value)


def _rest_only(fields: Mapping[str, Any]) -> Said:
    digests = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            value = {key: part for key, part in value.items() if key not in _BESIDE}
        digests[name] = hashlib.sha256(_json(value).encode("utf-8", "surrogatepass")).hexdigest()
    return Said(rest=digests, shown=_short(_json(fields), _LONGEST_WORDS))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        return '"nested too deeply"'


def _size(values: Any) -> tuple[float, float] | None:
    for properties in _beside(values, "inputImageProperties"):
        if isinstance(properties, Mapping):
            sides: list[Any] = [properties.get("width"), properties.get("height")]
            if all(_is_number(side) for side in sides) and min(sides) > 0:
                return float(sides[0]), float(sides[1])
    return None


def _modified(values: Any) -> bool | None:
    found = [value for value in _beside(values, "initialValueModified") if isinstance(value, bool)]
    return any(found) if found else None


def _beside(values: Any, name: str) -> Iterator[Any]:
    return (value[name] for value in values if isinstance(value, Mapping) and name in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -FARTHEST <= value <= FARTHEST


def _short(text: str, most: int) -> str:
    # Halves of characters are allowed in JSON, and no page can hold them.
    text = text[: most + 1].encode(errors="replace").decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"
