"""A channel decoded once into a temporary file mapped into memory.

The operating system keeps as much of the file as fits, so a data set may be larger than memory. Records that
cannot be used are named in the log and counted, and so is what is left out of the others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from include.algorithms.container import logger
from include.algorithms.records import BadRecord

_WARNINGS = 20  # bad records named one by one, and as many notes; the rest are counted
_Label = TypeVar("_Label", covariant=True)


class Example(Protocol[_Label]):
    """Of any algorithm: pixels (height, width, 3; uint8), a label, and notes for the log."""

    @property
    def pixels(self) -> np.ndarray: ...
    @property
    def label(self) -> _Label: ...
    @property
    def name(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Decoded(Generic[_Label]):
    """All ``pixels`` (uint8) in one row, the shape of each image's, their labels, and how many records are
    left out.
    """

    pixels: np.ndarray
    shapes: Sequence[tuple[int, ...]]
    labels: list[_Label]
    bad: int


def collect(
    name: str, records: Iterable[Example[_Label] | BadRecord], summary: Callable[[list[_Label]], str]
) -> Decoded[_Label]:
    """Decode a whole channel; ``summary`` says in the log what the labels are."""
    store = tempfile.TemporaryFile()  # noqa: SIM115 — lives as long as the mapping, and has no name to clean up
    shapes: list[tuple[int, ...]] = []
    labels: list[_Label] = []
    bad = noted = 0
    for record in records:
        if isinstance(record, BadRecord):
            bad += 1
            if bad <= _WARNINGS:
                logger.warning("%s: skipping %s: %s", name, record.name, record.reason)
            continue
        store.write(record.pixels.tobytes())
        shapes.append(record.pixels.shape)
        labels.append(record.label)
        for note in record.notes:
            noted += 1
            if noted <= _WARNINGS:
                logger.warning("%s: %s: %s", name, record.name, note)
    if bad > _WARNINGS:
        logger.warning("%s: %d more records skipped", name, bad - _WARNINGS)
    if noted > _WARNINGS:
        logger.warning("%s: %d more warnings of this kind", name, noted - _WARNINGS)
    logger.info("%s: %d images, %s; %d records skipped", name, len(labels), summary(labels), bad)
    store.flush()
    pixels = np.memmap(store, np.uint8, "r") if labels else np.empty(0, np.uint8)
    return Decoded(pixels, shapes, labels, bad)
