"""What simulated reviewers know of the images: the lines of a sample's ``truth.jsonl``, found by image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Box = dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """What really is in one image: pixel boxes in an image of ``width`` × ``height``."""

    width: int
    height: int
    boxes: tuple[Box, ...]

    element = "boundingBox"  # under which the templates of labeling jobs answer


@dataclass(frozen=True)
class TrueClasses:
    """What one image really shows, by the classes' names: one, or with ``many`` any number of them."""

    names: tuple[str, ...]
    many: bool

    @property
    def element(self) -> str:
        """The name under which the templates of labeling jobs answer."""
        return f"crowd-image-classifier{'-multi-select' if self.many else ''}"


class Truths:
    """The truth of every image, found by the image's address."""

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self._by_key = {_key(line["source-ref"]): _truth(line) for line in lines}

    @classmethod
    def read(cls, path: Path) -> Truths:
        """From a ``truth.jsonl``: one object per line with source-ref, and width, height and boxes; or
        class, the only one; or classes, any number of them.
        """
        return cls([json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()])

    def find(self, address: object) -> Truth | TrueClasses | None:
        """The truth of an image, or None. Bucket and leading folders may differ: they are only its place."""
        parts = _key(str(address)).split("/")
        keys = ("/".join(parts[i:]) for i in range(len(parts)))
        return next((self._by_key[key] for key in keys if key in self._by_key), None)


def _truth(line: Mapping[str, Any]) -> Truth | TrueClasses:
    if "class" in line:
        return TrueClasses((line["class"],), many=False)
    if "classes" in line:
        return TrueClasses(tuple(line["classes"]), many=True)
    return Truth(line["width"], line["height"], tuple(line["boxes"]))


def _key(address: str) -> str:
    """The key of an S3 URI, or a path as it is. A key may hold ``?``, ``#`` and line breaks."""
    return address.split("/", 3)[-1] if address.startswith("s3://") else address.lstrip("/")
