"""The page of what lies in the bucket: every key that layout.py builds, and every record that is stored."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, get_args, get_type_hints

from docs.generators import code, first_paragraph, paragraphs, table
from include.loop.core import layout
from include.loop.core import records as package
from include.loop.core.records.base import Line, Part, Record

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


RECORDS = """## Records

One class for each stored JSON object, in `include/loop/core/records/`. Each has `schema_version` (1 where a
file does not say), `written_by` (a git commit, or the version of the project) and `pipeline_sha256` (of the
pipeline's file). Where the place ends in `.jsonl` it is one line of many, which has none of the three. What
an earlier version wrote is read as today's; a field that a later one added is passed over."""


def page() -> str:
    keys = table(("Key", "What it is"), ((code(key), words) for key, words in sorted(keys_of_layout())))
    return "\n\n".join([INTRODUCTION, keys, RECORDS, *map(_record, stored())])


def stored() -> list[type[Record | Line]]:
    """Every class that is stored on its own, by the name of its module and its own."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)
    return sorted(_below(Record) + _below(Line), key=lambda each: (each.__module__, each.__name__))


def _below(kind: type[Any]) -> list[type[Any]]:
    """Those that are ours, and say where they lie."""
    found = [each for child in kind.__subclasses__() for each in (child, *_below(child))]
    ours = [each for each in found if each.__module__.startswith(package.__name__)]
    return [each for each in ours if hasattr(each, "LOCATION")]


def _record(kind: type[Record | Line]) -> str:
    version = f", version {kind.VERSION}" if issubclass(kind, Record) else ""
    own = [name for name in kind.model_fields if name not in Record.model_fields]
    fields = table(("Field", "Kind"), ((code(name), code(_annotation(kind, name))) for name in own))
    parts = [_part(each) for each in _parts(kind)]
    place = code(_called(kind.LOCATION))
    return "\n\n".join(
        [f"### {kind.__name__}", f"{place}{version}", paragraphs(kind.__doc__), fields, *parts]
    )


def _part(kind: type[Part]) -> str:
    fields = ", ".join(f"{code(name)}: {code(_annotation(kind, name))}" for name in kind.model_fields)
    return f"**{kind.__name__}**: {first_paragraph(kind.__doc__)} Its fields: {fields}."


def _parts(kind: type[Part]) -> list[type[Part]]:
    """The objects inside a record, and inside those, in the order in which they are met."""
    found: list[type[Part]] = []
    for field in kind.model_fields.values():
        for inner in _classes(field.annotation):
            found += [each for each in (inner, *_parts(inner)) if each not in found]
    return found


def _classes(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)


def _annotation(kind: type[Part], name: str) -> str:
    """A field's type as it is written in the code."""
    return next(str(each.__annotations__[name]) for each in kind.__mro__ if name in each.__annotations__)


def keys_of_layout() -> Iterator[tuple[str, str]]:
    """Each key with its placeholders, and what the function that builds it says."""
    for name, function in inspect.getmembers(layout, inspect.isfunction):
        if function.__module__ == layout.__name__ and not name.startswith("_") and _builds_a_key(function):
            yield _called(function), first_paragraph(function.__doc__)


def _builds_a_key(function: Callable[..., Any]) -> bool:
    """Not one that reads a key or an address."""
    given = inspect.signature(function).parameters.keys()
    return get_type_hints(function).get("return") is str and not {"key", "uri"} & given


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
