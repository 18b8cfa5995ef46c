"""All that people have labelled, as the next training sees it: which labels are new, and which are known.

Takes the shards and the lineage (shards.py), settles the side of every new image in the ledger (splits.py),
gives a ``Corpus``: the current label of every image, and the lines of any of them. Dataset, replay and plan
are made from it. Knows shards, splits and sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from include.loop import layout
from include.loop.errors import ConfigurationError, NotSetUp
from include.loop.identity import content_hash
from include.loop.manifest import LabelledImage
from include.loop.shards import (
    Lineage,
    Rejected,
    new_shards,
    read_candidates,
    read_discarded,
    read_lineage,
    rejection,
    shard_manifest,
    told,
)
from include.loop.sides import Rules, Side
from include.loop.splits import Candidate, Entry, Ledger, open_ledger
from include.loop.storage import in_parallel
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Corpus:
    """Every image with its newest label: ``new`` to the lineage, or ``known`` to it. ``shards`` are the new
    ones with the SHA-256 of their manifests; ``places`` has the manifests of every split.
    """

    workspace: Workspace
    ledger: Ledger
    lineage: Lineage
    shards: Mapping[str, str]
    places: Mapping[str, list[str]]
    rejected: Rejected
    new: tuple[Entry, ...]
    known: tuple[Entry, ...]

    @property
    def learner(self) -> str:
        """Whose next training it is, in words."""
        return self.lineage.champion.training_job if self.lineage.champion else "the first model"

    def needed(self, min_new_labels: int | None) -> int:
        """How many new labels it takes: as asked for, or as the pipeline says."""
        settings = self.workspace.pipeline.training
        return max(1, settings.min_new_labels if min_new_labels is None else min_new_labels)

    def on(self, side: Side) -> list[Entry]:
        """The labels of all images on this side."""
        return [entry for entry in (*self.new, *self.known) if self.ledger.side(entry) is side]

    def lines(self, entries: Iterable[Entry]) -> dict[str, LabelledImage]:
        """The manifest lines of labels, by label, but those that older versions took and this one refuses.
        Reads only the manifests they are in.
        """
        wanted = {entry.label for entry in entries}
        places = [
            place
            for split, manifests in self.places.items()
            if any(entry.label in wanted for entry in self.ledger.entries(split))
            for place in manifests
        ]

        def read(place: str) -> tuple[dict[str, LabelledImage], set[str]]:
            rejected: Rejected = []
            candidates = read_candidates(self.workspace, place, rejected)
            lines = {item.label: item.line for item in candidates if item.label in wanted}
            return lines, _refused(rejected)

        found: dict[str, LabelledImage] = {}
        refused: set[str] = set()
        for lines, others in in_parallel(read, places):
            found |= lines
            refused |= others
        if missing := wanted - found.keys() - refused:
            raise NotSetUp(
                f"{len(missing)} labels of the ledger are no longer in their manifests, which must never "
                f"change ({', '.join(map(self.workspace.storage.uri, places))}): put them back"
            )
        return found


def gather(workspace: Workspace, keep: bool = True) -> Corpus:
    """What the lineage knows, and what is new to it. Without ``keep`` nothing is written: a plan."""
    lineage = read_lineage(workspace)
    training = workspace.pipeline.training
    first = lineage.champion is None
    ledger = open_ledger(workspace)
    _admit_tests(workspace, ledger, keep)
    rejected: Rejected = []
    shards = new_shards(workspace, lineage)
    for shard in sorted(shards):
        memory = training.memory_images if first and not ledger.remembers else 0
        rules = Rules(training.validation_share, cold=first, memory=memory)
        candidates = list(read_candidates(workspace, shard_manifest(shard), rejected))
        _admit(workspace, ledger, shard, candidates, rules, rejected, keep)
    discarded = read_discarded(workspace)
    places = {
        shard: [shard_manifest(shard)] for shard in (*lineage.learned, *shards) if shard not in discarded
    }
    if lineage.root and lineage.initial:
        sides = ("train", "validation", "memory")
        places[lineage.initial] = [layout.dataset_file(lineage.root, f"{side}.manifest") for side in sides]
    return _corpus(workspace, ledger, lineage, shards, places, list(shards), rejected)


def gather_initial(workspace: Workspace, train: str, validation: str) -> Corpus:
    """What the manifests of the first model say. FileNotFoundError when one is missing."""
    rejected: Rejected = []
    candidates = [
        *read_candidates(workspace, train, rejected, Side.TRAIN),
        *read_candidates(workspace, validation, rejected, Side.VALIDATION),
    ]
    ledger = open_ledger(workspace)
    _admit_tests(workspace, ledger, keep=True)
    split = f"initial-{content_hash([[item.label, item.wish] for item in candidates])}"
    memory = 0 if ledger.remembers else workspace.pipeline.training.memory_images
    rules = Rules(workspace.pipeline.training.validation_share, memory=memory)
    _admit(workspace, ledger, split, candidates, rules, rejected, keep=True)
    lineage = Lineage(initial=split)
    return _corpus(workspace, ledger, lineage, {}, {split: [train, validation]}, [split], rejected)


def _admit(
    workspace: Workspace,
    ledger: Ledger,
    split: str,
    candidates: list[Candidate],
    rules: Rules,
    rejected: Rejected,
    keep: bool,
) -> None:
    for item, entry in zip(candidates, ledger.admit(split, candidates, rules), strict=True):
        if entry is None or entry.side is Side.UNUSABLE:
            why = entry.why if entry else "the line was not usable when its shard was first learned from"
            rejected.append(rejection(workspace, item.manifest, item.number, why))
    if keep:
        ledger.keep(split)


def _admit_tests(workspace: Workspace, ledger: Ledger, keep: bool) -> None:
    """Make the test sets known, so that nothing is learned that is in them or looks like it."""
    pipeline = workspace.pipeline
    for name, location in sorted(pipeline.test_sets.items()):
        rejected: Rejected = []
        try:
            candidates = list(read_candidates(workspace, location, rejected, Side.TEST))
        except FileNotFoundError as error:
            raise ConfigurationError(f"{pipeline.path}: test_sets.{name}: {error}") from None
        split = f"test-{name}-{content_hash([item.label for item in candidates])}"
        _admit(workspace, ledger, split, candidates, Rules(0), rejected, keep=False)
        if rejected:
            # A test set that silently shrinks would change what "better" means.
            raise ConfigurationError(f"{pipeline.path}: test_sets.{name}: {told(rejected)}")
        if keep:
            ledger.keep(split)


def _corpus(
    workspace: Workspace,
    ledger: Ledger,
    lineage: Lineage,
    shards: dict[str, str],
    places: dict[str, list[str]],
    new_splits: list[str],
    rejected: Rejected,
) -> Corpus:
    fresh = {entry.label for split in new_splits for entry in ledger.entries(split)}
    refused = _refused(rejected)
    current = [entry for entry in ledger.newest(places).values() if entry.label not in refused]
    return Corpus(
        workspace,
        ledger,
        lineage,
        shards,
        places,
        rejected,
        new=tuple(entry for entry in current if entry.label in fresh),
        known=tuple(entry for entry in current if entry.label not in fresh),
    )


def _refused(rejected: Rejected) -> set[str]:
    """The labels of lines that are there and cannot be used; an older version may have taken them."""
    return {item["label"] for item in rejected if "label" in item}
