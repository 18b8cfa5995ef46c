"""What a template writes out, escaped for where it stands: text, attribute, script, style or comment.

Takes a value and its spot in the template (``places.Spot``), gives text that is the value there and cannot
become markup or program. Only what the template's author marked with ``skip_autoescape`` stays as it is.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

from liquid.stringify import to_liquid_string
from markupsafe import Markup, escape

from include.review_server.templates.places import ADDRESSES, Place, Spot
from include.review_server.templates.script_places import Script

_SCHEME = re.compile(r"[^/?#:]*:")
_HARMLESS = ("http:", "https:", "mailto:", "tel:", "data:", "blob:", "about:")
# Whatever ends a value without quotes, and what could make a name and a value of it.
_ENDS_BARE = re.compile(r"[^\S\x0b\x1c-\x1f]|[=`/\"'<>]")
_ENDS_STYLE = re.compile(r"[<>{};\"'\\\x00-\x1f]|/(?=\*)")
_ENDS_ANY_STYLE = re.compile(rf"&|{_ENDS_STYLE.pattern}")
_ENDS_SCRIPT_TEXT = re.compile(r"[\\`$/<\x00-\x1f\u2028\u2029]")
# In a text, but not where the reader of scripts (``script_places``) takes code for one: nothing without these
# does anything. Scripts of SVG have entities.
_DOES_SOMETHING = re.compile(r"[\\`$/<&()=\[\]{}\x00-\x1f\u2028\u2029]")
_NOT_NESTED = re.compile(r"[^\w&#;.,:-]")
_QUOTE = re.compile(r"['\"]")
# How the names of attributes begin whose value is a handler, a page or an address.
_RUNNING = ("on", "srcdoc", *(name for name in ADDRESSES if name != "data"))
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_ -]")
_WORD = re.compile(r"[\w$]+", re.ASCII)
_PUNCTUATION = re.compile(r"[\s,;\[\]{}]*")
# Texts, numbers, and what holds them together; a name only before a colon.
_DATA = re.compile(
    r"""(?:"[^"\\\n]*+"|'[^'\\\n]*+'|[\[\]{},:\s]|-?\d+(?:\.\d+)?|(?:true|false|null)\b|\w+(?=\s*:))*+"""
)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d+)?|true|false|null")


class Raw(Markup):
    """What ``skip_autoescape`` gives: written as it is, wherever it stands."""


class Captured(Markup):
    """What a ``capture`` holds: made by the template, each output in it escaped for where it stands.

    Filters that put something else into it (``append``, ``replace``, ``join``) leave it a program only where
    that is one as well.
    """

    def __add__(self, value: Any) -> Any:
        return _joined(super().__add__(value), self, value)

    def __radd__(self, value: Any) -> Any:
        return _joined(super().__radd__(value), self, value)

    def join(self, parts: Iterable[Any]) -> Any:
        parts = list(parts)
        return _joined(super().join(parts), self, *parts)

    def replace(self, old: str, new: Any, count: SupportsIndex = -1) -> Any:
        return _joined(super().replace(old, new, count), self, new)


class CapturedText(Captured):
    """One with outputs that stand in no script: it is no program."""


def _joined(value: Markup, *parts: Any) -> Markup:
    """What was made of these parts, no more of a program than the least of them."""
    whole = all(
        type(part) is Captured or (isinstance(part, Markup) and _PUNCTUATION.fullmatch(part))
        for part in parts
    )
    return Captured(value) if whole else CapturedText(value)


class Json(str):
    """JSON text: escaped like any other text, but in a script, where nothing would undo it."""

    __slots__ = ()


class Address(str):
    """A signed address: in a script it is an address and nothing to show."""

    __slots__ = ()


def json_text(value: object, *, compact: bool = False) -> Json:
    """A value as JSON. The characters that could end a script block are written as JSON escapes."""
    text = json.dumps(value, default=str, separators=(",", ":") if compact else None)
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Json(text)


def is_structure(value: object) -> bool:
    """Whether a value is written as JSON when the template says nothing of it."""
    return isinstance(value, (list, tuple, dict))


def escaped(value: Any, spot: Spot) -> str:
    """The value as it must be written at that spot."""
    if isinstance(value, Raw):
        return str(value)
    if is_structure(value):
        value = json_text(value, compact=True)
    if spot.script is not None:
        script = _in_script(value, spot)
        # In an attribute the browser undoes the entities before it reads the script.
        if spot.attribute in ADDRESSES:
            script = script.replace("%", "\\u0025")  # so does whoever follows an address
        return script if spot.place is Place.SCRIPT else _AROUND[spot.place](str(escape(script)))
    if spot.place is Place.STYLE:
        plain = html.unescape(value) if isinstance(value, Markup) else _plain(value)
        # Styles of SVG have entities; an address of ours has none.
        ends = _ENDS_STYLE if isinstance(value, Address) else _ENDS_ANY_STYLE
        return ends.sub(_css_escape, plain)
    text = str(to_liquid_string(value, True))
    if spot.begins and spot.attribute in ADDRESSES:
        text = _address(text, spot.is_scheme)
    if spot.place is Place.BARE and not spot.attribute and spot.begins:
        text = _name(text, spot.joined)
    if spot.attribute == "srcdoc":
        # A page in an attribute: what is text there is escaped twice, and in a script there it is none.
        if spot.runs_nested:
            text = _NOT_PLAIN.sub(_js_escape, html.unescape(text))
        elif spot.nested in ADDRESSES:
            text = _address(text)
        text = str(escape(_NOT_NESTED.sub(_entity, text)))
    if spot.opens and text:
        # Else a text that begins with a letter would be a tag of that name.
        text = f"&#{ord(text[0])};{text[1:]}" if text[0] != "&" else text
    return _AROUND[spot.place](text)


def _address(text: str, is_scheme: bool = False) -> str:
    """An address at its beginning: one whose scheme could run something names a file instead.

    ``is_scheme``: the template writes a colon behind it.
    """
    plain = html.unescape(text)
    scheme = _SCHEME.match(re.sub(r"[\x00-\x20\x7f]", "", f"{plain}:" if is_scheme else plain).lower())
    if scheme is None or scheme[0] in _HARMLESS:
        return text
    return str(escape(plain.replace(":", "%3a", 1) if ":" in plain else f"{plain}%3a"))


def _name(text: str, is_begin: bool) -> str:
    """The name of an attribute, or with ``is_begin`` the beginning of one: none whose value could run."""
    name = html.unescape(text).lower()
    runs = name.startswith(_RUNNING) or (
        is_begin and bool(name) and any(one.startswith(name) for one in _RUNNING)
    )
    return f"data-{text}" if runs else text


def _in_script(value: Any, spot: Spot) -> str:
    if isinstance(value, Markup):
        # A capture is the template's own program; anything else may hold text of the input.
        if spot.script is Script.CODE:
            if spot.joined and _WORD.fullmatch(value):
                return str(value)
            return str(value) if _is_program(value) or _is_data(value) else _text_in_code(value)
        return _DOES_SOMETHING.sub(_js_escape, str(value))
    if spot.script is Script.CODE:
        if isinstance(value, Json) or not isinstance(value, str):
            return _plain(value)
        joined = spot.joined and _WORD.fullmatch(value)
        return value if joined or _NUMBER.fullmatch(value) else _text_in_code(value)
    text = _plain(value)
    # As on AWS, what a script takes for HTML is escaped for HTML; JSON and addresses are no HTML.
    if not isinstance(value, (Json, Address)):
        text = _DOES_SOMETHING.sub(_js_escape, text if spot.attribute else str(escape(text)))
        return _QUOTE.sub(_js_escape, text)
    return _QUOTE.sub(_js_escape, _ENDS_SCRIPT_TEXT.sub(_js_escape, text))


def _is_program(value: Markup) -> bool:
    if isinstance(value, CapturedText):
        return bool(_DATA.fullmatch(value))
    return isinstance(value, Captured)


def _is_data(text: str) -> bool:
    """Whether a text of the template's (a default, a comma) is data or holds the data of one together."""
    if _PUNCTUATION.fullmatch(text):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text_in_code(text: str) -> str:
    """A JavaScript text. Not one character of it could be anything else, wherever it stood."""
    return f'"{_NOT_PLAIN.sub(_js_escape, text)}"'


def _plain(value: Any) -> str:
    return str(to_liquid_string(value, False))


def _js_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _css_escape(found: re.Match[str]) -> str:
    return f"\\{ord(found[0]):x} "


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


_AROUND: dict[Place, Callable[[str], str]] = {
    Place.TEXT: str,
    Place.COMMENT: lambda text: text.replace(">", "&gt;"),
    Place.DOUBLE_QUOTED: lambda text: text.replace('"', "&#34;"),
    Place.SINGLE_QUOTED: lambda text: text.replace("'", "&#39;"),
    Place.BARE: lambda text: _ENDS_BARE.sub(_entity, text),
}
