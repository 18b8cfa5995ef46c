"""Any labelled source to one RecordIO file for SageMaker, without a pipeline: what MXNet's prepare_dataset
and im2rec do.

A list (``.lst``) is packed number by number; every other format by its items, whose boxes are fitted as an
import fits them. Images are packed as they are (im2rec's ``--pass-through``): its default, to encode each
JPEG anew with quality 95, loses something and gains nothing here.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from include import recordio
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import MOST_BYTES
from include.loop.exchange.files import Files
from include.loop.exchange.fitting import fit
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.formats._recordio_write import write_one
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.manifest_items import Kind
from include.loop.exchange.survey import items_of
from include.pictures import PictureError, read_size
from include.recordio.survey import Survey, survey

TOLD = 20  # problems of all, one by one
ENDINGS = (".rec", ".idx", ".lst", ".classes.txt")  # of what is written

# Told how many images were looked at.
Progress = Callable[[int], None]


@dataclass
class Packed:
    """What is in the file: counted in it. ``classes`` are the names of its class ids, where they are known;
    ``problems`` the first of those that ``counts`` has by kind.
    """

    classes: tuple[str, ...] = ()
    survey: Survey = field(default_factory=Survey)
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def tell(self, problem: Problem) -> None:
        self.counts[problem.kind] += 1
        if len(self.problems) < TOLD:
            self.problems.append(problem)


def pack_list(source: Path, images: Files, out: Path, progress: Progress) -> Packed:
    """Pack the images of a list. ConfigurationError when nothing of it can be packed."""
    packed = Packed()

    def read(path: str) -> bytes:
        try:
            body = images.read(path, MOST_BYTES)
            read_size(body)
        except (BadRecord, PictureError) as error:
            raise recordio.RecordError(f"{path}: {error}") from None
        return body

    def counted(
        lines: Iterator[tuple[int, recordio.ListLine | recordio.RecordError]],
    ) -> Iterator[tuple[int, recordio.ListLine | recordio.RecordError]]:
        for count, line in enumerate(lines, start=1):
            progress(count)
            yield line

    with _new_files(out) as stem, source.open("rb") as lines:
        with Path(f"{stem}.rec").open("wb") as rec, Path(f"{stem}.idx").open("wb") as index:
            writer = recordio.Writer(rec, index)
            try:
                for number, reason in recordio.pack_list(counted(recordio.read_list(lines)), read, writer):
                    packed.tell(Problem(f"line {number}", reason))
            except recordio.RecordError as error:
                raise ConfigurationError(f"{source}: {error}") from None
        _count(packed, stem, str(source))
    return packed


def pack_items(files: Files, format: Format, options: ReadOptions, out: Path, progress: Progress) -> Packed:
    """Pack the images of any source that has a format. ConfigurationError as ``pack_list``."""
    kind, names = _look(files, format, options)
    packed = Packed(names)
    same = {name: name for name in names}

    def fitted() -> Iterator[Item]:
        for count, item in enumerate(items_of(files, format, options), start=1):
            progress(count)
            if isinstance(item, Problem):
                packed.tell(item)
                continue
            try:
                body = item.read()
                found = fit(item, kind, same, read_size(body))
            except (BadRecord, FileNotFoundError, PictureError) as error:
                packed.tell(Problem(item.name, str(error)))
                continue
            for problem in found.problems:
                packed.tell(problem)
            yield replace(found.item, read=partial(bytes, body))

    write = WriteOptions(names, many_classes=kind == "many_classes")
    with _new_files(out) as stem:
        try:
            for problem in write_one(fitted(), stem, write):
                packed.tell(problem)
        except BadRecord as error:
            raise ConfigurationError(f"{files.place}: {error}") from None
        _count(packed, stem, files.place)
    return packed


def _look(files: Files, format: Format, options: ReadOptions) -> tuple[Kind, tuple[str, ...]]:
    """Which labels a source has, and the names of its classes in the order of their ids: its own order, or
    the alphabet's.
    """
    boxes = images = 0
    several = False
    labels: set[str] = set()
    for item in items_of(files, format, options):
        if isinstance(item, Problem):
            continue
        if item.boxes is not None:
            boxes += 1
            labels |= {box.label for box in item.boxes}
        elif item.classes is not None:
            images += 1
            there = [one.label for one in item.classes if one.present]
            several |= len(there) != 1
            labels |= {one.label for one in item.classes}
    if boxes and images:
        raise ConfigurationError(
            f"{files.place} has {boxes} images with boxes and {images} with classes; a file has one kind"
        )
    try:
        names = list(options.classes) or format.classes(files, options) or sorted(labels)
    except BadRecord as error:
        raise ConfigurationError(str(error)) from None
    if unnamed := sorted(labels - {*names}):
        raise ConfigurationError(f"{files.place}: the class {unnamed[0]!r} is not in the list of classes")
    return "boxes" if boxes else "many_classes" if several else "classes", tuple(names)


@contextmanager
def _new_files(out: Path) -> Iterator[Path]:
    """The path, without ending, of files that take their place beside ``out`` when all are complete."""
    stem = out.name.removesuffix(".rec")
    if not stem or stem == out.name:
        raise ConfigurationError(f"{out}: the name of a RecordIO file ends with .rec")
    # Looked at first: a folder in the place of one would be met when the others have taken theirs.
    for place in (out.with_name(stem + ending) for ending in ENDINGS):
        if place.is_dir():
            raise ConfigurationError(f"{place} is a folder, and a file of this name belongs there")
    beside = next(above for above in out.absolute().parents if above.exists())
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{stem}-", dir=beside))
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}") from None
    try:
        yield folder / stem
        out.parent.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir(), key=lambda path: path.suffix == ".rec"):  # the .rec last
            os.replace(path, out.parent / path.name)
    finally:
        shutil.rmtree(folder)


def _count(packed: Packed, stem: Path, place: str) -> None:
    path = Path(f"{stem}.rec")
    if path.exists():  # it is begun with the first image
        with path.open("rb") as stream:
            packed.survey = survey(stream)
    if not packed.survey.records:
        why = f": {packed.problems[0].where}: {packed.problems[0].reason}" if packed.problems else ""
        raise ConfigurationError(f"{place}: there is nothing in it that can be packed{why}")
