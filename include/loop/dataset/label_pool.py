"""All that people have labelled, as the next training sees it: which labels are new, and which are known.

Takes the shards and the lineage (shards.py), settles the side of every new image in the ledger (splits.py),
chooses the nights to learn from (next_trial.py), gives a ``Corpus``: the current label of every image, and
the lines of any of them. Nights that are left out are in no part of it. Dataset, replay and plan are made
from it. Knows shards, splits, sides and next_trial.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, NotSetUp
from include.loop.core.identity import content_hash
from include.loop.core.storage import in_parallel
from include.loop.dataset.candidates import Rejected, read_candidates, rejection, told
from include.loop.dataset.split_register import Candidate, Entry, Ledger, open_ledger
from include.loop.dataset.split_rules import Rules, Side
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.trials.next_trial import Choice, choices, tell
from include.loop.trials.past import read_past
from include.loop.trials.shards import Lineage, new_shards, read_discarded, read_lineage, shard_manifest
from include.loop.trials.standing import Standing, State, stand
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Corpus:
    """Every image with its newest label: ``new`` to the lineage, or ``known`` to it. ``shards`` are the new
    ones with the SHA-256 of their manifests; ``places`` has the manifests of every split. ``choice`` says why
    these nights (None: none is to be tried), ``note`` the same to a person; ``standings`` has every night
    that is not learned.
    """

    workspace: Workspace
    ledger: Ledger
    lineage: Lineage
    shards: Mapping[str, str]
    places: Mapping[str, list[str]]
    rejected: Rejected
    new: tuple[Entry, ...]
    known: tuple[Entry, ...]
    choice: Choice | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)
    note: str = ""

    def nights(self, state: State) -> list[str]:
        """The nights that are not learned and stand so."""
        return [night for night, item in self.standings.items() if item.state is state]

    @property
    def learner(self) -> str:
        """Whose next training it is, in words."""
        return self.lineage.reigning or "the first model"

    def needed(self, min_new_labels: int | None) -> int:
        """How many new labels it takes: as asked for, or as the pipeline says; any for a further trial."""
        if self.choice and self.choice.kind.counted:
            return 1
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


def gather(workspace: Workspace, keep: bool = True, min_new_labels: int | None = None) -> Corpus:
    """What the lineage knows, and what of the new nights is to be learned. Without ``keep`` nothing is
    written: a plan.
    """
    lineage = read_lineage(workspace)
    training = workspace.pipeline.training
    first = lineage.champion is None
    ledger = open_ledger(workspace)
    _admit_tests(workspace, ledger, keep)
    rejected: dict[str, Rejected] = {}
    shards = new_shards(workspace, lineage)
    for shard in sorted(shards):
        memory = training.memory_images if first and not ledger.remembers else 0
        rules = Rules(training.validation_share, cold=first, memory=memory)
        rejected[shard] = []
        candidates = list(read_candidates(workspace, shard_manifest(shard), rejected[shard]))
        _admit(workspace, ledger, shard, candidates, rules, rejected[shard], keep)
    discarded = read_discarded(workspace)
    past = read_past(workspace, lineage.reigning, (shard for shard in shards if shards[shard].labels))
    standings, most, now = stand(past), training.trials, datetime.now(UTC)

    def corpus(choice: Choice | None) -> Corpus:
        """With the chosen nights, and those without a label: nothing can be tried with them."""
        chosen = {
            shard: item.sha256
            for shard, item in shards.items()
            if choice and (shard in choice.nights or not item.labels)
        }
        places = {
            shard: [shard_manifest(shard)] for shard in (*lineage.learned, *chosen) if shard not in discarded
        }
        if lineage.root and lineage.initial:
            sides = ("train", "validation", "memory")
            places[lineage.initial] = [layout.dataset_manifest(lineage.root, side) for side in sides]
        lines = [line for shard in sorted(chosen) for line in rejected[shard]]
        found = _corpus(workspace, ledger, lineage, chosen, places, list(chosen), lines)
        return dataclasses.replace(
            found, choice=choice, standings=standings, note=tell(past, choice, now, most)
        )

    return _first_that_suffices(corpus, list(choices(past, now, most)), min_new_labels)


def _first_that_suffices(
    corpus: Callable[[Choice | None], Corpus], ordered: list[Choice], min_new_labels: int | None
) -> Corpus:
    """The best choice with enough labels; the best of all when none has, so that it can be told."""
    for choice in ordered:
        found = corpus(choice)
        if len(found.new) >= found.needed(min_new_labels) and found.ledger.learnable(found.new):
            return found
    return corpus(ordered[0] if ordered else None)


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
