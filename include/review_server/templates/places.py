"""Where Liquid stands in a template's HTML: its outputs and tags, and what a browser makes of each place.

Takes a template's text, gives positions in it. One pass over the text, however it is made; nothing is
rendered, and nobody else is known.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import unescape

from include.review_server.templates.html_tokens import Kind, Token, tokens
from include.review_server.templates.script_places import Script, ScriptPlaces

# Stands for a character of Liquid: plain, and in nobody's template.
LIQUID = "\ue000"

# Attributes whose value is an address.
ADDRESSES = ("href", "src", "action", "formaction", "data", "xlink:href", "poster", "background")
_OPENING = re.compile(r"\{[{%]")
_CLOSING = {"{{": "}}", "{%": "%}"}
# What stands in them is no Liquid: of the one it is written as it is, of the others nothing.
_BLOCK = re.compile(r"\{%-?\s*(raw|comment|doc)\b[^%]*?-?%\}")
_BLOCK_END = {name: re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}") for name in ("raw", "comment", "doc")}
# A value behind one of these would be the name of a tag.
_OPENS_TAG = re.compile(r"</?\s*\Z")
_RUNS = re.compile(r"javascript:")
# What a browser passes over in an address, and Liquid.
_UNSEEN = re.compile(rf"[\x00-\x20\x7f{LIQUID}]")
# Around the name of an attribute; Liquid may have written nothing.
_BEFORE_NAME = (*" \t\n\f\r/\"'", LIQUID)
_BEHIND_NAME = (*" \t\n\f\r/=>", "")
# The types of scripts that are JavaScript or JSON; what another holds is a text for somebody else.
_SCRIPT_TYPE = re.compile(
    r"(?:|module|importmap|(?:text|application)/(?:x-)?(?:java|ecma|live|j)script.*|.*json)"
)


class Place(StrEnum):
    """What is around a position, as far as escaping depends on it."""

    TEXT = "text"
    COMMENT = "comment"
    SCRIPT = "script"
    STYLE = "style"
    DOUBLE_QUOTED = '"'
    SINGLE_QUOTED = "'"
    BARE = "bare"  # in a tag, outside of quotes


@dataclass(frozen=True)
class Span:
    """A piece of Liquid: ``text[start:end]``, its braces included."""

    start: int
    end: int
    is_output: bool


def liquid_spans(text: str) -> list[Span]:
    """Every ``{{ … }}`` and ``{% … %}``, in order."""
    return _read(text)[0]


def never_closed(text: str) -> list[int]:
    """Where a ``{{`` or ``{%`` stands that nothing closes. In a ``raw`` block that is no fault."""
    return _read(text)[1]


def _read(text: str) -> tuple[list[Span], list[int]]:
    spans: list[Span] = []
    open_ended: list[int] = []
    never: set[str] = set()
    at = 0
    while opening := _OPENING.search(text, at):
        kind = opening[0]
        at = opening.end()
        # One that is not closed says that no later one is: nothing is searched for twice.
        end = -1 if kind in never else text.find(_CLOSING[kind], at)
        if end < 0:
            never.add(kind)
            open_ended.append(opening.start())
        else:
            at = end + 2
            block = _BLOCK.fullmatch(text, opening.start(), at)
            closing = _BLOCK_END[block[1]].search(text, at) if block and block[1] not in never else None
            if block and closing is None:
                never.add(block[1])
            elif block and closing and block[1] == "raw":
                spans.append(Span(opening.start(), at, False))
                at = closing.start()
                continue
            elif closing:
                at = closing.end()
            spans.append(Span(opening.start(), at, kind == "{{"))
    return spans, open_ended


def outputs(text: str) -> Iterator[tuple[Span, Place]]:
    """Every output and the place it stands in."""
    places = Places(text)
    for span in places.spans:
        if span.is_output:
            yield span, places.at(span.start)


@dataclass(frozen=True)
class Spot:
    """All that escaping asks about a position: its place, and in an attribute's value its name.

    ``begins`` tells that nothing of the template's own stands before it in the value, or in the name of an
    attribute, and ``is_scheme`` that a colon stands behind it in the value; ``script`` is the place
    in the script, of a script or of an attribute that holds one. ``opens``: a ``<`` stands before the text.
    ``nested`` is the attribute of the page that a ``srcdoc`` holds; ``runs_nested``: that one is a script.
    """

    place: Place
    attribute: str = ""
    begins: bool = False
    script: Script | None = None
    joined: bool = False  # in code, or in a name: the characters beside it belong to the same word
    opens: bool = False
    nested: str = ""
    runs_nested: bool = False
    is_scheme: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    start: int
    end: int
    place: Place
    attribute: str = ""


class Places:
    """What a browser makes of each position; Liquid's own quotes and brackets count for nothing.

    ``html`` is the text with ``LIQUID`` in place of every character of Liquid.
    """

    def __init__(self, text: str) -> None:
        self.spans = liquid_spans(text)
        self.html = _without(text, self.spans)
        self._parts = list(_parts(self.html))
        self._starts = [part.start for part in self._parts]
        self._ends = {span.start: span.end for span in self.spans}
        self._tags = {span.start for span in self.spans if not span.is_output}
        self._span_starts = [span.start for span in self.spans]
        # Where the row of spans began, with spaces between them alone, to which each belongs.
        self._runs: list[int] = []
        for at, span in enumerate(self.spans):
            goes_on = at and not self.html[self.spans[at - 1].end : span.start].strip()
            self._runs.append(self._runs[-1] if goes_on else span.start)
        self._scripts: dict[int, ScriptPlaces] = {}
        self._own: dict[int, int] = {}
        self._runs_something: dict[int, bool] = {}
        self._nested: dict[int, Places] = {}

    def at(self, position: int) -> Place:
        return self._part(position).place

    def spot(self, position: int) -> Spot:
        """More of the position of a piece of Liquid."""
        part = self._part(position)
        if part.place is not Place.SCRIPT and not part.attribute:
            # ``</`` before Liquid reads like a comment; with a letter behind it, it is an end tag.
            might = part.place in (Place.TEXT, Place.COMMENT)
            end = self._ends.get(position, position)
            return Spot(
                part.place,
                begins=self.html[position - 1 : position] in _BEFORE_NAME,
                joined=self.html[end : end + 1] not in _BEHIND_NAME,
                opens=might and self._opens(position),
            )
        if part.place is Place.SCRIPT or self._holds_script(part):
            if part.start not in self._scripts:
                self._scripts[part.start] = ScriptPlaces(self.html, part.start, part.end)
            end = self._ends.get(position, position)
            beside = self.html[position - 1 : position] + self.html[end : end + 1]
            return Spot(
                part.place,
                part.attribute,
                script=self._scripts[part.start].at(position),
                joined=bool(re.search(r"[\w$.]", beside)),
            )
        if part.attribute == "srcdoc":
            return self._in_page(part, position)
        if part.start not in self._own:
            self._own[part.start] = self._own_text(part)
        begins = position <= self._own[part.start]
        end = self._ends.get(position, position)
        following = unescape(self.html[end : min(part.end, end + 20)])
        return Spot(
            part.place,
            part.attribute,
            begins,
            is_scheme=begins and _UNSEEN.sub("", following).startswith(":"),
        )

    def _holds_script(self, part: _Part) -> bool:
        """Whether an attribute is one that runs, or its value an address that does."""
        if part.attribute.startswith("on"):
            return True
        if part.attribute not in ADDRESSES:
            return False
        if part.start not in self._runs_something:
            value = self.html[part.start : part.end]
            plain = _UNSEEN.sub("", unescape(value)).lower()
            # Of what stands behind Liquid, any may be the first that is written.
            found = _RUNS.search(plain) if value.lstrip().startswith(LIQUID) else _RUNS.match(plain)
            self._runs_something[part.start] = bool(found)
        return self._runs_something[part.start]

    def _in_page(self, part: _Part, position: int) -> Spot:
        """The spot of a position in a page that an attribute holds."""
        if part.start not in self._nested:
            self._nested[part.start] = Places(unescape(self.html[part.start : part.end]))
        page = self._nested[part.start]
        inner = page._part(len(unescape(self.html[part.start : position])))
        # A script of SVG has entities.
        runs = inner.place is Place.SCRIPT or inner.attribute == "srcdoc" or page._holds_script(inner)
        return Spot(part.place, part.attribute, nested=inner.attribute, runs_nested=runs)

    def _opens(self, position: int) -> bool:
        """Whether a ``<`` stands before a position, with nothing between but Liquid and spaces."""
        at = bisect_right(self._span_starts, position) - 1
        start = self._runs[at] if at >= 0 else position
        return bool(_OPENS_TAG.search(self.html, max(0, start - 20), start))

    def _own_text(self, part: _Part) -> int:
        """Where in an attribute's value the template's own text has begun for certain: the first character
        that is neither an output nor a space, unless a tag before it may leave it out.
        """
        at = part.start
        while at < part.end and (at in self._ends or self.html[at].isspace()):
            if at in self._tags:
                return part.end
            at = self._ends.get(at, at + 1)
        return at

    def _part(self, position: int) -> _Part:
        index = bisect_right(self._starts, position) - 1
        return self._parts[index] if index >= 0 else _Part(0, 0, Place.TEXT)


def _without(text: str, spans: list[Span]) -> str:
    """The text with something plain, and as long, in place of each piece of Liquid."""
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += [text[at : span.start], LIQUID * (span.end - span.start)]
        at = span.end
    return "".join([*parts, text[at:]])


def _parts(html: str) -> Iterator[_Part]:
    """The pieces that are no text, and the text behind each; before the first is text."""
    found = list(tokens(html))
    for index, token in enumerate(found):
        following = found[index + 1].start if index + 1 < len(found) else len(html)
        if token.kind is Kind.COMMENT:
            yield _Part(token.start, token.end, Place.COMMENT)
        else:
            at = token.start
            for name, value in sorted(token.values.items(), key=lambda item: item[1].start):
                if value.start == value.end and not value.quote:
                    continue
                yield _Part(at, value.start, Place.BARE)
                yield _Part(value.start, value.end, Place(value.quote or Place.BARE), name)
                at = value.end
            yield _Part(at, token.end, Place.BARE)
        yield _Part(token.end, following, _behind(token, html))


def _behind(token: Token, html: str) -> Place:
    """What the text behind a tag or comment is."""
    if token.kind is not Kind.START or token.name not in ("script", "style"):
        return Place.TEXT
    if token.name == "style":
        return Place.STYLE
    kind = token.attributes(html).get("type", "").strip().lower()
    return Place.SCRIPT if _SCRIPT_TYPE.fullmatch(kind) else Place.TEXT
