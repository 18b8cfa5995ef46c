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

_LONGEST_LINE = 1 << 20  # bytes of a list's line: a thousand classes and a path need a few thousand


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

    def pair(name: str, image: bytes, label: bytes) -> Record:
        return made(name, image, lambda: parse_label(label, form, settings))

    def packed(name: str, record: bytes) -> Record:
        try:
            image, label = parse_packed(record, settings)
        except LabelError as error:
            return BadRecord(name, str(error))
        return made(name, image, lambda: label)

    if channel.is_pipe and channel.kind in ("", RECORDIO):
        return of_pipe(channel, Maker(pair, packed))
    if not channel.is_pipe and channel.kind == RECORDIO:
        return of_files(channel, Maker(pair, packed))
    raise unsupported(channel)


_LISTS = "images need a list of their classes in the channels train_lst and validation_lst"


def _listed_images(
    images: Channel,
    lists: Channel,
    settings: Hyperparameters,
    made: Callable[[str, bytes, Callable[[], np.ndarray]], Record],
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
        for number, line in enumerate(_lines(path), 1):
            name = f"line {number} of {path.name}"
            try:
                label, relative = _parsed(line, settings)
                source = (root / relative).resolve()
                if not source.is_relative_to(root) or not source.is_file():
                    raise LabelError(f"there is no image {relative[:200]!r} in the channel {images.name}")
            except ClientError:
                raise
            except (LabelError, OSError, ValueError) as error:  # a path may hold a zero, or be too long
                yield BadRecord(name, str(error))
                continue
            yield made(name, source.read_bytes(), functools.partial(_same, label))
    logger.info("Done creating record files...")


def _lines(path: Path) -> Iterator[str]:
    """A list's lines, those that are not empty. They end at a line feed only."""
    with path.open("rb") as stream:
        while line := stream.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise ClientError(f"{path.name} has a line of more than {_LONGEST_LINE} bytes")
            if text := line.decode(errors="replace").rstrip("\r\n"):
                yield text


def _same(label: np.ndarray) -> np.ndarray:
    return label


def _parsed(line: str, settings: Hyperparameters) -> tuple[np.ndarray, str]:
    """``index <tab> class <tab> path``, or with multi_label a column of 0 or 1 for each class."""
    _, *values, path = line.split("\t") if line.count("\t") > 1 else ("", line)
    if not values:
        raise LabelError("expected an index, a class and a path, with tabs between them")
    if settings.multi_label:
        return multi_hot(values, settings), path
    if len(values) > 1:
        raise ClientError(f"a line has {len(values)} numbers before its path: such lists need multi_label=1")
    return single(values[0], settings), path


def _example(
    settings: Hyperparameters, whole: bool, name: str, image: bytes, label: Callable[[], np.ndarray]
) -> Record:
    try:
        kind, pixels = label(), decode_keeping_aspect(image, settings.resize).pixels
    except (ImageError, LabelError) as error:
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
    return Example(pixels, kind, name)
