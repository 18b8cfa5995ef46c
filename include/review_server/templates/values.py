"""Values written in a template's attributes: strict JSON, or the relaxed object text of many templates.

Unquoted names, single quotes, trailing commas and comments are accepted, as ``components/core/relaxed.js``
accepts them. Nothing is ever evaluated.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

_MOST_DEPTH = 64
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0", "v": "\v"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*+", re.DOTALL)
_WORD = re.compile(r"[^\W\d][\w$-]*|\$[\w$-]*")


def parse_relaxed(text: str) -> Any:
    """The value of a relaxed text. ``ValueError`` names the character where the text goes wrong."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.space()
    if reader.at < len(text):
        reader.fail("nothing more")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, expected: str) -> NoReturn:
        found = f'"{self.text[self.at]}"' if self.at < len(self.text) else "the end"
        raise ValueError(f"expected {expected} at character {self.at + 1}, found {found}")

    def space(self) -> None:
        """Pass over spaces and comments."""
        if space := _SPACE.match(self.text, self.at):
            self.at = space.end()

    def takes(self, character: str) -> bool:
        self.space()
        if self._next() != character:
            return False
        self.at += 1
        return True

    def value(self, depth: int) -> Any:
        if depth > _MOST_DEPTH:
            self.fail("less nesting")
        if self.takes("{"):
            return self._object(depth)
        if self.takes("["):
            return self._array(depth)
        if self._next() in ("'", '"'):
            return self._string()
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return float(number[0]) if re.search(r"[.eE]", number[0]) else int(number[0])
        start = self.at
        word = self._word()
        if word not in _WORDS:
            self.at = start
            self.fail("a value")
        return _WORDS[word]

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not self.takes("}"):
            if members and not self.takes(","):
                self.fail('"," or "}"')
            if members and self.takes("}"):
                break
            self.space()
            if self._next() in ("'", '"'):
                key = self._string()
            elif not (key := self._word()):
                self.fail("a name")
            if not self.takes(":"):
                self.fail('":"')
            members[key] = self.value(depth + 1)
        return members

    def _array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self.takes("]"):
            if items and not self.takes(","):
                self.fail('"," or "]"')
            if items and self.takes("]"):
                break
            items.append(self.value(depth + 1))
        return items

    def _string(self) -> str:
        quote = self._next()
        parts: list[str] = []
        self.at += 1
        while self._next() != quote:
            if self.at >= len(self.text):
                self.fail(f"a closing {quote}")
            parts.append(self._escape() if self._next() == "\\" else self._next())
            self.at += 1
        self.at += 1
        return "".join(parts)

    def _escape(self) -> str:
        self.at += 1
        letter = self._next()
        if not letter:
            self.fail("an escaped character")
        if letter != "u":
            return _ESCAPES.get(letter, letter)
        code = self.text[self.at + 1 : self.at + 5]
        if not re.fullmatch(r"[0-9a-fA-F]{4}", code):
            self.fail("four hexadecimal digits")
        self.at += 4
        return chr(int(code, 16))

    def _word(self) -> str:
        word = _WORD.match(self.text, self.at)
        self.at = word.end() if word else self.at
        return word[0] if word else ""
