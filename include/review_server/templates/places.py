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

from include.review_server.templates.html_tokens import Kind, tokens

_OPENING = re.compile(r"\{[{%]")
_CLOSING = {"{{": "}}", "{%": "%}"}


class Place(StrEnum):
    """What is around a position, as far as escaping depends on it."""

    TEXT = "text"
    COMMENT = "comment"
    SCRIPT = "script"
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
            spans.append(Span(opening.start(), at, kind == "{{"))
    return spans, open_ended


def outputs(text: str) -> Iterator[tuple[Span, Place]]:
    """Every output and the place it stands in."""
    places = Places(text)
    for span in places.spans:
        if span.is_output:
            yield span, places.at(span.start)


class Places:
    """What a browser makes of each position; Liquid's own quotes and brackets count for nothing."""

    def __init__(self, text: str) -> None:
        self.spans = liquid_spans(text)
        self._starts, self._places = _places(_without(text, self.spans))

    def at(self, position: int) -> Place:
        index = bisect_right(self._starts, position) - 1
        return self._places[index] if index >= 0 else Place.TEXT


def _without(text: str, spans: list[Span]) -> str:
    """The text with something plain, and as long, in place of each piece of Liquid."""
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += [text[at : span.start], "x" * (span.end - span.start)]
        at = span.end
    return "".join([*parts, text[at:]])


def _places(html: str) -> tuple[list[int], list[Place]]:
    """Where each place begins, and which it is; before the first is text."""
    begins: list[tuple[int, Place]] = []
    for token in tokens(html):
        if token.kind is Kind.COMMENT:
            begins += [(token.start, Place.COMMENT), (token.end, Place.TEXT)]
            continue
        begins.append((token.start, Place.BARE))
        for value in token.values.values():
            if value.quote:
                begins += [(value.start, Place(value.quote)), (value.end, Place.BARE)]
        is_script = token.name == "script" and token.kind is Kind.START
        begins.append((token.end, Place.SCRIPT if is_script else Place.TEXT))
    return [start for start, _ in begins], [place for _, place in begins]
