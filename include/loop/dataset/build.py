"""What the next model learns from, and what it is measured with: one immutable version of the data.

Takes the label pool and the replay, gives ``datasets/<id>/``: the manifests of all splits and slices, the
labels that newer ones took the place of, the lines that were left out, and dataset.json, which is written
last and says that the rest is complete. The id is a hash of the manifests and of the parent: the same labels
make the same dataset.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from include.loop.config import DATASET_SLICES
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NothingToLearn
from include.loop.core.identity import content_hash
from include.loop.core.records.dataset import (
    Dataset,
    LabelName,
    RejectedLine,
    ReplacedLabels,
    TriedBatches,
)
from include.loop.core.records.nightly import Batch
from include.loop.core.records.splits import Entry, Split
from include.loop.core.records.trials import Kind
from include.loop.core.records.version_1 import SLICES
from include.loop.dataset.candidates import told
from include.loop.dataset.label_pool import LabelPool, gather, gather_initial
from include.loop.dataset.replay import Replay, choose_replay
from include.loop.dataset.split_register import age
from include.loop.dataset.unpacking import check_class_lists, unpack
from include.loop.trials.next_trial import choices
from include.loop.trials.past import read_past
from include.loop.trials.shards import committed_shards, read_discarded, read_lineage
from include.loop.trials.standing import State
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

MANIFESTS = ("train", "validation", *DATASET_SLICES)


@dataclass(frozen=True)
class BuiltDataset:
    """A written dataset: its record's counts and choices, and where that is. ``shards`` is how many."""

    dataset_id: str
    dataset_uri: str
    parent: str | None
    shards: int
    new: int
    replayed: int
    held_out: int
    left_out: int
    train: int
    validation: int
    retention: int
    recent: int
    audit: int
    superseded: int
    near_duplicates: int
    rejected: int
    rejected_boxes: int
    backfilled: list[str]
    trial: dict[str, Any] | None
    suspended: list[str]
    set_aside: list[str]
    note: str


@dataclass(frozen=True)
class Untried:
    """How many labels of which batches the next round would learn, and why those; nothing when there is
    nothing to try.
    """

    labels: int = 0
    batches: tuple[str, ...] = ()
    kind: Kind | None = None


@dataclass(frozen=True)
class Draft:
    """A dataset before it is written: the labels of each manifest, and of ``train`` those shown again."""

    manifests: dict[str, list[Entry]]
    replay: Replay
    left_out: int


def build_initial(workspace: Workspace) -> BuiltDataset:
    """The dataset of the first model, from the manifests or RecordIO files that the pipeline names."""
    settings = workspace.pipeline.initial
    if settings is None:
        raise NothingToLearn(
            f"{workspace.pipeline.path}: initial: names no manifests; "
            "this pipeline's first model comes from its first batches"
        )
    refused: list[RejectedLine] = []
    check_class_lists(workspace, settings.train, settings.validation)
    try:
        train, validation = (
            unpack(workspace, place, refused) for place in (settings.train, settings.validation)
        )
        pool = gather_initial(workspace, train, validation)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{workspace.pipeline.path}: initial: {error}") from None
    pool.rejected.extend(refused)
    draft = _draft(pool)
    learned, held_out = len(draft.manifests["train"]), len(draft.manifests["validation"])
    if not learned or not held_out:
        raise NothingToLearn(
            f"the first model needs labels in both splits, but there are {learned} to train and "
            f"{held_out} to validate" + (f". {told(pool.rejected)}" if pool.rejected else "")
        )
    return _write(pool, draft)


def build(workspace: Workspace, min_new_labels: int | None = None) -> BuiltDataset:
    """The dataset of the next model. NothingToLearn when too few labels are new to the champion, and none of
    the batches that are left out is to be tried.
    """
    pool = gather(workspace, min_new_labels=min_new_labels)
    needed = pool.needed(min_new_labels)
    if len(pool.new) < needed:
        raise NothingToLearn(
            f"{len(pool.new)} labels from {len(pool.shards)} batches are new to {pool.learner}; "
            f"it takes {needed}. {pool.note}".rstrip(". ")
        )
    draft = _draft(pool)
    if len(draft.manifests["train"]) == len(draft.replay.entries):
        raise NothingToLearn(f"all {len(pool.new)} new labels are held out; wait for more")
    if not draft.manifests["validation"]:
        raise NothingToLearn(
            f"training needs at least one held-out image, but all {len(pool.new)} labels are to learn "
            "from; wait for more"
        )
    return _write(pool, draft)


def find_untried(workspace: Workspace, dataset_id: str | None = None) -> Untried:
    """The batches that the next round would learn from as new: not once more those of the dataset (if given)
    that was just tried.
    """
    lineage = read_lineage(workspace)
    tried: set[str] = set()
    if dataset_id:
        tried = {*Dataset.read(workspace.storage, dataset_id).learned} - {*lineage.learned}
    known = {*lineage.learned, *read_discarded(workspace)}
    summaries = committed_shards(workspace.storage, known=known)
    labels = {batch: summary.labels for batch, summary in summaries if summary.labels}
    past = read_past(workspace, lineage.current, labels)
    settings = workspace.pipeline.training
    for choice in choices(past, datetime.now(UTC), settings.trials):
        count = sum(labels[batch] for batch in choice.batches)
        enough = choice.kind.counted or count >= settings.min_new_labels
        if enough and {*choice.batches} != tried & labels.keys():
            return Untried(count, choice.batches, choice.kind)
    return Untried()


def _draft(pool: LabelPool) -> Draft:
    new = pool.register.learnable(pool.new)
    replay = choose_replay(pool)
    audits = sorted(pool.of(Split.AUDIT), key=age, reverse=True)
    validation = pool.of(Split.VALIDATION)
    fresh = {entry.label for entry in pool.new}
    return Draft(
        {
            "train": [*new, *replay.entries],
            "validation": validation,
            "retention": pool.of(Split.RETENTION),
            "recent": [entry for entry in validation if pool.shards and entry.label in fresh],
            "audit": audits[: pool.workspace.pipeline.evaluation.audit_images],
        },
        replay,
        left_out=len(pool.new) - len(new) - sum(pool.register.split(entry).held_out for entry in pool.new),
    )


def _write(pool: LabelPool, draft: Draft) -> BuiltDataset:
    storage, lineage = pool.workspace.storage, pool.lineage
    found = pool.lines(entry for entries in draft.manifests.values() for entry in entries)
    lines = {
        name: sorted(
            (found[entry.label] for entry in entries if entry.label in found), key=lambda line: line.source
        )
        for name, entries in draft.manifests.items()
    }
    classes = pool.workspace.pipeline.classes
    values = {name: [line.value for line in some] for name, some in lines.items()}
    learned = {**lineage.learned, **pool.shards}
    dataset_id = make_id(values, learned, classes, lineage.current)
    history = _history(pool)
    dataset = Dataset(
        dataset_id=dataset_id,
        parent=lineage.current,
        parent_dataset=lineage.champion.dataset_id if lineage.champion else None,
        root=lineage.root if pool.shards else dataset_id,
        initial=lineage.initial,
        shards=dict(pool.shards),
        learned=learned,
        trial=TriedBatches(kind=pool.choice.kind, batches=pool.choice.batches) if pool.choice else None,
        suspended=pool.standing(State.SUSPENDED),
        set_aside=pool.standing(State.SET_ASIDE),
        note=pool.note,
        classes=classes,
        class_map={str(index): name for index, name in enumerate(classes)},
        label_attribute=pool.workspace.pipeline.label_attribute,
        new=len(pool.new),
        replayed=len(draft.replay.entries),
        held_out=sum(pool.register.split(entry).held_out for entry in pool.new),
        left_out=draft.left_out,
        **{name: len(some) for name, some in lines.items()},
        superseded=sum(len(item.superseded) for item in history),
        near_duplicates=sum(entry.resembles for entry in pool.new),
        max_boxes=max(line.objects for line in (*lines["train"], *lines["validation"])),
        rejected=sum(item.box is None for item in pool.rejected),
        rejected_boxes=sum(item.box is not None for item in pool.rejected),
        replay=draft.replay.record,
        backfilled=_backfilled(pool),
    )
    if 2 * dataset.near_duplicates > dataset.new:
        # A camera that sees the same picture all night: the splits of a few images decide about all of them.
        log.warning(
            "%d of %d new labels are of near-duplicates: they follow the images they resemble (%s)",
            dataset.near_duplicates,
            dataset.new,
            storage.uri(layout.SPLITS),
        )
    if not storage.exists(Dataset.location(dataset_id)):
        for name in MANIFESTS:
            storage.write_lines(dataset.manifest(name), values[name])
        ReplacedLabels.write_all(storage, history, dataset_id)
        RejectedLine.write_all(storage, pool.rejected, dataset_id)
        dataset.write_once(storage, dataset_id)  # last: it says that the others are complete
    return _built(dataset, storage.uri(Dataset.location(dataset_id)))


def make_id(
    values: Mapping[str, Sequence[Any]],
    learned: Mapping[str, str],
    classes: Sequence[str],
    parent: str | None,
) -> str:
    """The name of a dataset, by the lines of its manifests and what it comes from. It hashes the names that
    slices had in version 1: the same labels make the same dataset after an upgrade, too.
    """
    then = {now: name for name, now in SLICES.items()}
    return content_hash(
        {then.get(name, name): some for name, some in values.items()}, learned, list(classes), parent
    )


def _built(dataset: Dataset, uri: str) -> BuiltDataset:
    values = dataset.model_dump(mode="json", include={field.name for field in fields(BuiltDataset)})
    return BuiltDataset(**values | {"shards": len(dataset.shards), "dataset_uri": uri})


def _history(pool: LabelPool) -> list[ReplacedLabels]:
    """For every image that the new shards speak of: the labels that are no longer used, oldest first."""
    touched = {entry.sha256 for shard in pool.shards for entry in pool.register.entries(shard)}
    current = {entry.sha256: entry for entry in (*pool.new, *pool.known)}
    older: dict[str, list[Entry]] = {}
    for entry in sorted(pool.register.labels_of(pool.places, touched), key=age):
        kept = current.get(entry.sha256)
        if kept and kept.label != entry.label:
            older.setdefault(entry.sha256, []).append(entry)
    return sorted(
        (
            ReplacedLabels(
                image=current[sha256].source,
                kept=_label(current[sha256]),
                superseded=tuple(_label(entry) for entry in entries),
            )
            for sha256, entries in older.items()
        ),
        key=lambda item: item.image,
    )


def _label(entry: Entry) -> LabelName:
    return LabelName(loop=entry.loop, created=entry.created)


def _backfilled(pool: LabelPool) -> list[str]:
    """The new batches that a backfill ran: nothing is deployed from them without a person's word."""
    found = ((shard, Batch.find(pool.workspace.storage, shard)) for shard in sorted(pool.shards))
    return [shard for shard, batch in found if batch and batch.backfill]
