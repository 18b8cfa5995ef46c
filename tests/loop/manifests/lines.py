"""Manifest lines by hand, in the shapes of Ground Truth's outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include.loop.core.storage import Storage


def boxes(source: str, *class_ids: int, name: str = "box", created: str = "", **more: Any) -> dict[str, Any]:
    """An image with a box of each of these classes."""
    names = {0: "helmet", 1: "vest", 2: "boot"}
    metadata = {
        "class-map": {str(index): names[index] for index in class_ids},
        "type": "groundtruth/object-detection",
    }
    return {
        "source-ref": source,
        name: {
            "annotations": [
                {"class_id": index, "left": 1, "top": 2, "width": 3, "height": 4} for index in class_ids
            ],
            "image_size": [{"width": 64, "height": 48, "depth": 3}],
        },
        f"{name}-metadata": metadata | ({"creation-date": created} if created else {}),
    } | more


def grade(source: str, index: Any, called: str) -> dict[str, Any]:
    """An image of one class."""
    return {
        "source-ref": source,
        "grade": index,
        "grade-metadata": {"class-name": called, "type": "groundtruth/image-classification"},
    }


def numbered(values: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    """As they are read from a file."""
    for number, value in enumerate(values, start=1):
        yield number, value if isinstance(value, bytes) else json.dumps(value).encode()


def write(path: Path, values: Iterable[Any]) -> str:
    """A file of them, with a line feed at its end; its place."""
    path.write_bytes(b"".join(line + b"\n" for _, line in numbered(values)))
    return str(path)


def no_s3() -> Storage:
    """Where no place is in S3, nobody asks for it."""
    raise AssertionError("asked S3")
