"""The crowd elements of this server, and what a template's HTML holds: tags with their lines.

``ELEMENTS`` is the one list of what is supported; the web components are held to it by a test. ``tags`` reads
HTML as a browser would tokenize it, leaving out comments and the text of scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(frozen=True)
class Element:
    """What a template must give an element for it to work."""

    answers: bool = False
    lists: tuple[str, ...] = ()  # attributes that must be lists of texts, with at least one
    structures: tuple[str, ...] = ()  # attributes that hold structure and may be absent
    image: bool = False
    regions: tuple[str, ...] = ()  # child elements with a meaning
    at_most: int | None = None  # documented number of labels or categories


_INSTRUCTIONS = ("full-instructions", "short-instructions")


def _annotation(*, at_most: int | None = None, colours: bool = False) -> Element:
    return Element(
        answers=True,
        lists=("labels",),
        structures=("initial-value", "label-colors") if colours else ("initial-value",),
        image=True,
        regions=_INSTRUCTIONS,
        at_most=at_most,
    )


def _classifier(*, image: bool, many: bool) -> Element:
    regions = (*_INSTRUCTIONS, "worker-comment" if image else "classification-target")
    structures = (*(("exclusion-category",) if many else ()), *(("overlay",) if image else ()))
    return Element(
        answers=True, lists=("categories",), structures=structures, image=image, regions=regions,
        at_most=10 if image and not many else None,
    )  # fmt: skip


ELEMENTS: dict[str, Element] = {
    "crowd-form": Element(),
    "crowd-button": Element(),
    # 50: Ground Truth's quota; the element's page says 10, which is not enforced either.
    "crowd-bounding-box": _annotation(at_most=50),
    "crowd-polygon": _annotation(),
    "crowd-polyline": _annotation(at_most=10, colours=True),
    "crowd-line": _annotation(at_most=10, colours=True),
    "crowd-keypoint": _annotation(),
    "crowd-image-classifier": _classifier(image=True, many=False),
    "crowd-image-classifier-multi-select": _classifier(image=True, many=True),
    "crowd-classifier": _classifier(image=False, many=False),
    "crowd-classifier-multi-select": _classifier(image=False, many=True),
    "crowd-input": Element(answers=True),
    "crowd-text-area": Element(answers=True),
    "crowd-checkbox": Element(answers=True),
    "crowd-radio-button": Element(answers=True),
    "crowd-radio-group": Element(),
    "crowd-toggle-button": Element(answers=True),
    "crowd-slider": Element(answers=True),
    "crowd-instructions": Element(
        regions=("short-summary", "detailed-instructions", "positive-example", "negative-example")
    ),
    "crowd-alert": Element(),
    "crowd-badge": Element(),
    "crowd-card": Element(),
    "crowd-fab": Element(),
    "crowd-icon-button": Element(),
    "crowd-modal": Element(),
    "crowd-tab": Element(),
    "crowd-tabs": Element(),
    "crowd-toast": Element(),
}


@dataclass(frozen=True)
class Tag:
    """A start tag: its name, its attributes (entities decoded), its line from 1, the tags around it."""

    name: str
    attributes: dict[str, str]
    line: int
    ancestors: tuple[str, ...] = field(default=(), repr=False)

    def has(self, attribute: str) -> bool:
        return bool(self.attributes.get(attribute, "").strip())


def tags(html: str) -> list[Tag]:
    """Every start tag, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.tags


def unsupported(found: Iterable[Tag]) -> list[Tag]:
    """The first tag of every crowd element that this server does not have."""
    first: dict[str, Tag] = {}
    for tag in found:
        if tag.name.startswith("crowd-") and tag.name not in ELEMENTS:
            first.setdefault(tag.name, tag)
    return list(first.values())


class _Reader(HTMLParser):
    # They have no end tag.
    _VOID = frozenset(
        ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, str] = {}
        for name, value in attrs:
            attributes.setdefault(name, value or "")  # of two, a browser keeps the first
        self.tags.append(Tag(tag, attributes, self.getpos()[0], tuple(self._open)))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<crowd-input … />`: a browser ignores the slash of an element that is not void.
        self.handle_starttag(tag, attrs)
