"""The answer that a template would give if a worker submitted at once, told from its initial values.

It follows what the web components do, without a browser: what only a browser knows (the image's size) is
null, and what a person must do first is listed. The bench prints it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from include.review_server.templates.elements import ELEMENTS, Tag, tags
from include.review_server.templates.marked import render_for_check
from include.review_server.templates.values import parse_relaxed

_SHAPES = {
    "crowd-bounding-box": "boundingBoxes",
    "crowd-polygon": "polygons",
    "crowd-polyline": "polylines",
    "crowd-line": "lines",
    "crowd-keypoint": "keypoints",
}
_CHOICES = ("crowd-checkbox", "crowd-radio-button", "crowd-toggle-button")


@dataclass
class Immediate:
    """``content`` as it would be stored under answerContent; ``first`` is what a person must do before."""

    content: dict[str, Any] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)


def immediate_answer(text: str, task_input: Any) -> Immediate:
    """The answer of a submit right after the page has opened. Empty when the template does not render."""
    answer = Immediate()
    for tag in tags(render_for_check(text, task_input).content):
        # The buttons of a group that has a name answer under it.
        name = tag.attributes.get("name", "") or (tag.group if tag.name == "crowd-radio-button" else "")
        element = ELEMENTS.get(tag.name)
        name = name or (element.own_name if element else "")
        alone = element is not None and element.alone
        if not name or "disabled" in tag.attributes or not (tag.in_form or alone):
            continue
        if tag.name in _SHAPES:
            answer.content[name] = _shapes(tag)
        elif tag.name == "crowd-entity-annotation":
            answer.content[name] = {"entities": _initial(tag)}
        elif tag.name == "crowd-semantic-segmentation":
            answer.content[name] = _mask(tag)
        elif tag.name == "crowd-instance-segmentation":
            answer.content[name] = _things(tag)
        elif tag.name == "crowd-textract-analyze-document":
            answer.content[name] = {"blocks": _initial(tag)}
        elif element is not None and "categories" in element.lists:
            chosen = _chosen(tag) if "classifier" in tag.name else []
            if not chosen:
                answer.first.append(f"choose a category of {name!r}")
            elif tag.name.endswith("multi-select"):
                answer.content[name] = {"labels": chosen}
            else:
                answer.content[name] = {"label": chosen[0]}
        elif tag.name in _CHOICES or (tag.name == "input" and _kind(tag) in ("checkbox", "radio")):
            value = tag.attributes.get("value", "on")
            earlier = answer.content.get(name)
            merged = earlier if isinstance(earlier, dict) else {}
            answer.content[name] = {**merged, value: "checked" in tag.attributes}
            if "required" in tag.attributes and "checked" not in tag.attributes:
                answer.first.append(f"tick {name!r}")
        elif tag.name == "crowd-slider":
            answer.content[name] = _number(tag.attributes.get("value") or tag.attributes.get("min"), 0)
        elif tag.name in ("crowd-input", "crowd-text-area"):
            if tag.attributes.get("value"):
                answer.content[name] = tag.attributes["value"]
            elif "required" in tag.attributes:
                answer.first.append(f"fill in {name!r}")
        elif tag.name == "input" and _kind(tag) not in ("submit", "button", "reset", "image", "file"):
            answer.content[name] = tag.attributes.get("value", "")
    return answer


def _chosen(tag: Tag) -> list[str]:
    """The categories that an initial value chooses: a text, a list, or an answer's own object."""
    text = tag.attributes.get("initial-value", "").strip()
    try:
        value = parse_relaxed(text) if text[:1] in ("[", "{", '"', "'") else text
        categories = parse_relaxed(tag.attributes.get("categories", ""))
    except ValueError:
        return []
    if isinstance(value, dict):
        value = value.get("labels") or value.get("label")
    values = value if isinstance(value, list) else [value]
    return [one for one in values if one and isinstance(categories, list) and one in categories]


def _kind(tag: Tag) -> str:
    return tag.attributes.get("type", "text").lower()


def _shapes(tag: Tag) -> dict[str, Any]:
    key = _SHAPES[tag.name]
    initial = _initial(tag)
    items = initial.get(key, []) if isinstance(initial, dict) else initial
    answer: dict[str, Any] = {
        key: [_whole(item) for item in items if isinstance(item, dict)],
        "inputImageProperties": {"height": None, "width": None},
    }
    if tag.has("initial-value"):
        answer["initialValueModified"] = False
    return answer


def _initial(tag: Tag) -> Any:
    try:
        return parse_relaxed(tag.attributes.get("initial-value", "")) or []
    except ValueError:
        return []


def _mask(tag: Tag) -> dict[str, Any]:
    try:
        labels = parse_relaxed(tag.attributes.get("labels", ""))
    except ValueError:
        labels = []
    labels = labels if isinstance(labels, list) else []
    answer: dict[str, Any] = {
        "inputImageProperties": {"height": None, "width": None},
        "labelMappings": {str(label): {"color": None} for label in labels},
        "labeledImage": {"pngImageData": None},
    }
    if tag.has("initial-value"):
        answer["initialValueModified"] = False
    return answer


def _things(tag: Tag) -> dict[str, Any]:
    initial = _initial(tag)
    answer: dict[str, Any] = {
        "inputImageProperties": {"height": None, "width": None},
        "instances": initial.get("instances", []) if isinstance(initial, dict) else [],
        "labeledImage": {"pngImageData": None},
    }
    if tag.has("initial-value"):
        answer["initialValueModified"] = False
    return answer


def _whole(item: Any) -> Any:
    """Every number as the whole pixel that the components make of it."""
    if isinstance(item, dict):
        return {key: _whole(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_whole(value) for value in item]
    if not isinstance(item, float):
        return item
    # JavaScript's Math.round: halves go up; and its JSON has null for what is no number.
    return math.floor(item + 0.5) if math.isfinite(item) else None


def _number(text: str | None, otherwise: float) -> float:
    try:
        number = float(text or "")
    except ValueError:
        return otherwise
    if not math.isfinite(number):
        return otherwise
    return int(number) if number.is_integer() else number
