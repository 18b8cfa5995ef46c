"""JSON from strangers: read within limits, and nothing that is not JSON.

Takes text or UTF-8 bytes, gives the value, raises ``ValueError`` with a sentence for the sender. Python's
parser holds the interpreter's lock from the first to the last byte, so a thread of its own would not help the
other requests: how much is parsed at once must be small. It knows nobody.
"""

from __future__ import annotations

import json
import re
from typing import Any

# About a tenth of a second for the worst of texts. Three mebibytes, the longest input of a human loop, may be
# full of small numbers, or of points such as [12,34].
MOST_VALUES = 1_600_000
MOST_CONTAINERS = 400_000
# Deeper than any document of AWS or of a form, and far from where Python's own recursion ends.
DEEPEST = 100

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(text: str | bytes, *, lone_surrogates: bool = False) -> Any:
    """The value of a JSON text. Raises ``ValueError`` when it is too large, too deep, no JSON or no Unicode.

    ``lone_surrogates`` lets halves of characters pass (``"\\ud800"``), which no database stores and no other
    program reads: only for texts that are kept as they came. Of a key that comes twice, the last one counts.
    """
    if isinstance(text, bytes):
        text = text.decode()
    opened = text.count("[") + text.count("{")
    # Commas and brackets inside of strings count too: telling them apart would cost what the limit saves.
    if opened > MOST_CONTAINERS or text.count(",") > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_CONTAINERS} lists and objects or {MOST_VALUES} values")
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    except (json.JSONDecodeError, _NoNumber):
        raise
    except ValueError as error:
        # Python reads no integer of more than 4300 digits, because that takes quadratic time.
        raise ValueError("a number in it has too many digits") from error
    if opened > DEEPEST and _is_deeper(value, DEEPEST):
        raise ValueError(_too_deep())
    if not lone_surrogates and _SURROGATE.search(text):
        _check_characters(value)
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Level by level, so that depth costs no recursion."""
    level = [value]
    for _ in range(levels + 1):
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return False
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _check_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it has half a character (a lone surrogate)") from None


def _too_deep() -> str:
    return f"it is nested more than {DEEPEST} levels deep"


class _NoNumber(ValueError):
    """NaN and Infinity, which Python's parser knows and JSON does not."""


def _refuse(constant: str) -> Any:
    raise _NoNumber(f"{constant} is not JSON")
