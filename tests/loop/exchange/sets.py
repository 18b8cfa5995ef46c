"""Data sets for the tests of formats: files in a folder, and items to be written into one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from include.loop.exchange.folders import Folder
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.items import Item, Problem


@cache
def picture(width: int = 200, height: int = 100, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(stream, kind)
    return stream.getvalue()


def put(folder: Path, files: Mapping[str, str | bytes]) -> Folder:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Folder(folder)


def read(
    format: Format, source: Folder, options: ReadOptions | None = None
) -> tuple[dict[str, Item], list[Problem]]:
    """Images by name, and the problems; read twice as the import does."""
    options = options or ReadOptions()
    found = list(format.read(source, options))
    items = {one.name: one for one in found if isinstance(one, Item)}
    problems = [one for one in found if isinstance(one, Problem)]
    assert len(items) + len(problems) == len(found)
    assert [one for one in format.read(source, options) if isinstance(one, Problem)] == problems
    return items, problems


def item(name: str, size: tuple[int, int] | None = (200, 100), **labels: Any) -> Item:
    return Item(name, lambda: picture(*(size or (200, 100))), size=size, **labels)


def write(format: Format, folder: Path, *items: Item, **options: Any) -> list[Problem]:
    labels = {box.label for one in items for box in one.boxes or ()}
    labels |= {label.label for one in items for label in one.classes or ()}
    options.setdefault("classes", sorted(labels))
    folder.mkdir(parents=True, exist_ok=True)
    return list(format.write(items, folder, WriteOptions(**options)))
