"""Other people's labels become a pipeline's: read, fitted, checked line by line, and written as manifests.

Takes a ``Request``, gives the ``Import`` on record. The source is gone through twice, as a stream: first its
labels, to see that their classes fit; then its pictures. An import is named after what it brings, so that one
that was interrupted, or is asked for again, does the rest and nothing twice: pictures are written first,
under keys made of their bytes, manifests after them, and the record last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.identity import content_hash
from include.loop.core.records.imports import Import, ImportProblem, ImportStarted
from include.loop.exchange.classes import match_classes
from include.loop.exchange.files import Files
from include.loop.exchange.formats import ReadOptions
from include.loop.exchange.import_notes import Dated, Notes, take_note
from include.loop.exchange.import_text import page
from include.loop.exchange.items import MARKS, Problem
from include.loop.exchange.resemblance import across_splits, share_out
from include.loop.exchange.sources import beside, open_source
from include.loop.exchange.survey import Progress, choose_format, kind_of, survey
from include.loop.exchange.taking import Entry, Source, Taken, take
from include.loop.exchange.targets import (
    ALL,
    Target,
    check_manifests,
    check_target,
    find_target,
    write_manifests,
)
from include.loop.workspace import Workspace

TOLD = 20  # problems of each kind, and near-duplicates, that the record itself has


@dataclass(frozen=True)
class Request:
    """What a person asks for. ``target`` is ``initial``, ``labels`` or ``test:<name>``; ``images`` where the
    pictures lie when that is not the source; ``renamed`` maps classes of the source to ours. ``drop_others``
    leaves out labels of other classes, ``replace`` writes over manifests that are there.
    """

    source: str
    target: str
    format: str | None = None
    images: str | None = None
    label: str | None = None
    classes: Sequence[str] = ()
    sets: Sequence[str] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    drop_others: bool = False
    replace: bool = False


@dataclass(frozen=True)
class Imported:
    """The import on record; ``changed`` is False when all of it was there already. ``notes`` are of now."""

    record: Import
    changed: bool
    notes: Notes


def import_data(
    workspace: Workspace, request: Request, keep: bool = True, progress: Progress | None = None
) -> Imported:
    """Import, or without ``keep`` only say what would come of it: then nothing is written. ConfigurationError
    says what a person has to decide first.
    """
    target = find_target(workspace.pipeline, request.target)
    check_target(target)
    with ExitStack() as stack:
        files = stack.enter_context(open_source(request.source, workspace.storage))
        name, read = choose_format(files, request.format)
        if request.images:
            images: Files | None = stack.enter_context(open_source(request.images, workspace.storage))
        else:
            images = beside(files) if read.writes_images else None
        options = ReadOptions(images, request.label, tuple(request.classes), tuple(request.sets))
        kind = kind_of(workspace.pipeline)
        found = survey(files, read, options, kind, progress)
        classes = match_classes(
            found.classes, workspace.pipeline.classes, request.renamed, drop_others=request.drop_others
        )
        source = Source(files, read, options, kind, name, found.images)
        splits = {
            split: target.split_of(split, {*found.splits}, bool(options.sets)) for split in found.splits
        }
        _check_splits(request, target, found.splits, splits)
        taken = take(workspace, source, classes, splits, keep, progress)
    other = {str(split): count for split, count in found.splits.items() if splits[split] is None}
    parts = _parts(workspace, target, taken)
    record = _record(workspace, request, name, target, parts, taken, classes, other)
    return _write(workspace, target, record, parts, taken.problems, request.replace, keep)


def _check_splits(
    request: Request, target: Target, counts: Counter[str | None], splits: Mapping[str | None, str | None]
) -> None:
    if all(part is None for part in splits.values()):
        there = ", ".join(f"{split} ({count})" for split, count in counts.items())
        raise ConfigurationError(
            f"{request.source} has images of {there} only, none of which belongs into {target.word}: say "
            "with --sets which parts of it to read, or import it as something else"
        )


def _parts(workspace: Workspace, target: Target, taken: Taken) -> dict[str, list[Entry]]:
    """The entries of each split of the target. What the source does not split is shared out by the house's
    rules; also a source that holds nothing out.
    """
    entries = sorted(taken.entries.values(), key=lambda entry: entry.stored.uri)
    names = list(target.places) or [ALL]
    if target.word == "initial":
        held_out = any(entry.measures for entry in entries)
        settled = share_out(
            [
                (entry.stored.prints, entry.line.classes, entry.split if entry.split and held_out else "")
                for entry in entries
            ],
            workspace.pipeline.training.validation_share,
        )
    else:
        settled = [entry.split for entry in entries]
    parts: dict[str, list[Entry]] = {split: [] for split in names}
    for entry, split in zip(entries, settled, strict=True):
        parts[split].append(entry)
    if empty := [split for split, some in parts.items() if not some]:
        raise ConfigurationError(
            f"the first model needs images to train and to validate with, and there is none for "
            f"{' and '.join(empty)}: {len(entries)} of the source can be used"
        )
    return parts


def _record(
    workspace: Workspace,
    request: Request,
    format_name: str,
    target: Target,
    parts: Mapping[str, Sequence[Entry]],
    taken: Taken,
    classes: Mapping[str, str | None],
    other_splits: Mapping[str, int],
) -> Import:
    pipeline, storage = workspace.pipeline, workspace.storage
    entries = [entry for some in parts.values() for entry in some]
    # A copy's key says which bytes it has; what lies elsewhere under the same name may be replaced.
    lines = [
        [split, entry.value, *([] if entry.stored.copied else [entry.stored.etag])]
        for split, some in parts.items()
        for entry in some
    ]
    name = f"import-{content_hash(target.word, lines)}"
    counts = Counter(pipeline.classes[index] for entry in entries for index in entry.line.classes)
    near = across_splits(
        workspace, [(entry.name, split, entry.stored) for split, some in parts.items() for entry in some]
    )
    problems = [
        ImportProblem(where=item.where, reason=item.reason, kind=item.kind) for item in taken.problems
    ]
    kinds = Counter(item.kind for item in problems)
    return Import(
        name=name,
        source=request.source,
        format=format_name,
        target=target.word,
        # To the microsecond: of two imports of the same images within a second, the later one's labels count.
        at=datetime.now(UTC).isoformat(timespec="microseconds"),
        images=len(entries),
        negatives=sum(workspace.task.is_negative(entry.value) for entry in entries),
        labels={label: counts[label] for label in pipeline.classes},
        classes={theirs: mine for theirs, mine in classes.items() if mine is not None},
        splits={split: len(some) for split, some in parts.items()},
        manifests={split: storage.uri(target.manifest(split, name)) for split in parts},
        copied=sum(entry.stored.copied for entry in entries),
        referenced=sum(not entry.stored.copied for entry in entries),
        other_splits=dict(other_splits),
        left_out=dict(sorted(taken.left_out.items())),
        marks=_marks(entries, pipeline.label_attribute),
        problems=dict(sorted(kinds.items())),
        first_problems=tuple(
            item for kind in sorted(kinds) for item in [one for one in problems if one.kind == kind][:TOLD]
        ),
        near_duplicates=len(near),
        first_near_duplicates=tuple(near[:TOLD]),
    )


def _marks(entries: Sequence[Entry], attribute: str) -> dict[str, int]:
    """How many boxes have a mark that is true or false: what a source sets apart is learned all the same."""
    said = (box for entry in entries for box in entry.value[f"{attribute}-metadata"].get("objects", ()))
    found = Counter(mark for box in said for mark in MARKS if box.get(mark) in (True, "true", "True"))
    return dict(sorted(found.items()))


def _write(
    workspace: Workspace,
    target: Target,
    record: Import,
    parts: Mapping[str, Sequence[Entry]],
    problems: Sequence[Problem],
    replace: bool,
    keep: bool,
) -> Imported:
    storage, attribute = workspace.storage, workspace.pipeline.label_attribute
    found = ImportStarted.find(storage, record.name)
    if keep and not found:
        found = ImportStarted(at=record.at).write_once(storage, record.name)
    record = record.model_copy(update={"at": found.at}) if found else record
    lines = {
        split: [_line(entry, attribute, record, target.is_shard) for entry in some]
        for split, some in parts.items()
    }
    notes = _notes(workspace, record, parts, lines)
    new = not storage.exists(Import.location(record.name))
    if not keep:
        return Imported(record, check_manifests(workspace, target, record.name, lines, replace) or new, notes)
    told = [ImportProblem(where=item.where, reason=item.reason, kind=item.kind) for item in problems]
    ImportProblem.write_all(storage, told, record.name)
    refused = [(item.where, item.reason) for item in problems if item.kind == "refused"]
    changed = write_manifests(workspace, target, record.name, lines, refused, replace)
    body = page(workspace, record, notes)
    storage.write(layout.report_page(record.name), body, "text/html; charset=utf-8")
    return Imported(record.write_once(storage, record.name), changed or new, notes)


def _notes(
    workspace: Workspace,
    record: Import,
    parts: Mapping[str, Sequence[Entry]],
    lines: Mapping[str, Sequence[dict[str, Any]]],
) -> Notes:
    metadata = f"{workspace.pipeline.label_attribute}-metadata"
    images = [
        Dated(entry.stored, str(line[metadata]["creation-date"]))
        for split in parts
        for entry, line in zip(parts[split], lines[split], strict=True)
    ]
    return take_note(workspace, record, images)


def _line(entry: Entry, attribute: str, record: Import, is_shard: bool) -> dict[str, Any]:
    """The line as it is stored: with the date of the import where nobody has dated the label."""
    metadata = entry.value[f"{attribute}-metadata"]
    date = f"{datetime.fromisoformat(record.at):%Y-%m-%dT%H:%M:%S.%f}"  # as Ground Truth, without a zone
    return entry.value | {
        f"{attribute}-metadata": {"creation-date": date} | metadata,
        "etag": entry.stored.etag,
        "import": record.name,
        **({"batch": record.name} if is_shard else {}),
    }
