"""JSON that is kept as text: checked when it comes, spliced unchanged into what goes out.

Parsing and writing again would lose what Python's floats cannot hold; the caller's input and the worker's
answer leave the server as they came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from include.wire import strictjson


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ``ValueError`` for what is not JSON (as NaN), too large or too deep.

    Halves of characters pass where they are escaped: such a text leaves as it came.
    """
    value = strictjson.loads(text, lone_surrogates=True)
    # A lone surrogate outside of an escape cannot be stored or sent by anyone.
    text.encode()
    return value


def dump(value: Any) -> str:
    """A value as JSON text. Raises ``ValueError`` for numbers that JSON does not have."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def splice(values: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """One JSON object of plain ``values`` and of ``texts`` that are JSON already, keys sorted as A2I does."""
    members = {key: dump(value) for key, value in values.items()} | dict(texts)
    return "{" + ",".join(f"{json.dumps(key)}:{members[key]}" for key in sorted(members)) + "}"


def array(texts: list[str]) -> str:
    """One JSON array of texts that are JSON already."""
    return f"[{','.join(texts)}]"
