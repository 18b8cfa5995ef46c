"""The train and validation channels, in each form the algorithm documents, as one stream of records.

Augmented manifests come through pipes (image, label, image, …), images with JSON files as directories, and
.rec files either way. Gives examples and, in the same stream, the records that could not be used, each with
its reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.algorithms.container import ClientError, Container
from include.algorithms.images import ImageError, decode
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.object_detection.labels import (
    AnnotationFile,
    LabelError,
    Labelled,
    boxes_of,
    parse_json,
    parse_label,
    parse_packed,
)
from include.algorithms.records import (
    IMAGES,
    RECORDIO,
    BadRecord,
    Maker,
    described,
    of_files,
    of_pipe,
    unsupported,
)


@dataclass(frozen=True)
class Example:
    """Pixels (side, side, 3; uint8) and boxes (N, 5): class, then corners as fractions of the image.

    ``notes`` tell what was left out of the record of that ``name``, which is used all the same.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> np.ndarray:
        return self.boxes


Record = Example | BadRecord


def read_channel(container: Container, name: str, settings: Hyperparameters) -> Iterator[Record]:
    """Every record of the channel once; ClientError when the channel is missing or in no form known here."""
    channel = described(container, name, "object detection needs train and validation")
    make = Maker(functools.partial(_pair, settings), functools.partial(_packed_example, settings))
    if channel.is_pipe and channel.kind in ("", RECORDIO):
        return of_pipe(channel, make)
    if not channel.is_pipe and channel.kind == RECORDIO:
        return of_files(channel, make)
    if not channel.is_pipe and channel.kind in ("", *IMAGES):
        return _annotated_images(channel.folder, container.channel(f"{name}_annotation"), settings)
    raise unsupported(channel)


def _annotated_images(images: Path, annotations: Path, settings: Hyperparameters) -> Iterator[Record]:
    files = sorted(annotations.rglob("*.json"))
    if not files:
        raise ClientError(
            f"no .json file in the channel {annotations.name}: each image needs one of the same name"
        )
    root = images.resolve()
    for path in files:
        name = str(path.relative_to(annotations))
        try:
            label = parse_json(AnnotationFile, path.read_bytes())
        except LabelError as error:
            yield BadRecord(name, str(error))
            continue
        source = (root / label.file).resolve()
        if not source.is_relative_to(root) or not source.is_file():
            yield BadRecord(name, f"there is no image {label.file!r} in the channel {images.name}")
            continue
        yield _example(name, source.read_bytes(), settings, functools.partial(boxes_of, label, settings))


def _pair(settings: Hyperparameters, name: str, image: bytes, label: bytes) -> Record:
    return _example(name, image, settings, lambda: parse_label(label, settings))


def _packed_example(settings: Hyperparameters, name: str, payload: bytes) -> Record:
    try:
        image, label = parse_packed(payload, settings)
    except LabelError as error:
        return BadRecord(name, str(error))
    return _example(name, image, settings, lambda: label)


def _example(name: str, image: bytes, settings: Hyperparameters, label: Callable[[], Labelled]) -> Record:
    side = settings.image_shape
    try:
        pixels, labelled = decode(image, side, side).pixels, label()
        return Example(pixels, labelled.boxes, name, labelled.notes)
    except (ImageError, LabelError) as error:
        return BadRecord(name, str(error))
