"""An input for any worker template, made from the template itself: its names and where they stand.

``input_for(template)`` reads outputs, loops, assignments and captures, sees for each name in which attribute
of which element it stands, and gives every name a value of the kind that belongs there: an image for a
``src``, classes for ``labels``, shapes for ``initial-value``, a sentence for text. No template's
documentation is read, so one that wants a structure which only its comments describe gets a simpler one.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from include.review_server.templates import elements
from include.review_server.templates.elements import ELEMENTS
from include.review_server.templates.html_tokens import Kind, tokens

LABELS = ["cat", "dog", "bird"]
# What the media are called in the bucket (``template_media``).
FILES = {"image": "scene.jpg", "audio": "speech.wav", "video": "clip.webm", "document": "form.pdf"}
SENTENCE = "The quick brown fox jumps over the lazy dog near London."

_LIQUID = re.compile(r"\{\{(.*?)\}\}|\{%-?\s*(\w+)(.*?)-?%\}", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[[^\]]*\])*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MEDIA = {
    "img": "image", "audio": "audio", "video": "video", "iframe": "document", "object": "document",
    "embed": "document", "crowd-textract-analyze-document": "image",
}  # fmt: skip
_POINTS = [{"x": 60, "y": 60}, {"x": 200, "y": 60}, {"x": 200, "y": 180}]
_BOX = {"label": "dog", "left": 40, "top": 50, "width": 100, "height": 80}
_INITIAL: dict[str, Any] = {
    "crowd-bounding-box": [_BOX],
    "crowd-polygon": [{"label": "dog", "vertices": _POINTS}],
    "crowd-polyline": [{"label": "dog", "vertices": _POINTS}],
    "crowd-line": [{"label": "dog", "vertices": _POINTS[:2]}],
    "crowd-keypoint": [{"label": "dog", "x": 60, "y": 60}],
    "crowd-entity-annotation": [{"label": "dog", "startOffset": 4, "endOffset": 9}],
    "crowd-classifier": "dog",
    "crowd-image-classifier": "dog",
    "crowd-classifier-multi-select": ["dog"],
    "crowd-image-classifier-multi-select": ["dog"],
    "crowd-slider": 3,
    "crowd-textract-analyze-document": [
        {
            "id": "key",
            "blockType": "KEY_VALUE_SET",
            "entityTypes": ["KEY"],
            "confidence": 90.0,
            "geometry": {"boundingBox": {"left": 0.1, "top": 0.1, "width": 0.2, "height": 0.1}},
            "relationships": [{"type": "VALUE", "ids": ["value"]}, {"type": "CHILD", "ids": ["word-1"]}],
        },
        {
            "id": "value",
            "blockType": "KEY_VALUE_SET",
            "entityTypes": ["VALUE"],
            "confidence": 90.0,
            "geometry": {"boundingBox": {"left": 0.4, "top": 0.1, "width": 0.2, "height": 0.1}},
            "relationships": [{"type": "CHILD", "ids": ["word-2"]}],
        },
        {"id": "word-1", "blockType": "WORD", "text": "cat", "confidence": 99.0},
        {"id": "word-2", "blockType": "WORD", "text": "Tom", "confidence": 99.0},
    ],
}


@dataclass(frozen=True)
class Use:
    """One place where a variable is written or looped over; ``a[].b`` is a part of ``a``'s entries."""

    path: str
    element: str = ""
    attribute: str = ""
    filters: str = ""
    is_list: bool = False


def input_for(template: str, folder: str) -> dict[str, Any]:
    """The input of a task, with its files below the S3 URI ``folder``."""
    found: dict[str, Any] = {}
    uses = list(_uses(template))
    # What has parts below it is made by its parts; what is only tested counts last.
    for use in sorted(uses, key=lambda use: (not use.is_list, not use.attribute, use.path)):
        if any(other.path.startswith((f"{use.path}.", f"{use.path}[]")) for other in uses):
            if use.is_list:
                _put(found, use.path, None)
            continue
        _put(found, use.path, _value(use, folder))
    return found


def shows_an_image(template: str) -> bool:
    """Whether the task is about an image: an element for images, or any that shows one of the input."""
    if any(tag.name in ELEMENTS and ELEMENTS[tag.name].image for tag in elements.tags(template)):
        return True
    return any(
        _kind(use) == "image" and (use.attribute == "src" or "grant_read_access" in use.filters)
        for use in _uses(template)
    )


def _uses(template: str) -> list[Use]:
    places = _places(template)
    names: dict[str, str] = {}  # a loop's or an assignment's name, and the path it stands for
    captured: dict[str, list[str]] = {}
    capturing = ""
    uses: list[Use] = []
    for match in _LIQUID.finditer(template):
        output, tag, rest = match[1], match[2], match[3] or ""
        element, attribute = places(match.start())
        if element == "!comment":
            continue
        if output is not None:
            head, _, filters = output.strip(" -\n").partition("|")
            for path in _paths(head, names):
                uses.append(Use(path, element, attribute, filters))
                if capturing:
                    captured[capturing].append(path)
            name = head.strip()
            for path in captured.get(name, []):
                uses.append(Use(path, element, attribute, "captured"))
        elif tag == "for":
            name, _, source = rest.strip().partition(" in ")
            for path in _paths(source, names)[:1]:
                uses.append(Use(path, is_list=True))
                names[name.strip()] = f"{path}[]"
        elif tag == "assign":
            name, _, source = rest.strip().partition("=")
            paths = _paths(source.partition("|")[0], names)
            if paths:
                names[name.strip()] = paths[0]
                uses.append(Use(paths[0], filters=source.partition("|")[2]))
        elif tag == "capture":
            capturing = rest.strip()
            captured[capturing] = []
        elif tag == "endcapture":
            capturing = ""
        else:
            uses += [Use(path) for path in _paths(rest, names)]
    return uses


def _paths(expression: str, names: dict[str, str]) -> list[str]:
    """The input's variables in an expression, as paths below ``task.input``."""
    found = []
    for word in _PATH.findall(_QUOTED.sub("", expression)):
        path = re.sub(r"\[[^\]]*\]", "[]", word)
        first, _, rest = path.partition(".")
        if path.startswith("task.input."):
            found.append(path.removeprefix("task.input."))
        elif first.removesuffix("[]") in names and first not in ("forloop",):
            found.append(names[first.removesuffix("[]")] + (f".{rest}" if rest else ""))
    return [path for path in found if not path.endswith((".size", ".first", ".last"))]


def _places(template: str) -> Any:
    """A function: the element and attribute that a position stands in ("" outside of tags)."""
    plain = _LIQUID.sub(lambda match: "x" * len(match[0]), template)
    spans: list[tuple[int, int, str, str]] = []
    opened: list[tuple[str, int]] = []
    for token in tokens(plain):
        if token.kind is Kind.COMMENT:
            spans.append((token.start, token.end, "!comment", ""))
        elif token.kind is Kind.START:
            around = [name for name, _ in opened if name in ("audio", "video")]
            # A source is what stands around it.
            element = around[-1] if token.name == "source" and around else token.name
            spans += [(value.start, value.end, element, name.lower()) for name, value in token.values.items()]
            opened.append((token.name, token.end))
        elif token.kind is Kind.END:
            for index in range(len(opened) - 1, -1, -1):
                if opened[index][0] == token.name:
                    spans.append((opened.pop(index)[1], token.start, token.name, ""))
                    break

    def at(position: int) -> tuple[str, str]:
        around = [span for span in spans if span[0] <= position < span[1]]
        if not around:
            return "", ""
        _, _, element, attribute = min(around, key=lambda span: span[1] - span[0])
        return element, attribute

    return at


def _kind(use: Use) -> str:
    """Which file a variable names; "" when it is none."""
    if use.path.endswith((".bucket", ".version")):
        return ""
    signed = "grant_read_access" in use.filters or use.filters == "captured"
    if use.element == "iframe" and not signed:
        return ""  # somebody's page
    if use.attribute in ("src", "data", "poster") or signed:
        if use.element in ("source", "") or use.element not in _MEDIA:
            named = [kind for kind in ("audio", "video") if kind in use.path.lower()]
            return named[0] if named else "image"
        return _MEDIA[use.element]
    return ""


def _value(use: Use, folder: str) -> Any:
    name = use.path.rpartition(".")[2].lower().removesuffix("[]")
    kind = _kind(use)
    if kind:
        # The parts of an address are put together by the template.
        bucket_key = name in ("name", "key") and use.filters == "captured"
        uri = f"{folder}/{FILES[kind]}"
        return uri.removeprefix("s3://").partition("/")[2] if bucket_key else uri
    if name == "bucket":
        return folder.removeprefix("s3://").partition("/")[0]
    if re.search(r"png|base64", name):
        return _png()
    if use.attribute == "initial-value":
        return _INITIAL.get(use.element, SENTENCE)
    entry = "[]" in use.path
    if not entry and use.attribute in ("labels", "categories", "keys", "options"):
        return LABELS
    if use.attribute in ("href", "action") or use.element == "iframe" or re.search(r"url|link|website", name):
        return "https://www.example.com/page"
    if re.search(r"label|categor|classes|options|choices", name):
        return LABELS if "to_json" in use.filters else "dog"
    many = name.endswith(("parts", "list", "responses", "items")) and not entry
    if use.is_list or many or "to_json" in use.filters:
        return [SENTENCE, "It rained all day."]
    if re.search(r"count|number|score|confidence|percent|index|^(row|id|width|height|left|top|x|y)$", name):
        return 3
    return SENTENCE if use.attribute in ("", "text") or "text" in name else f"some {name}"


def _put(found: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path: ``a.b[].c`` makes a list of three objects. What is there already stays."""
    parts = path.replace("[]", ".[]").split(".")
    holders: list[Any] = [found]
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        inner: list[Any] = []
        for number, holder in enumerate(holders):
            if part == "[]":
                if not isinstance(holder, list):
                    return
                if following is None or not holder:
                    holder[:] = [_nth(value, index) if following is None else {} for index in range(3)]
                inner += holder
            elif isinstance(holder, dict):
                if following is None:
                    if value is not None:
                        holder.setdefault(part, _nth(value, number) if "[]" in path else value)
                    else:
                        holder.setdefault(part, [])
                else:
                    inner.append(holder.setdefault(part, [] if following == "[]" else {}))
        holders = inner


def _nth(value: Any, index: int) -> Any:
    """Entries of a list differ, where they are texts for people."""
    if value == "dog":
        return LABELS[index % len(LABELS)]
    return f"{value} ({index + 1})" if isinstance(value, str) and " " in value else value


def _png() -> str:
    """A small mask of two colours, in base64."""
    image = Image.new("RGB", (64, 40), "#ffffff")
    image.paste("#2ca02c", (10, 8, 40, 30))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
