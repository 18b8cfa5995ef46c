"""What the next model learns from, and what it is measured with: one immutable version of the data.

Takes the corpus of labels (corpus.py) and the replay (replay.py), gives ``datasets/<id>/``: the manifests of
all sides, history.jsonl with the labels that newer ones took the place of, rejected.jsonl, and dataset.json,
which is written last and says that the rest is complete. The id is a hash of the manifests and of the parent:
the same labels make the same dataset. Knows corpus, replay and batch.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NothingToLearn
from include.loop.core.identity import content_hash
from include.loop.dataset.candidates import told
from include.loop.dataset.label_pool import Corpus, gather, gather_initial
from include.loop.dataset.replay import Replay, choose_replay
from include.loop.dataset.split_register import Entry
from include.loop.dataset.split_rules import Side
from include.loop.trials.next_trial import choices
from include.loop.trials.past import read_past
from include.loop.trials.shards import committed_shards, read_dataset, read_discarded, read_lineage
from include.loop.trials.standing import State
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

MANIFESTS = ("train", "validation", "memory", "newest", "audit")


@dataclass(frozen=True)
class Draft:
    """A dataset before it is written: the labels of each manifest, and of ``train`` those shown again."""

    manifests: dict[str, list[Entry]]
    replay: Replay
    left_out: int


def build_initial(workspace: Workspace) -> dict[str, Any]:
    """The dataset of the first model, from the manifests the pipeline names."""
    settings = workspace.pipeline.initial
    if settings is None:
        raise NothingToLearn(
            f"{workspace.pipeline.path}: initial: names no manifests; "
            "this pipeline's first model comes from its first nights"
        )
    try:
        corpus = gather_initial(workspace, settings.train, settings.validation)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{workspace.pipeline.path}: initial: {error}") from None
    draft = _draft(corpus)
    train, validation = len(draft.manifests["train"]), len(draft.manifests["validation"])
    if not train or not validation:
        raise NothingToLearn(
            f"the first model needs labels on both sides, but there are {train} to train and "
            f"{validation} to validate" + (f". {told(corpus.rejected)}" if corpus.rejected else "")
        )
    return _write(corpus, draft)


def build(workspace: Workspace, min_new_labels: int | None = None) -> dict[str, Any]:
    """The dataset of the next model. NothingToLearn when too few labels are new to the champion, and none of
    the nights that are left out is to be tried.
    """
    corpus = gather(workspace, min_new_labels=min_new_labels)
    needed = corpus.needed(min_new_labels)
    if len(corpus.new) < needed:
        raise NothingToLearn(
            f"{len(corpus.new)} labels from {len(corpus.shards)} nights are new to {corpus.learner}; "
            f"it takes {needed}. {corpus.note}".rstrip(". ")
        )
    draft = _draft(corpus)
    if len(draft.manifests["train"]) == len(draft.replay.entries):
        raise NothingToLearn(f"all {len(corpus.new)} new labels are held out; wait for more")
    if not draft.manifests["validation"]:
        raise NothingToLearn(
            f"training needs at least one held-out image, but all {len(corpus.new)} labels are to learn "
            "from; wait for more"
        )
    return _write(corpus, draft)


def pending(workspace: Workspace, dataset_id: str | None = None) -> dict[str, Any]:
    """The nights that the next round would learn from as new: not once more those of the dataset (if given)
    that was just tried. ``kind`` is None when there is nothing to try.
    """
    lineage = read_lineage(workspace)
    tried = {*read_dataset(workspace, dataset_id)["learned"]} - {*lineage.learned} if dataset_id else set()
    known = {*lineage.learned, *read_discarded(workspace)}
    summaries = committed_shards(workspace.storage, known=known)
    labels = {batch: summary["labels"] for batch, summary in summaries if summary["labels"]}
    past = read_past(workspace, lineage.reigning, labels)
    settings = workspace.pipeline.training
    for choice in choices(past, datetime.now(UTC), settings.trials):
        count = sum(labels[night] for night in choice.nights)
        enough = choice.kind.counted or count >= settings.min_new_labels
        if enough and {*choice.nights} != tried & labels.keys():
            nights = list(choice.nights)
            return {"shards": len(nights), "labels": count, "batches": nights, "kind": str(choice.kind)}
    return {"shards": 0, "labels": 0, "batches": [], "kind": None}


def _draft(corpus: Corpus) -> Draft:
    new = corpus.ledger.learnable(corpus.new)
    replay = choose_replay(corpus)
    audits = sorted(corpus.on(Side.AUDIT), key=lambda entry: entry.age, reverse=True)
    validation = corpus.on(Side.VALIDATION)
    fresh = {entry.label for entry in corpus.new}
    return Draft(
        {
            "train": [*new, *replay.entries],
            "validation": validation,
            "memory": corpus.on(Side.MEMORY),
            "newest": [entry for entry in validation if corpus.shards and entry.label in fresh],
            "audit": audits[: corpus.workspace.pipeline.evaluation.audit_images],
        },
        replay,
        left_out=len(corpus.new) - len(new) - sum(corpus.ledger.side(entry).held_out for entry in corpus.new),
    )


def _write(corpus: Corpus, draft: Draft) -> dict[str, Any]:
    target, lineage = corpus.workspace.storage, corpus.lineage
    found = corpus.lines(entry for entries in draft.manifests.values() for entry in entries)
    lines = {
        name: sorted(
            (found[entry.label] for entry in entries if entry.label in found), key=lambda line: line.source
        )
        for name, entries in draft.manifests.items()
    }
    parent = lineage.reigning
    classes = list(corpus.workspace.pipeline.classes)
    values = {name: [line.value for line in some] for name, some in lines.items()}
    learned = {**lineage.learned, **corpus.shards}
    dataset_id = content_hash(values, learned, classes, parent)
    history = _history(corpus)
    copies = sum(entry.resembles for entry in corpus.new)
    record = {
        "dataset_id": dataset_id,
        "parent": parent,
        "parent_dataset": lineage.champion.dataset_id if lineage.champion else None,
        "root": lineage.root if corpus.shards else dataset_id,
        "initial": lineage.initial,
        "shards": dict(corpus.shards),
        "learned": learned,
        # Why these nights are tried, and which are not: of the labelled ones that the parent does not know.
        "trial": {"kind": corpus.choice.kind, "nights": list(corpus.choice.nights)}
        if corpus.choice
        else None,
        "suspended": corpus.nights(State.SUSPENDED),
        "set_aside": corpus.nights(State.SET_ASIDE),
        "note": corpus.note,
        "classes": classes,
        "class_map": {str(index): name for index, name in enumerate(classes)},
        "label_attribute": corpus.workspace.pipeline.label_attribute,
        "new": len(corpus.new),
        "replayed": len(draft.replay.entries),
        "held_out": sum(corpus.ledger.side(entry).held_out for entry in corpus.new),
        "left_out": draft.left_out,
        **{name: len(some) for name, some in lines.items()},
        "superseded": sum(len(item["superseded"]) for item in history),
        "near_duplicates": copies,
        # As they are written: SageMaker's own algorithm makes room for boxes before it looks at them.
        "max_boxes": max(line.annotations for line in (*lines["train"], *lines["validation"])),
        "rejected": sum("box" not in item for item in corpus.rejected),
        "rejected_boxes": sum("box" in item for item in corpus.rejected),
        "replay": draft.replay.record,
        "backfilled": _backfilled(corpus),
    }
    if 2 * copies > len(corpus.new):
        # A camera that sees the same picture all night: the sides of a few images decide about all of them.
        log.warning(
            "%d of %d new labels are of near-duplicates: they follow the images they resemble (%s)",
            copies,
            len(corpus.new),
            target.uri(layout.SPLITS),
        )
    location = layout.dataset_file(dataset_id)
    if not target.exists(location):
        for name in MANIFESTS:
            target.write_lines(layout.dataset_manifest(dataset_id, name), values[name])
        target.write_lines(layout.dataset_history(dataset_id), history)
        target.write_lines(layout.dataset_rejected(dataset_id), corpus.rejected)
        target.write_json_once(location, record)  # last: it says that the others are complete
    return _report(record) | {"dataset_uri": target.uri(location)}


def _report(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("dataset_id", "parent", "new", "replayed", "held_out", "left_out", *MANIFESTS)
    counts = ("superseded", "near_duplicates", "rejected", "rejected_boxes", "backfilled")
    more = (*counts, "trial", "suspended", "set_aside", "note")
    return {name: record[name] for name in (*names, *more)} | {"shards": len(record["shards"])}


def _history(corpus: Corpus) -> list[dict[str, Any]]:
    """For every image that the new shards speak of: the labels that are no longer used, oldest first."""
    touched = {entry.sha256 for split in corpus.shards for entry in corpus.ledger.entries(split)}
    current = {entry.sha256: entry for entry in (*corpus.new, *corpus.known)}
    older: dict[str, list[Entry]] = {}
    for entry in sorted(corpus.ledger.labels_of(corpus.places, touched), key=lambda entry: entry.age):
        kept = current.get(entry.sha256)
        if kept and kept.label != entry.label:
            older.setdefault(entry.sha256, []).append(entry)
    return sorted(
        (
            {
                "image": current[sha256].source,
                "kept": _label(current[sha256]),
                "superseded": [_label(entry) for entry in entries],
            }
            for sha256, entries in older.items()
        ),
        key=lambda item: str(item["image"]),
    )


def _label(entry: Entry) -> dict[str, Any]:
    return {"loop": entry.loop, "created": entry.created}


def _backfilled(corpus: Corpus) -> list[str]:
    """The new shards of nights that a backfill ran: nothing is deployed from them without a person's word."""
    read = corpus.workspace.storage.find_json
    nights = {shard: read(layout.batch_file(shard)) or {} for shard in sorted(corpus.shards)}
    return [shard for shard, night in nights.items() if night.get("backfill")]
