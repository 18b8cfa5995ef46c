"""The page of what lies in the bucket: every key that layout.py builds, and every record that is stored."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

from docs.generators import code, first_paragraph, table
from include.loop.core import layout

INTRODUCTION = """# Records and S3 layout

Everything of a pipeline lies below `s3://BUCKET/PIPELINE/`. `images/dt=D/` is yours (or another layout:
`batch.prefix` of the pipeline file). `<batch>` is a date, `2026-11-01`, or `2026-11-01.1` when it was forced
anew; the folders of a model have the name of its training job. What people answered lies in `reviews/`, as
the review plane wrote it.

## Keys

Made from `include/loop/core/layout.py`, the only module that builds a key."""


class _Placeholder(int):
    """A number that shows its name, however it is formatted."""

    name = ""

    def __format__(self, spec: str) -> str:
        return f"<{self.name}>"

    def __str__(self) -> str:
        return f"<{self.name}>"


def page() -> str:
    keys = table(("Key", "What it is"), ((code(key), words) for key, words in keys_of_layout()))
    return f"{INTRODUCTION}\n\n{keys}"


def keys_of_layout() -> Iterator[tuple[str, str]]:
    """Each key with its placeholders, and what the function that builds it says."""
    for name, function in inspect.getmembers(layout, inspect.isfunction):
        if function.__module__ == layout.__name__ and not name.startswith("_") and _builds_a_key(function):
            yield _called(function), first_paragraph(function.__doc__)


def _builds_a_key(function: Callable[..., Any]) -> bool:
    """Not one that reads a key."""
    return (
        get_type_hints(function).get("return") is str and "key" not in inspect.signature(function).parameters
    )


def _called(function: Callable[..., Any]) -> str:
    hints = get_type_hints(function)
    arguments = {
        name: _placeholder(name, hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    return str(function(**arguments))


def _placeholder(name: str, kind: Any) -> Any:
    if kind is int:
        number = _Placeholder()
        number.name = name
        return number
    return f"<{name}>"
