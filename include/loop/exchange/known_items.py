"""What a pipeline knows, as items to write: a dataset, a batch, or the newest label of every image.

Takes the choice, gives items with their pictures' readers, their splits, and all that their lines say; and
what cannot be handed out, with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.identity import content_hash
from include.loop.core.records.dataset import Dataset, RejectedLine
from include.loop.core.records.imports import Import
from include.loop.core.records.splits import Entry, Split
from include.loop.core.storage import MOST_BYTES, Storage, in_parallel
from include.loop.dataset.candidates import read_candidates
from include.loop.dataset.ledger import read_ledger
from include.loop.dataset.split_register import Candidate
from include.loop.dataset.unpacking import find_unpacked
from include.loop.exchange.files import check_name
from include.loop.exchange.fitting import fit
from include.loop.exchange.items import Item, Problem
from include.loop.exchange.manifest_items import read_labels
from include.loop.exchange.survey import kind_of
from include.loop.tasks.manifest_lines import moment
from include.loop.trials.shards import committed_shards, read_discarded, shard_manifest
from include.loop.workspace import Workspace

# What others call the pipeline's splits: all that measures and is not a test set validates.
_SPLITS = {
    Split.TRAIN: "train",
    Split.VALIDATION: "validation",
    Split.RETENTION: "validation",
    Split.AUDIT: "validation",
    Split.TEST: "test",
}
_MANIFESTS = {
    "train": Split.TRAIN,
    "validation": Split.VALIDATION,
    "retention": Split.RETENTION,
    "audit": Split.AUDIT,
}


@dataclass(frozen=True)
class Choice:
    """Which labels: those of a ``dataset`` (its id), of a ``batch``, or with neither everything known."""

    dataset: str | None = None
    batch: str | None = None


def known_items(workspace: Workspace, choice: Choice) -> Iterator[Item | Problem]:
    """In the order of the images' URIs. ConfigurationError when there is no such dataset or batch."""
    rejected: list[RejectedLine] = []
    if choice.dataset is not None:
        chosen = _of_dataset(workspace, choice.dataset, rejected)
    elif choice.batch is not None:
        chosen = _of_batch(workspace, choice.batch, rejected)
    else:
        chosen = _everything(workspace, rejected)
    yield from (
        Problem(
            f"{item.manifest}:{item.line}" if item.line else item.manifest,
            item.reason,
            "refused" if item.box is None else "dropped",
        )
        for item in rejected
    )
    names = _Names(workspace.storage)
    for source in sorted(chosen):
        candidate = chosen[source]
        split = _SPLITS.get(candidate.wish) if candidate.wish else None
        if candidate.wish and split is None:
            yield Problem(
                source, f"is of no split ({candidate.wish}): nothing is learned or measured with it"
            )
            continue
        try:
            yield from _item(workspace, candidate.line.value, names, split)
        except BadRecord as error:
            yield Problem(source, str(error))


def _of_dataset(workspace: Workspace, dataset_id: str, rejected: list[RejectedLine]) -> dict[str, Candidate]:
    record = Dataset.find(workspace.storage, dataset_id)
    if record is None:
        there = ", ".join(workspace.storage.list_folders("datasets/")) or "none yet"
        raise ConfigurationError(f"there is no dataset {dataset_id!r}; there are {there}")
    found: dict[str, Candidate] = {}
    for name, split in _MANIFESTS.items():
        for item in read_candidates(workspace, record.manifest(name), rejected, split):
            found.setdefault(item.line.source, replace(item, wish=split))
    return found


def _of_batch(workspace: Workspace, batch: str, rejected: list[RejectedLine]) -> dict[str, Candidate]:
    if not workspace.storage.exists(layout.summary_file(batch)):
        imported = Import.find(workspace.storage, batch)
        if imported is not None:
            raise ConfigurationError(
                f"{batch} is no batch: it went into {imported.target}. Take --all, or --dataset of what was "
                "built of it"
            )
        there = ", ".join(name for name, _ in committed_shards(workspace.storage)) or "none yet"
        raise ConfigurationError(f"there are no committed labels of {batch!r}; there are those of {there}")
    return _newest(workspace, [(shard_manifest(batch), None)], rejected)


def _everything(workspace: Workspace, rejected: list[RejectedLine]) -> dict[str, Candidate]:
    pipeline, storage = workspace.pipeline, workspace.storage
    discarded = read_discarded(workspace)
    places: list[tuple[str, Split | None]] = [
        (shard_manifest(shard), None) for shard, _ in committed_shards(storage, known=discarded)
    ]
    if pipeline.initial:
        places += [(pipeline.initial.train, Split.TRAIN), (pipeline.initial.validation, Split.VALIDATION)]
    places += [(location, Split.TEST) for _, location in sorted(pipeline.test_sets.items())]
    there = [
        (manifest, split)
        for place, split in places
        if (manifest := find_unpacked(workspace, place, rejected)) is not None
    ]
    if not there:
        why = f": {rejected[0].manifest} {rejected[0].reason}" if rejected else ": nothing to export"
        raise ConfigurationError(f"{pipeline.name} has no labels yet{why}")
    return _newest(workspace, there, rejected)


def _newest(
    workspace: Workspace, places: list[tuple[str, Split | None]], rejected: list[RejectedLine]
) -> dict[str, Candidate]:
    """The newest label of every image, of the split that the register gave it, by the image's URI. An image
    is its bytes, as in a dataset: wherever copies of it lie, it has one label.
    """
    labels, images = _settled(workspace.storage)
    found = [item for place, split in places for item in read_candidates(workspace, place, rejected, split)]
    by_image: dict[str, Candidate] = {}
    by_source: dict[str, str] = {}
    named = zip(found, in_parallel(partial(_image_of, workspace.storage, labels), found), strict=True)
    for item, image in sorted(named, key=lambda pair: _age(pair[0])):
        split = item.wish
        if split is not Split.TEST:
            split = labels[item.label].split if item.label in labels else images.get(image, split)
        by_image[image] = replace(item, wish=split)
        by_source[item.line.source] = image
    # A place that holds another picture by now has lost the one that its older labels speak of.
    return {
        item.line.source: item for image, item in by_image.items() if by_source[item.line.source] == image
    }


def _image_of(storage: Storage, labels: dict[str, Entry], item: Candidate) -> str:
    """The SHA-256 of a labelled image; where it is gone, its URI: that is told when it is handed out."""
    source, entry = item.line.source, labels.get(item.label)
    if entry is not None and entry.sha256:
        return entry.sha256
    if source.startswith(storage.uri(layout.IMPORTED)):
        return PurePosixPath(source).stem  # named after its bytes
    try:
        return hashlib.sha256(_read(storage, source, item.line.value.get("etag"))).hexdigest()
    except BadRecord:
        return source


def _settled(storage: Storage) -> tuple[dict[str, Entry], dict[str, Split]]:
    """What the split register has: each label's entry, and each image's split by its SHA-256."""
    entries = [entry for some in read_ledger(storage).values() for entry in some]
    return {entry.label: entry for entry in entries}, {entry.sha256: entry.split for entry in entries}


def _age(item: Candidate) -> tuple[Any, ...]:
    # A test set's label says what is right whatever came after it.
    return item.wish is Split.TEST, moment(item.line.created), item.label


def _item(
    workspace: Workspace, value: dict[str, Any], names: _Names, split: str | None
) -> Iterator[Item | Problem]:
    pipeline = workspace.pipeline
    labels, problems = read_labels(value, pipeline.label_attribute, pipeline.classes)
    source, etag = value["source-ref"], value.get("etag")
    name = names.of(source, value.get("file"))
    item = Item(name, partial(_read, workspace.storage, source, etag), source, split=split, **labels)
    ours = {label: label for label in pipeline.classes}
    if item.size is not None:
        fitted = fit(item, kind_of(pipeline), ours, item.size)
        problems += fitted.problems
        item = replace(fitted.item, details=item.details)
    yield from (replace(problem, where=name) for problem in problems)
    yield item


def _read(storage: Storage, source: str, etag: str | None) -> bytes:
    found = storage.find(source, most=MOST_BYTES)
    if found is None:
        raise BadRecord(f"the image is gone: {source}")
    if etag and found[1] != etag:
        raise BadRecord(f"the image was replaced after it was labelled: {source}")
    return found[0]


class _Names:
    """What images are called outside: as they were when they came in, or as their keys below the pipeline's
    folder; each name once.
    """

    def __init__(self, storage: Storage) -> None:
        self._own = f"s3://{storage.bucket}/{storage.folder}/"
        self._taken: set[str] = set()

    def of(self, source: str, file: Any) -> str:
        wanted = [file] if isinstance(file, str) else []
        wanted.append(
            source.removeprefix(self._own) if source.startswith(self._own) else source.split("/", 3)[3]
        )
        suffix = PurePosixPath(source).suffix
        digest = f"{content_hash(source, length=16)}{suffix if suffix.isalnum() or len(suffix) < 6 else ''}"
        for name in (*wanted, digest):
            # Two names that differ in case only are one file on many systems.
            if _is_usable(name) and name.casefold() not in self._taken:
                self._taken.add(name.casefold())
                return name
        raise BadRecord(f"no name is left for {source}")


def _is_usable(name: str) -> bool:
    try:
        return (
            check_name(name).isprintable()
            and "\\" not in name
            and all(len(part.encode()) < 256 for part in name.split("/"))
        )
    except BadRecord:
        return False
