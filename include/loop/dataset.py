"""What the next model learns from: the labels that are new to the champion, and a replay of what it knows.

Takes the committed label shards and the champion's own dataset, gives ``datasets/<id>/``: train.manifest,
validation.manifest and dataset.json, which records the shards it holds and all that the model will have
learned from. The id is a hash of the lines: the same labels make the same dataset. An image is on one side,
training or validation, for ever; it has one label, the newest. Knows manifest, champion and storage.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from include.loop import storage
from include.loop.champion import Champion, read_champion
from include.loop.errors import BadRecord, ConfigurationError, NothingToLearn
from include.loop.identity import content_hash, share
from include.loop.manifest import LabelledImage, read_line
from include.loop.storage import dump
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Lineage:
    """What the champion has learned from: ``learned`` maps each shard to the hash of its manifest.

    ``root`` is the dataset of the first model, when that had labels of its own.
    """

    champion: Champion | None
    learned: dict[str, str]
    root: str | None


@dataclass(frozen=True)
class Draft:
    """A dataset before it is written; ``shards`` are new, ``new`` counts their labels on both sides."""

    lineage: Lineage
    shards: dict[str, str]
    new: int
    train: dict[str, LabelledImage]
    replay: list[LabelledImage]
    validation: dict[str, LabelledImage]
    rejected: list[dict[str, str]]


def build_initial(workspace: Workspace) -> dict[str, Any]:
    """The dataset of the first model, from the manifests the pipeline names."""
    settings = workspace.pipeline.initial
    if settings is None:
        raise NothingToLearn(
            f"{workspace.pipeline.path}: initial: names no manifests; "
            "this pipeline's first model comes from its first nights"
        )
    rejected: list[dict[str, str]] = []
    try:
        train = _newest(_read(workspace, settings.train, rejected))
        validation = _newest(_read(workspace, settings.validation, rejected))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{workspace.pipeline.path}: initial: {error}") from None
    for identity in train.keys() & validation.keys():
        del train[identity]  # what validates must not be learned
    if not train or not validation:
        raise NothingToLearn(
            f"the first model needs labels on both sides, but there are {len(train)} to train and "
            f"{len(validation)} to validate ({len(rejected)} lines were rejected)"
        )
    draft = Draft(Lineage(None, {}, None), {}, len(train) + len(validation), train, [], validation, rejected)
    return _write(workspace, draft)


def build(workspace: Workspace, min_new_labels: int | None = None) -> dict[str, Any]:
    """The dataset of the next model. NothingToLearn when too few labels are new to the champion."""
    lineage = read_lineage(workspace)
    settings = workspace.pipeline.training
    needed = settings.min_new_labels if min_new_labels is None else min_new_labels
    shards = new_shards(workspace, lineage)
    rejected: list[dict[str, str]] = []
    lines = (line for shard in sorted(shards) for line in _read(workspace, _shard_manifest(shard), rejected))
    new = _newest(lines)
    if len(new) < max(1, needed):
        learner = lineage.champion.training_job if lineage.champion else "the first model"
        raise NothingToLearn(
            f"{len(new)} labels from {len(shards)} nights are new to {learner}; it takes {max(1, needed)}"
        )
    train, validation = _split(workspace, lineage, new)
    if not train:
        raise NothingToLearn(f"all {len(new)} new labels are kept for validation; wait for more")
    if not validation:
        # Training needs a validation channel: of the first labels ever, the one that comes first by its hash.
        if len(train) == 1:
            raise NothingToLearn("one label is not enough to train and to validate")
        first = min(train, key=lambda identity: share("side", identity))
        validation = {first: train.pop(first)}
    replay = _replay(workspace, lineage, new, validation, round(len(train) * settings.replay.per_new))
    return _write(workspace, Draft(lineage, shards, len(new), train, replay, validation, rejected))


def pending(workspace: Workspace, dataset_id: str | None = None) -> dict[str, Any]:
    """Shards that neither the champion nor (if given) the dataset that was just tried has learned from."""
    known = read_lineage(workspace)
    tried = read_dataset(workspace, dataset_id)["learned"] if dataset_id else {}
    summaries = storage.committed_shards(workspace.storage, known={*known.learned, *tried})
    labels = {batch: summary["labels"] for batch, summary in summaries if summary["labels"]}
    return {"shards": len(labels), "labels": sum(labels.values()), "batches": list(labels)}


def read_dataset(workspace: Workspace, dataset_id: str) -> dict[str, Any]:
    """dataset.json of a built dataset."""
    return dict(workspace.storage.read_json(storage.dataset_file(dataset_id, "dataset.json")))


def read_lineage(workspace: Workspace) -> Lineage:
    """What the reigning champion has learned from, its ancestors' shards included."""
    champion = read_champion(workspace)
    if champion is None:
        return Lineage(None, {}, None)
    record = read_dataset(workspace, champion.dataset_id)
    return Lineage(champion, record["learned"], record["root"])


def new_shards(workspace: Workspace, lineage: Lineage) -> dict[str, str]:
    """Committed shards the lineage has not learned from, with the SHA-256 of their manifests."""
    found = {}
    for shard, _ in storage.committed_shards(workspace.storage, known=lineage.learned):
        body = workspace.storage.read(_shard_manifest(shard))
        found[shard] = hashlib.sha256(body).hexdigest()
    return found


def _shard_manifest(shard: str) -> str:
    return storage.label_file(shard, "augmented.manifest")


def _read(workspace: Workspace, location: str, rejected: list[dict[str, str]]) -> Iterator[LabelledImage]:
    """The usable lines of a manifest; the others are noted with their reason."""
    pipeline = workspace.pipeline
    for number, line in enumerate(workspace.storage.read_raw_lines(location), start=1):
        try:
            yield read_line(line, pipeline.label_attribute, pipeline.classes)
        except BadRecord as error:
            rejected.append(
                {"manifest": workspace.storage.uri(location), "line": str(number), "reason": str(error)}
            )


def _newest(lines: Iterable[LabelledImage]) -> dict[str, LabelledImage]:
    """One label per image, the newest; also when one place held two images after one another."""
    by_identity: dict[str, LabelledImage] = {}
    for line in lines:
        other = by_identity.get(line.identity)
        if other is None or _age(line) > _age(other):
            by_identity[line.identity] = line
    by_source: dict[str, LabelledImage] = {}
    for line in by_identity.values():
        other = by_source.get(line.source)
        if other is None or _age(line) > _age(other):
            by_source[line.source] = line
    return {line.identity: line for line in by_source.values()}


def _age(line: LabelledImage) -> tuple[str, bytes]:
    return line.created, dump(line.value)


def _split(
    workspace: Workspace, lineage: Lineage, new: dict[str, LabelledImage]
) -> tuple[dict[str, LabelledImage], dict[str, LabelledImage]]:
    """Training and validation: what the lineage validates with stays there, new images go by hash."""
    old = {}
    if lineage.champion:
        old = _newest(_read(workspace, _dataset_manifest(lineage.champion.dataset_id, "validation"), []))
    train: dict[str, LabelledImage] = {}
    validation: dict[str, LabelledImage] = {}
    for identity, line in new.items():
        held_out = identity in old or share("side", identity) < workspace.pipeline.training.validation_share
        (validation if held_out else train)[identity] = line
    # A place that holds another picture now has lost the one its old line speaks of.
    replaced = {line.source for line in new.values()}
    kept = {identity: line for identity, line in old.items() if line.source not in replaced}
    return train, kept | validation


def _replay(
    workspace: Workspace,
    lineage: Lineage,
    new: dict[str, LabelledImage],
    validation: dict[str, LabelledImage],
    count: int,
) -> list[LabelledImage]:
    """A sample of everything the champion has learned from, in constant memory.

    The order is a hash salted with the new labels, so that every training replays another sample. Drawn from
    the whole lineage and not from the last dataset alone: else each night's replay would be a sample of a
    sample, and the first model's labels would fade away.
    """
    if lineage.champion is None or count == 0:
        return []
    salt = content_hash(sorted(new))
    sources = {line.source for line in new.values()}
    seen: set[str] = set()

    def candidates() -> Iterator[tuple[float, str, LabelledImage]]:
        for line in _learned_lines(workspace, lineage):
            known = line.identity in new or line.identity in validation or line.source in sources
            if not known and line.source not in seen:
                seen.add(line.source)
                yield share(salt, line.source), line.source, line

    return [line for _, _, line in heapq.nsmallest(count, candidates(), key=lambda item: item[:2])]


def _learned_lines(workspace: Workspace, lineage: Lineage) -> Iterator[LabelledImage]:
    """Newest shard first, so that an image's newest label is the one that is seen first."""
    for shard in sorted(lineage.learned, reverse=True):
        yield from _read(workspace, _shard_manifest(shard), [])
    if lineage.root:
        yield from _read(workspace, _dataset_manifest(lineage.root, "train"), [])


def _write(workspace: Workspace, draft: Draft) -> dict[str, Any]:
    lineage = draft.lineage
    train = _ordered([*draft.train.values(), *draft.replay])
    validation = _ordered(draft.validation.values())
    parent = lineage.champion.training_job if lineage.champion else None
    dataset_id = content_hash([line.value for line in train], [line.value for line in validation], parent)
    record = {
        "dataset_id": dataset_id,
        "parent": parent,
        "parent_dataset": lineage.champion.dataset_id if lineage.champion else None,
        "root": lineage.root if draft.shards else dataset_id,
        "shards": draft.shards,
        "learned": lineage.learned | draft.shards,
        "classes": list(workspace.pipeline.classes),
        "label_attribute": workspace.pipeline.label_attribute,
        "new": draft.new,
        "replayed": len(draft.replay),
        "train": len(train),
        "validation": len(validation),
        "max_boxes": max(len(line.boxes) for line in (*train, *validation)),
        "rejected": len(draft.rejected),
    }
    target = workspace.storage
    location = storage.dataset_file(dataset_id, "dataset.json")
    if not target.exists(location):
        target.write_lines(_dataset_manifest(dataset_id, "train"), (line.value for line in train))
        target.write_lines(_dataset_manifest(dataset_id, "validation"), (line.value for line in validation))
        target.write_lines(storage.dataset_file(dataset_id, "rejected.jsonl"), draft.rejected)
        target.write_json_once(location, record)  # last: it says that the manifests are complete
    counts = {name: record[name] for name in ("parent", "new", "replayed", "train", "validation", "rejected")}
    return {
        "dataset_id": dataset_id,
        **counts,
        "shards": len(draft.shards),
        "dataset_uri": target.uri(location),
    }


def _ordered(lines: Iterable[LabelledImage]) -> list[LabelledImage]:
    return sorted(lines, key=lambda line: (line.source, dump(line.value)))


def _dataset_manifest(dataset_id: str, side: str) -> str:
    return storage.dataset_file(dataset_id, f"{side}.manifest")
