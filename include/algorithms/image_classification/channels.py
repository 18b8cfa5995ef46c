"""The train and validation channels, in each form the algorithm documents, as one stream of records.

Augmented manifests come through pipes (image, label, image, …), .rec files either way, and images as a
directory with a list of classes and paths beside it. Gives examples and, in the same stream, the records that
could not be used, each with its reason.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include import recordio
from include.algorithms.container import ClientError, Container, logger
from include.algorithms.image_classification.hyperparameters import Hyperparameters
from include.algorithms.image_classification.labels import (
    CLASS_ID,
    MULTI_HOT,
    LabelError,
    multi_hot,
    parse_label,
    parse_packed,
    single,
)
from include.algorithms.images import ImageError, decode_keeping_aspect
from include.algorithms.records import (
    IMAGES,
    RECORDIO,
    BadRecord,
    Channel,
    Maker,
    described,
    of_files,
    of_pipe,
    unsupported,
)
from include.recordio import ListLine, RecordError

_LISTS = "images need a list of their classes in the channels train_lst and validation_lst"


@dataclass(frozen=True)
class Example:
    """Pixels (height, width, 3; uint8), at least as large as image_shape, and a class or a multi-hot row."""

    pixels: np.ndarray
    label: np.ndarray
    name: str = ""
    notes: tuple[str, ...] = ()


Record = Example | BadRecord


def read_channel(container: Container, name: str, settings: Hyperparameters, whole: bool) -> Iterator[Record]:
    """Every record of the channel once; ClientError when the channel is missing or in no form known here.

    Pixels are the image's middle in the size of image_shape, or the ``whole`` image, from which crops are
    taken.
    """
    channel = described(container, name, "image classification needs train and validation")
    made = functools.partial(_example, settings, whole)
    if channel.kind in ("", *IMAGES) and not channel.is_pipe:
        return _listed_images(channel, described(container, f"{name}_lst", _LISTS), settings, made)
    form = channel.parameters.get("label-format", MULTI_HOT)
    if form not in (MULTI_HOT, CLASS_ID):
        raise ClientError(f"channel '{name}': label-format is {form!r}; it can be {MULTI_HOT} or {CLASS_ID}")

    def pair(name: str, image: bytes, text: bytes) -> Record:
        try:
            label = parse_label(text, form, settings)
        except LabelError as error:
            return BadRecord(name, str(error))
        return made(name, image, label)

    def packed(name: str, record: bytes) -> Record:
        try:
            image, label = parse_packed(record, settings)
        except LabelError as error:
            return BadRecord(name, str(error))
        return made(name, image, label)

    if channel.is_pipe and channel.kind in ("", RECORDIO):
        return of_pipe(channel, Maker(pair, packed))
    if not channel.is_pipe and channel.kind == RECORDIO:
        return of_files(channel, Maker(pair, packed))
    raise unsupported(channel)


def _listed_images(
    images: Channel,
    lists: Channel,
    settings: Hyperparameters,
    made: Callable[[str, bytes, np.ndarray], Record],
) -> Iterator[Record]:
    """The images that the .lst files name, in their order. The log speaks of record files, as SageMaker's
    own does, and counts from them; here images are decoded as they are.
    """
    if settings.resize is None:
        raise ClientError("hyperparameter 'resize' is required when the input are images")
    logger.info("Searching for .lst files in %s.", lists.folder)
    files = sorted(lists.folder.rglob("*.lst"))
    if not files:
        raise ClientError(f"no .lst file in the channel {lists.name}")
    root = images.folder.resolve()
    for path in files:
        logger.info("Creating record files for %s", path.name)
        for name, line in _lines(path):
            try:
                if isinstance(line, RecordError):
                    raise line
                label, source = _label(line.label, settings), (root / line.path).resolve()
                if not source.is_relative_to(root) or not source.is_file():
                    raise LabelError(f"there is no image {line.path[:200]!r} in the channel {images.name}")
            except ClientError:
                raise
            except (RecordError, LabelError, OSError, ValueError) as error:  # a path may hold a zero
                yield BadRecord(name, str(error))
                continue
            yield made(name, source.read_bytes(), label)
    logger.info("Done creating record files...")


def _lines(path: Path) -> Iterator[tuple[str, ListLine | RecordError]]:
    """A list's lines, each with what the log calls it. ClientError when it is no list at all."""
    with path.open("rb") as stream:
        try:
            for number, line in recordio.read_list(stream):
                yield f"line {number} of {path.name}", line
        except RecordError as error:
            raise ClientError(f"{path.name}: {error}") from error


def _label(label: recordio.Label, settings: Hyperparameters) -> np.ndarray:
    """One class, or with multi_label a 0 or 1 for each class."""
    if settings.multi_label:
        return multi_hot(label if isinstance(label, tuple) else (label,), settings)
    if isinstance(label, tuple):
        raise ClientError(f"a line has {len(label)} numbers before its path: such lists need multi_label=1")
    return single(label, settings)


def _example(settings: Hyperparameters, whole: bool, name: str, image: bytes, label: np.ndarray) -> Record:
    try:
        pixels = decode_keeping_aspect(image, settings.resize).pixels
    except ImageError as error:
        return BadRecord(name, str(error))
    height, width = pixels.shape[:2]
    wanted = settings.image_shape
    if height < wanted.height or width < wanted.width:
        when = " after resize" if settings.resize else ""
        raise ClientError(
            f"{name}: the image has {width} x {height} pixels{when} and is smaller than image_shape "
            f"({wanted}). Set resize to {max(wanted.height, wanted.width)} or more, or leave such images out"
        )
    if not whole:
        top, left = (height - wanted.height) // 2, (width - wanted.width) // 2
        pixels = pixels[top : top + wanted.height, left : left + wanted.width]
    return Example(pixels, label, name)
