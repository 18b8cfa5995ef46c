"""A first look at a source, before anything is read of its images: which format, which labels, which classes.

Takes files, gives the format and what it says. Whatever makes an import impossible shows here, or is told by
classes.py from what was found here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from include.loop.config import Pipeline
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions, find_format, format_names
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.manifest_items import Kind

# Told how many images are done, and of how many if anybody knows.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Survey:
    """How many images a source has, by split, and how often each class is named by labels of the wished
    kind; ``problems`` counts what its format cannot use.
    """

    images: int
    splits: Counter[str | None] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    problems: int = 0


def kind_of(pipeline: Pipeline) -> Kind:
    """Which labels a pipeline learns from."""
    if pipeline.task == "object-detection":
        return "boxes"
    return "many_classes" if pipeline.multi_label else "classes"


def find_formats(files: Files) -> list[str]:
    """The formats that a source looks like, by name."""
    return [name for name in format_names() if _looks_like(find_format(name), files)]


def choose_format(files: Files, wanted: str | None) -> tuple[str, Format]:
    """The format that was asked for, or the only one that the source looks like."""
    if wanted is not None:
        return wanted, find_format(wanted)
    found = find_formats(files)
    if len(found) == 1:
        return found[0], find_format(found[0])
    if found:
        raise ConfigurationError(
            f"{files.place} can be read as {' or '.join(found)}: say which with --format"
        )
    raise ConfigurationError(
        f"{files.place} looks like none of the formats {', '.join(format_names())}; name one with --format, "
        "or point at the folder that has the labels in it"
    )


def survey(
    files: Files, read: Format, options: ReadOptions, kind: Kind, progress: Progress | None = None
) -> Survey:
    """Go through a source's labels once. ConfigurationError when there are none of this kind."""
    images, problems, other = 0, 0, 0
    splits: Counter[str | None] = Counter()
    classes: Counter[str] = Counter()
    first: Problem | None = None
    for item in items_of(files, read, options):
        if isinstance(item, Problem):
            problems += 1
            first = first or item
            continue
        images += 1
        if progress:
            progress(images, None)
        names = labels_of(item, kind)
        if names is None:
            other += 1
            continue
        splits[item.split] += 1
        classes.update(names)
    if not images:
        why = f"; the first of {problems} problems: {first.where}: {first.reason}" if first else ""
        raise ConfigurationError(f"{files.place}: there is no labelled image in it{why}")
    if images == other:
        wanted, there = ("boxes", "a class for an image") if kind == "boxes" else ("classes", "boxes")
        raise ConfigurationError(
            f"{files.place} reads as {read.title}, {images:,} images with {there}, and the pipeline learns "
            f"{wanted}: its task has to fit the labels. If it is something else, name the folder with the "
            "labels in it, or --format"
        )
    return Survey(images, splits, classes, problems)


def items_of(files: Files, read: Format, options: ReadOptions) -> Iterator[Item | Problem]:
    """A source's items; ConfigurationError when it is unusable as a whole, at its beginning or later."""
    try:
        yield from read.read(files, options)
    except BadRecord as error:
        raise ConfigurationError(str(error)) from None


def labels_of(item: Item, kind: Kind) -> list[str] | None:
    """The classes that an image's labels name; None without labels of this kind."""
    if kind == "boxes":
        return None if item.boxes is None else [box.label for box in item.boxes]
    return None if item.classes is None else [said.label for said in item.classes]


def _looks_like(kind: Format, files: Files) -> bool:
    try:
        return kind.looks_like(files)
    except (BadRecord, FileNotFoundError):
        return False
