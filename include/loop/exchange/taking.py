"""The second pass over a source: every image read, fitted, and checked as a line that training would take.

Takes the items of a source, gives ``Taken``: the entries that can be written, and what became of the others.
Nothing but pictures is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import dump, in_parallel
from include.loop.dataset.split_register import check_size
from include.loop.exchange.files import Files
from include.loop.exchange.fitting import fit
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.manifest_items import Kind, to_value
from include.loop.exchange.pictures import Stored, store
from include.loop.exchange.survey import Progress, items_of
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace
from include.pictures import AS_STORED

_ON_ITS_SIDE = range(5, 9)  # EXIF's orientations that swap width and height


@dataclass(frozen=True)
class Source:
    """An opened source; ``name`` is its format's, ``images`` how many it has."""

    files: Files
    format: Format
    options: ReadOptions
    kind: Kind
    name: str
    images: int

    def items(self) -> Iterator[Item | Problem]:
        return items_of(self.files, self.format, self.options)


@dataclass(frozen=True)
class Entry:
    """One image that is taken: its part of the target, where it lies, and its line without a date."""

    name: str
    split: str
    stored: Stored
    value: dict[str, Any]
    line: Labelled

    @property
    def measures(self) -> bool:
        return self.split in {"validation", "test"}


@dataclass
class Taken:
    """What the second pass gathers, by the SHA-256 of the images."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def take(
    workspace: Workspace,
    source: Source,
    classes: Mapping[str, str | None],
    splits: Mapping[str | None, str | None],
    keep: bool,
    progress: Progress | None,
) -> Taken:
    def look(item: Item | Problem) -> tuple[Item | Problem, Entry | None, list[Problem], Counter[str]]:
        if isinstance(item, Problem) or splits.get(item.split) is None:
            return item, None, [], Counter()
        try:
            return item, *_entry(workspace, source, item, classes, str(splits[item.split]), keep)
        except BadRecord as error:
            return item, None, [Problem(item.name, str(error))], Counter()

    taken, done = Taken(), 0
    for item, entry, problems, left_out in in_parallel(look, source.items()):
        if isinstance(item, Problem):
            taken.problems.append(item)
            continue
        done += 1
        taken.problems += problems
        taken.left_out += left_out
        if entry is not None:
            _add(taken, entry, workspace.pipeline.label_attribute)
        if progress:
            progress(done, source.images)
    if not taken.entries:
        first = next((item for item in taken.problems if item.kind == "refused"), None)
        raise ConfigurationError(
            f"{source.files.place}: no image of it can be used"
            + (f"; the first: {first.where}: {first.reason}" if first else "")
        )
    return taken


def _entry(
    workspace: Workspace,
    source: Source,
    item: Item,
    classes: Mapping[str, str | None],
    split: str,
    keep: bool,
) -> tuple[Entry, list[Problem], Counter[str]]:
    stored = store(workspace.storage, item, keep)
    fitted = fit(item, source.kind, classes, stored.size)
    pipeline = workspace.pipeline
    metadata = {"human-annotated": "yes", "job-name": f"import/{source.name}"}
    value = to_value(
        fitted.item, stored.uri, pipeline.label_attribute, source.kind, pipeline.classes, metadata
    )
    line = workspace.task.read_line(dump(value))  # what training would say of it is said now
    check_size(line, stored.size)
    problems = fitted.problems + _doubts(item, stored)
    return Entry(item.name, split, stored, value, line), problems, fitted.left_out


def _doubts(item: Item, stored: Stored) -> list[Problem]:
    """Whether nobody can tell which way up an image's boxes were drawn. A size that says it, and is not the
    stored one, has refused the image before.
    """
    width, height = stored.size
    if not item.boxes or stored.orientation == AS_STORED:
        return []
    if item.size is not None and width != height and stored.orientation in _ON_ITS_SIDE:
        return []
    reason = f"EXIF turns it (orientation {stored.orientation}): its boxes are taken as drawn on the stored"
    return [
        Problem(
            item.name, f"{reason} pixels, which no size confirms. Look at it, or store it turned", "doubtful"
        )
    ]


def _add(taken: Taken, entry: Entry, attribute: str) -> None:
    """Of images with the same bytes one counts: the one that measures, or else the first."""
    sha256 = entry.stored.prints.sha256
    before = taken.entries.get(sha256)
    if before is None:
        taken.entries[sha256] = entry
        return
    kept, other = (entry, before) if entry.measures and not before.measures else (before, entry)
    how = "with the same label" if kept.value[attribute] == other.value[attribute] else "labelled otherwise"
    where = f" of {kept.split}" if kept.split != other.split else ""
    taken.problems.append(Problem(other.name, f"has the same bytes as {kept.name}{where}, {how}"))
    taken.entries[sha256] = kept
