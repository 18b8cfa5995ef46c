"""Where in a script a position stands: in its code, in a text, in a comment.

Takes the text of a script, gives the places in it. It reads JavaScript's texts, comments and patterns and
nothing else of the language, in one pass; nothing is run, and nobody else is known.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import StrEnum

_SPECIAL = re.compile(r"""//|<!--|/\*|/|['"`{}]""")
_LINE_END = re.compile(r"[\n\r\u2028\u2029]|\Z")
_REST_OF_TEXT = {
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+'?", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*+"?', re.DOTALL),
    "/": re.compile(r"(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*+\]?)*+/?", re.DOTALL),
}
_REST_OF_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*+(`|\$\{)?", re.DOTALL)
# Behind one of these (the last stands for Liquid) a slash divides; behind anything else, and these words, it
# begins a pattern.
_ENDS_A_VALUE = re.compile(r"[\w$)\]}'\"`\ue000]")
_BEFORE_PATTERN = re.compile(r"\b(?:return|typeof|case|in|of|void|delete|throw|else|do|new)$")


class Script(StrEnum):
    """What is around a position in a script."""

    CODE = "code"
    TEXT = "text"  # of a quoted or template text, or of a pattern
    COMMENT = "comment"


class ScriptPlaces:
    """The places of ``text[start:end]``, a script."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text = text[start:end]
        self._begin = start
        self._starts: list[int] = [0]
        self._places = [Script.CODE]
        self._read()

    def at(self, position: int) -> Script:
        """The place of a position of the whole text."""
        return self._places[bisect_right(self._starts, position - self._begin) - 1]

    def _mark(self, start: int, end: int, place: Script) -> None:
        self._starts += [start, end]
        self._places += [place, Script.CODE]

    def _read(self) -> None:
        text, at = self._text, 0
        # For each template text that is open around here: how many braces its expression has opened.
        braces: list[int] = []
        while special := _SPECIAL.search(text, at):
            kind, start, at = special[0], special.start(), special.end()
            if kind in ("//", "<!--"):
                end = _LINE_END.search(text, at)
                at = end.start() if end else len(text)
                self._mark(start, at, Script.COMMENT)
            elif kind == "/*":
                closing = text.find("*/", at)
                at = len(text) if closing < 0 else closing + 2
                self._mark(start, at, Script.COMMENT)
            elif kind == "`":
                at = self._template(start, at, braces)
            elif kind == "{":
                if braces:
                    braces[-1] += 1
            elif kind == "}":
                if braces and not braces[-1]:
                    braces.pop()
                    at = self._template(start, at, braces)
                elif braces:
                    braces[-1] -= 1
            elif kind != "/" or self._begins_pattern(start):
                rest = _REST_OF_TEXT[kind].match(text, at)
                at = rest.end() if rest else at
                self._mark(start + 1, at, Script.TEXT)

    def _template(self, start: int, at: int, braces: list[int]) -> int:
        """Read a template text until it ends or an expression begins in it."""
        rest = _REST_OF_TEMPLATE.match(self._text, at)
        end = rest.end() if rest else at
        self._mark(start + 1, end, Script.TEXT)
        if rest and rest[1] == "${":
            braces.append(0)
        return end

    def _begins_pattern(self, slash: int) -> bool:
        before = self._text[max(0, slash - 40) : slash].rstrip()
        return not _ENDS_A_VALUE.search(before[-1:]) or bool(_BEFORE_PATTERN.search(before))
