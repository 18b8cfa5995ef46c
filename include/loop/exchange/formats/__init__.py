"""The formats there are. Each is one module of this package; its file's name is the format's name with ``_``
for ``-``.

A module has ``FORMAT``, a ``Format``. To add one, add its file: nothing else has to know of it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

from include.loop.core.errors import ConfigurationError
from include.loop.exchange.files import Files
from include.loop.exchange.items import Item, Problem


@dataclass(frozen=True)
class ReadOptions:
    """What a person may say of a source. ``images`` is where the pictures lie when it is not the source
    itself; ``label`` the attribute of a manifest that has several; ``classes`` the names of the class indices
    where the format has none of its own (RecordIO); ``sets`` the parts to read (VOC's ImageSets, the splits
    of YOLO); empty: all.
    """

    images: Files | None = None
    label: str | None = None
    classes: Sequence[str] = ()
    sets: Sequence[str] = ()


@dataclass(frozen=True)
class WriteOptions:
    """``classes`` is the order of the class indices, ``copy_images`` whether pictures are written beside the
    labels where the format refers to them, ``many_classes`` whether an image may be of several: a writer
    that streams cannot tell from the first one.
    """

    classes: Sequence[str]
    many_classes: bool = False
    copy_images: bool = True
    label: str = "review"


Read = Callable[[Files, ReadOptions], Iterator[Item | Problem]]
Write = Callable[[Iterable[Item], Path, WriteOptions], Iterator[Problem]]


@dataclass(frozen=True)
class Format:
    """How one format is recognised, read and written.

    ``holds`` says which labels it can have: ``boxes``, ``classes`` (one for an image) or ``many_classes``.
    ``looks_like`` tells from names alone (and the head of one file at most) whether a source is of it.
    ``classes`` gives the names of a source's classes in its own order, or None where it does not say.
    ``read`` streams a source's images and what of it cannot be used; it raises BadRecord only where the
    source as a whole is unusable, before the first item. ``write`` is told the items and a new, empty folder;
    it gives what the format cannot hold. ``writes_images`` is False where pictures stay where they are.
    ``notes`` are what a person should know of it.
    """

    title: str
    holds: frozenset[str]
    looks_like: Callable[[Files], bool]
    classes: Callable[[Files, ReadOptions], list[str] | None]
    read: Read
    write: Write
    writes_images: bool = True
    notes: Sequence[str] = field(default=())


@cache
def format_names() -> tuple[str, ...]:
    """The formats there are, in order; none of them is imported."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in names if not name.startswith("_")))


def find_format(name: str) -> Format:
    """The format of this name; ConfigurationError names those that there are."""
    if name not in format_names():
        raise ConfigurationError(f"no format named {name!r}; there are {', '.join(format_names())}")
    found: Format = import_module(f"{__name__}.{name.replace('-', '_')}").FORMAT
    return found
