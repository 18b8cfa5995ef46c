"""The train and validation channels, in each form the algorithm documents, as one stream of records.

Augmented manifests come through pipes (image, label, image, …), images with JSON files as directories, and
.rec files either way. Gives examples and, in the same stream, the records that could not be used, each with
its reason.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include import recordio
from include.algorithms.container import ClientError, Container
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.object_detection.images import ImageError, decode
from include.algorithms.object_detection.labels import (
    AnnotationFile,
    LabelError,
    Labelled,
    boxes_of,
    is_packed,
    parse_json,
    parse_label,
    parse_packed,
)

_RECORDIO = "application/x-recordio"
_IMAGES = ("image/jpeg", "image/png", "application/x-image")
_PAIR_HINT = (
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the value of "
    "training job parameter AttributeNames matches attributes names in the augmented manifest."
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


@dataclass(frozen=True)
class BadRecord:
    """A record that is left out, and why."""

    name: str
    reason: str


Record = Example | BadRecord


def read_channel(container: Container, name: str, settings: Hyperparameters) -> Iterator[Record]:
    """Every record of the channel once; ClientError when the channel is missing or in no form known here."""
    channels = container.configuration("inputdataconfig")
    if name not in channels:
        raise ClientError(f"the channel '{name}' is missing: object detection needs train and validation")
    kind = str(channels[name].get("ContentType", "")).split(";")[0].strip()
    mode = channels[name].get("TrainingInputMode", "File")
    folder = container.channel(name)
    if mode == "Pipe" and kind in ("", _RECORDIO):
        return _stream(folder.with_name(f"{name}_0"), settings)
    if mode != "Pipe" and kind == _RECORDIO:
        return _rec_files(folder, settings)
    if mode != "Pipe" and kind in ("", *_IMAGES):
        return _annotated_images(folder, container.channel(f"{name}_annotation"), settings)
    raise ClientError(
        f"channel '{name}': ContentType {kind!r} in {mode} mode is not supported; use {_RECORDIO} "
        f"(Pipe or File) or {', '.join(_IMAGES)} (File)"
    )


def _stream(path: Path, settings: Hyperparameters) -> Iterator[Record]:
    if not path.exists():
        raise ClientError(f"the pipe {path} does not exist")
    with path.open("rb") as stream:
        yield from _records(path.name, recordio.read(stream), settings)


def _rec_files(folder: Path, settings: Hyperparameters) -> Iterator[Record]:
    files = sorted(folder.rglob("*.rec"))
    if not files:
        raise ClientError(f"no .rec file in the channel {folder.name}")
    for path in files:
        with path.open("rb") as stream:
            yield from _records(path.name, recordio.read(stream), settings)


def _records(source: str, payloads: Iterable[bytes], settings: Hyperparameters) -> Iterator[Record]:
    """Label and image in one record, or image and label in turn: the first record tells."""
    image: bytes | None = None
    packed: bool | None = None
    count = 0
    try:
        for payload in payloads:
            packed = is_packed(payload) if packed is None else packed
            if packed:
                yield _packed_example(f"record {count + 1} of {source}", payload, settings)
                count += 1
            elif image is None:
                image = payload
            else:
                name = f"record {count + 1} of {source}{_etag(image)}"
                yield _example(name, image, settings, functools.partial(parse_label, payload, settings))
                count, image = count + 1, None
    except recordio.RecordIOError as error:
        raise ClientError(
            f"Unable to parse record {count} of {source}. Please make sure input data is in correct recordio "
            f"format: {error}"
        ) from error
    if image is not None:
        yield BadRecord(
            f"record {count + 1} of {source}{_etag(image)}",
            "an image without a label; are there two AttributeNames?",
        )
    if count == 0:
        raise ClientError(_PAIR_HINT)


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


def _packed_example(name: str, payload: bytes, settings: Hyperparameters) -> Record:
    try:
        image, label = parse_packed(payload, settings)
    except LabelError as error:
        return BadRecord(name, str(error))
    return _example(name, image, settings, lambda: label)


def _example(name: str, image: bytes, settings: Hyperparameters, label: Callable[[], Labelled]) -> Record:
    try:
        pixels, labelled = decode(image, settings.image_shape).pixels, label()
        return Example(pixels, labelled.boxes, name, labelled.notes)
    except (ImageError, LabelError) as error:
        return BadRecord(name, str(error))


def _etag(image: bytes) -> str:
    """How to find the image of a pipe's record, whose order may be shuffled: S3 lists ETags beside names."""
    return f" (ETag {hashlib.md5(image, usedforsecurity=False).hexdigest()})"
