"""The crowd elements of this server, and what a template's HTML holds: tags with their lines.

``ELEMENTS`` is the one list of what is supported; the web components are held to it by a test. ``tags`` reads
HTML as a browser would tokenize it, leaving out comments and the text of scripts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.review_server.templates.html_tokens import Kind, tokens


@dataclass(frozen=True)
class Element:
    """What a template must give an element for it to work."""

    answers: bool = False
    # Attributes that must be lists of texts, with at least one; of a text, also of objects with a label.
    lists: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()  # attributes that hold structure and may be absent
    image: bool = False
    text: bool = False
    own_name: str = ""  # under which it answers when the template gives it none
    alone: bool = False  # it carries its own submit and needs no crowd-form
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
    # A mask has a byte a pixel. The labels of a job with automated labeling are limited there.
    "crowd-semantic-segmentation": _annotation(at_most=255),
    "crowd-instance-segmentation": _annotation(),
    "crowd-rekognition-detect-moderation-labels": Element(
        answers=True,
        own_name="AWS/Rekognition/DetectModerationLabels/Image/V3",
        lists=("categories",),
        structures=("exclusion-category", "overlay"),
        image=True,
        regions=_INSTRUCTIONS,
    ),
    "crowd-textract-analyze-document": Element(
        answers=True,
        own_name="AWS/Textract/AnalyzeDocument/Forms/V1",
        structures=("initial-value", "keys", "block-types"),
        image=True,
        regions=_INSTRUCTIONS,
    ),
    "crowd-entity-annotation": Element(
        answers=True,
        lists=("labels",),
        structures=("initial-value",),
        text=True,
        alone=True,
        regions=_INSTRUCTIONS,
    ),
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
    "crowd-slider-label": Element(),
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


# They have no end tag.
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


@dataclass(frozen=True)
class Tag:
    """A start tag: its name, its attributes (entities decoded), its line from 1, whether in a crowd-form."""

    name: str
    attributes: dict[str, str]
    line: int
    in_form: bool = False
    group: str = ""  # the name of the crowd-radio-group around it

    def has(self, attribute: str) -> bool:
        return bool(self.attributes.get(attribute, "").strip())


def tags(html: str) -> Iterator[Tag]:
    """Every start tag, in order."""
    line, counted = 1, 0
    opened: list[str] = []
    count: Counter[str] = Counter()
    group = ""
    for token in tokens(html):
        if token.kind is Kind.START:
            line += html.count("\n", counted, token.start)
            counted = token.start
            attributes = token.attributes(html)
            group = attributes.get("name", "") if token.name == "crowd-radio-group" else group
            yield Tag(token.name, attributes, line, count["crowd-form"] > 0, group)
            # The slash of `<crowd-input … />` is ignored, as a browser does for elements that are not void.
            if token.name not in _VOID:
                opened.append(token.name)
                count[token.name] += 1
        elif token.kind is Kind.END and count[token.name]:
            group = "" if token.name == "crowd-radio-group" else group
            while (name := opened.pop()) != token.name:
                count[name] -= 1
            count[name] -= 1


def unsupported(found: Iterable[Tag]) -> list[Tag]:
    """The first tag of every crowd element that this server does not have."""
    first: dict[str, Tag] = {}
    for tag in found:
        if tag.name.startswith("crowd-") and tag.name not in ELEMENTS:
            first.setdefault(tag.name, tag)
    return list(first.values())
