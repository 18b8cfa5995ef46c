"""HTML as a browser cuts it into tags, comments and text, in time that grows with its length and no faster.

Takes any text, gives its tags and comments in order, with where they stand; it knows nobody. It stands in
place of regular expressions and of Python's own reader, which both look at the rest of a page again for each
tag that is never closed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_BETWEEN = re.compile(r"[\s/]*")
# A name may begin with an equals sign; behind it stands a value only after another one.
_ATTRIBUTE = re.compile(r"(.[^\s/>=]*)\s*(=?)\s*", re.DOTALL)
_BARE_VALUE = re.compile(r"[^\s>]*")

# What stands in them is text until their own end tag.
_TEXT_ONLY = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript")
_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _TEXT_ONLY}

_IN_SCRIPT = re.compile(r"<!--|-->|</?script(?=[\s/>])", re.IGNORECASE)
# ``<!-->`` and ``<!--->`` are whole comments, ``<!--!>`` is none.
_COMMENT_END = re.compile(r"-->|(?<!<!)--!>")


class Kind(Enum):
    START = "start"
    END = "end"
    COMMENT = "comment"
    UNFINISHED = "unfinished"  # a tag that the text ends in: a browser shows nothing of it


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: ``raw[start:end]``, with the quote around it ("" for none)."""

    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Token:
    """A tag or comment: ``text[start:end]``. Names are in small letters; ``values`` is empty but for tags."""

    kind: Kind
    start: int
    end: int
    name: str = ""
    values: dict[str, Value] = field(default_factory=dict)

    def attributes(self, text: str) -> dict[str, str]:
        """Its attributes with their values, entities decoded. ``text`` is what the token was read from."""
        return {name: html.unescape(text[value.start : value.end]) for name, value in self.values.items()}


def tokens(text: str) -> Iterator[Token]:
    """Every tag and comment, in order. What stands inside of scripts and the like is no tag."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        token = _token(text, start)
        at = token.end if token else start + 1
        if token is None:
            continue
        yield token
        if token.kind is Kind.START and token.name in _END:
            at = _script_end(text, at) if token.name == "script" else _text_end(text, at, token.name)


def _text_end(text: str, at: int, name: str) -> int:
    end = _END[name].search(text, at)
    return end.start() if end else len(text)


def _script_end(text: str, at: int) -> int:
    """Where a script ends: behind a ``<!--`` in it, a ``<script>`` has an end tag of its own."""
    hidden = inner = False
    for mark in _IN_SCRIPT.finditer(text, at):
        kind = mark[0].lower()
        if kind == "<!--":
            # ``<!-->`` hides nothing.
            hidden = hidden or not text.startswith((">", "->"), mark.end())
        elif kind == "-->":
            hidden = inner = False
        elif kind == "<script":
            inner = hidden
        elif inner:
            inner = False
        else:
            return mark.start()
    # Nothing closes the inner one: all of it is the script's.
    return len(text)


def _token(text: str, start: int) -> Token | None:
    """What begins at a ``<``; None when the character is just text."""
    after = text[start + 1 : start + 2]
    if text.startswith("<!--", start):
        closing = _COMMENT_END.search(text, start + 2)
        return Token(Kind.COMMENT, start, closing.end() if closing else len(text))
    if after in ("!", "?") or (after == "/" and not text[start + 2 : start + 3].isalpha()):
        end = text.find(">", start)
        return Token(Kind.COMMENT, start, len(text) if end < 0 else end + 1)
    name = _NAME.match(text, start + (2 if after == "/" else 1))
    if name is None:
        return None
    values: dict[str, Value] = {}
    end = _attributes(text, name.end(), values)
    kind = Kind.END if after == "/" else Kind.START
    if end > len(text):
        kind, end = Kind.UNFINISHED, len(text)
    return Token(kind, start, end, name[0].lower(), values)


def _attributes(text: str, at: int, values: dict[str, Value]) -> int:
    """Read a tag from behind its name; the index behind its ``>``, or behind the text's end without one."""
    never = len(text) + 1
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text[at : at + 1] == ">":
            return at + 1
        attribute = _ATTRIBUTE.match(text, at)
        if attribute is None:
            return never
        at = attribute.end()
        value = Value(at, at, "")
        if attribute[2] and text[at : at + 1] in ("'", '"'):
            closing = text.find(text[at], at + 1)
            value = Value(at + 1, len(text) if closing < 0 else closing, text[at])
            at = value.end + 1
        elif attribute[2] and (bare := _BARE_VALUE.match(text, at)):
            value = Value(at, bare.end(), "")
            at = value.end
        # Of two with the same name a browser keeps the first.
        values.setdefault(attribute[1].lower(), value)
