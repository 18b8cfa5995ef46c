"""What the loop wrote before its records had a version is read by today's records, whole.

``old_state`` has files of the bucket that `make demo` left at commit 67037b5, under their keys; of long lists
and of lines only the first.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.loop.core import records
from include.loop.core.records.base import Line, Record

OLD = Path(__file__).parent / "old_state"
FILES = sorted(str(path.relative_to(OLD)) for path in OLD.rglob("*") if path.is_file())
Kind = type[Record] | type[Line]

# What today's records leave to others, by the old object's field: a batch's model is a record of its own.
GIVEN_UP = {"Batch": {"champion"}}
# Names of slices and rules that are others now.
RENAMED = {"memory": "retention", "newest": "recent", "learned": "train_recall"}


def kinds() -> list[Kind]:
    """Every record that says where it lies."""
    for module in pkgutil.iter_modules(records.__path__, f"{records.__name__}."):
        importlib.import_module(module.name)
    found: list[Kind] = []
    below: list[Kind] = [*Record.__subclasses__(), *Line.__subclasses__()]
    while below:
        kind = below.pop()
        below += kind.__subclasses__()
        if hasattr(kind, "LOCATION") and kind.__module__.startswith(records.__name__):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def lies_at(kind: Kind, key: str) -> bool:
    """Whether an object of this key is a record of this kind, whatever the names in the key."""
    asked = inspect.signature(kind.LOCATION).parameters.values()
    names = (1234 if "int" in str(one.annotation) else "anything" for one in asked)
    pattern = re.escape(kind.location(*names)).replace("anything", "[^/]+").replace("1234", r"\d+")
    return re.fullmatch(pattern, key) is not None


def values(path: Path) -> Iterator[Any]:
    text = path.read_text()
    yield from map(json.loads, text.splitlines() if path.suffix != ".json" else [text])


def leaves(value: Any) -> Iterator[str]:
    """What a value says, without the names of its fields; none and empty say nothing."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, int | float):
        yield str(float(value))
    elif value is not None:
        yield str(float(value)) if value.isdecimal() else value  # hyperparameters are text


@pytest.mark.parametrize("key", FILES)
def test_an_old_object_is_read_and_nothing_of_it_is_lost(key: str) -> None:
    [kind] = [kind for kind in kinds() if lies_at(kind, key)]
    for value in values(OLD / key):
        record = kind.from_value(value).model_dump(mode="json")
        kept = {name: part for name, part in value.items() if name not in GIVEN_UP.get(kind.__name__, ())}
        assert {RENAMED.get(leaf, leaf) for leaf in leaves(kept)} <= set(leaves(record))
