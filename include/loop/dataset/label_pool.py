"""All that people have labelled, as the next training sees it: which labels are new, and which are known.

Takes the shards and the lineage, settles the split of every new image in the split register, chooses the
batches to learn from, gives a ``LabelPool``: the current label of every image, and the lines of any of them.
Batches that are left out are in no part of it. Dataset, replay and plan are made from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.loop.core.errors import ConfigurationError, NotSetUp
from include.loop.core.identity import content_hash
from include.loop.core.records.dataset import Dataset, RejectedLine
from include.loop.core.records.splits import Entry, Split
from include.loop.dataset.candidates import candidates_of, read_candidates, rejection, told
from include.loop.dataset.known_lines import find_lines
from include.loop.dataset.pictures import keep_pictures, known_pictures
from include.loop.dataset.split_register import Candidate, SplitRegister, open_register
from include.loop.dataset.split_rules import SplitRules
from include.loop.tasks.values import Labelled
from include.loop.trials.next_trial import Choice, choices, tell
from include.loop.trials.past import read_past
from include.loop.trials.shards import Lineage, new_shards, read_discarded, read_lineage, shard_manifest
from include.loop.trials.standing import Standing, State, stand
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class LabelPool:
    """Every image with its newest label: ``new`` to the lineage, or ``known`` to it. ``shards`` are the new
    ones with the SHA-256 of their manifests; ``places`` has the manifests of every shard. ``choice`` says why
    these batches (None: none is to be tried), ``note`` the same to a person; ``standings`` has every batch
    that is not learned.
    """

    workspace: Workspace
    register: SplitRegister
    lineage: Lineage
    shards: Mapping[str, str]
    places: Mapping[str, list[str]]
    rejected: list[RejectedLine]
    new: tuple[Entry, ...]
    known: tuple[Entry, ...]
    choice: Choice | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)
    note: str = ""

    def standing(self, state: State) -> list[str]:
        """The batches that are not learned and stand so."""
        return [batch for batch, item in self.standings.items() if item.state is state]

    @property
    def learner(self) -> str:
        """Whose next training it is, in words."""
        return self.lineage.current or "the first model"

    def needed(self, min_new_labels: int | None) -> int:
        """How many new labels it takes: as asked for, or as the pipeline says; any for a further trial."""
        if self.choice and self.choice.kind.counted:
            return 1
        settings = self.workspace.pipeline.training
        return max(1, settings.min_new_labels if min_new_labels is None else min_new_labels)

    def of(self, split: Split) -> list[Entry]:
        """The labels of all images of this split."""
        return [entry for entry in (*self.new, *self.known) if self.register.split(entry) is split]

    def lines(self, entries: Iterable[Entry]) -> dict[str, Labelled]:
        """The manifest lines of labels, by label, but those that older versions took and this one refuses."""
        wanted = {entry.label for entry in entries}
        places = [
            place
            for shard, manifests in self.places.items()
            if any(entry.label in wanted for entry in self.register.entries(shard))
            for place in manifests
        ]
        rejected: list[RejectedLine] = []
        found: dict[str, Labelled] = {}
        for place, lines in find_lines(self.workspace.storage, places, wanted):
            candidates = candidates_of(self.workspace, place, lines, rejected)
            found |= {item.label: item.line for item in candidates}
        if missing := wanted - found.keys() - _refused(rejected):
            raise NotSetUp(
                f"{len(missing)} labels of the register are no longer in their manifests, which must never "
                f"change ({', '.join(map(self.workspace.storage.uri, places))}): put them back"
            )
        return found


def gather(
    workspace: Workspace, keep: bool = True, min_new_labels: int | None = None, pictures: bool = False
) -> LabelPool:
    """What the lineage knows, and what of the new batches is to be learned. Without ``keep`` no split is
    settled, and nothing is written but, with ``pictures``, what the new pictures are.
    """
    lineage = read_lineage(workspace)
    training = workspace.pipeline.training
    first = lineage.champion is None
    register = open_register(workspace, keep)
    _admit_tests(workspace, register, keep)
    rejected: dict[str, list[RejectedLine]] = {}
    shards = new_shards(workspace, lineage)
    for shard in sorted(shards):
        retention = training.retention_images if first and not register.retains else 0
        rules = SplitRules(training.validation_share, cold=first, retention=retention)
        rejected[shard] = []
        candidates = list(read_candidates(workspace, shard_manifest(shard), rejected[shard]))
        settled = shard in register
        there = [] if settled else known_pictures(workspace.storage, shard)
        register.expect(there)
        _admit(workspace, register, shard, candidates, rules, rejected[shard], keep)
        if pictures and not (settled or there):
            keep_pictures(workspace.storage, shard, register.entries(shard))
    discarded = read_discarded(workspace)
    labelled = (shard for shard in shards if shards[shard].labels)
    past = read_past(workspace, lineage.current, labelled, keep)
    standings, most, now = stand(past), training.trials, datetime.now(UTC)
    root = _root_manifests(workspace, lineage)

    def pool_with(choice: Choice | None) -> LabelPool:
        """With the chosen batches, and those without a label: nothing can be tried with them."""
        chosen = {
            shard: item.sha256
            for shard, item in shards.items()
            if choice and (shard in choice.batches or not item.labels)
        }
        places = {
            shard: [shard_manifest(shard)] for shard in (*lineage.learned, *chosen) if shard not in discarded
        }
        if lineage.initial and root:
            places[lineage.initial] = root
        lines = [line for shard in sorted(chosen) for line in rejected[shard]]
        found = _pool_of(workspace, register, lineage, chosen, places, list(chosen), lines)
        return dataclasses.replace(
            found, choice=choice, standings=standings, note=tell(past, choice, now, most)
        )

    return _first_that_suffices(pool_with, list(choices(past, now, most)), min_new_labels)


def _first_that_suffices(
    pool_with: Callable[[Choice | None], LabelPool], ordered: list[Choice], min_new_labels: int | None
) -> LabelPool:
    """The best choice with enough labels; the best of all when none has, so that it can be told."""
    for choice in ordered:
        found = pool_with(choice)
        if len(found.new) >= found.needed(min_new_labels) and found.register.learnable(found.new):
            return found
    return pool_with(ordered[0] if ordered else None)


def gather_initial(workspace: Workspace, train: str, validation: str) -> LabelPool:
    """What the manifests of the first model say. FileNotFoundError when one is missing."""
    rejected: list[RejectedLine] = []
    candidates = [
        *read_candidates(workspace, train, rejected, Split.TRAIN),
        *read_candidates(workspace, validation, rejected, Split.VALIDATION),
    ]
    register = open_register(workspace, keep=True)
    _admit_tests(workspace, register, keep=True)
    shard = f"initial-{content_hash([[item.label, item.wish] for item in candidates])}"
    retention = 0 if register.retains else workspace.pipeline.training.retention_images
    rules = SplitRules(workspace.pipeline.training.validation_share, retention=retention)
    _admit(workspace, register, shard, candidates, rules, rejected, keep=True)
    lineage = Lineage(initial=shard)
    return _pool_of(workspace, register, lineage, {}, {shard: [train, validation]}, [shard], rejected)


def _root_manifests(workspace: Workspace, lineage: Lineage) -> list[str]:
    """Where the labels lie that the first model brought along; none when it had none of its own."""
    if not (lineage.root and lineage.initial):
        return []
    root = Dataset.read(workspace.storage, lineage.root)
    return [root.manifest(name) for name in ("train", "validation", "retention")]


def _admit(
    workspace: Workspace,
    register: SplitRegister,
    shard: str,
    candidates: list[Candidate],
    rules: SplitRules,
    rejected: list[RejectedLine],
    keep: bool,
) -> None:
    for item, entry in zip(candidates, register.admit(shard, candidates, rules), strict=True):
        if entry is None or entry.split is Split.UNUSABLE:
            why = entry.why if entry else "the line was not usable when its shard was first learned from"
            rejected.append(rejection(workspace, item.manifest, item.number, why))
    if keep:
        register.keep(shard)


def _admit_tests(workspace: Workspace, register: SplitRegister, keep: bool) -> None:
    """Make the test sets known, so that nothing is learned that is in them or looks like it."""
    pipeline = workspace.pipeline
    for name, location in sorted(pipeline.test_sets.items()):
        rejected: list[RejectedLine] = []
        try:
            candidates = list(read_candidates(workspace, location, rejected, Split.TEST))
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"{pipeline.path}: test_sets.{name}: {error}. Import it (`python -m include.loop data import "
                f"SOURCE --pipeline {pipeline.name} --as test:{name}`), or take the line out"
            ) from None
        shard = f"test-{name}-{content_hash([item.label for item in candidates])}"
        _admit(workspace, register, shard, candidates, SplitRules(0), rejected, keep=False)
        if rejected:
            # A test set that silently shrinks would change what "better" means.
            raise ConfigurationError(f"{pipeline.path}: test_sets.{name}: {told(rejected)}")
        if keep:
            register.keep(shard)


def _pool_of(
    workspace: Workspace,
    register: SplitRegister,
    lineage: Lineage,
    shards: dict[str, str],
    places: dict[str, list[str]],
    new_shards: list[str],
    rejected: list[RejectedLine],
) -> LabelPool:
    fresh = {entry.label for shard in new_shards for entry in register.entries(shard)}
    refused = _refused(rejected)
    current = [entry for entry in register.newest(places).values() if entry.label not in refused]
    return LabelPool(
        workspace,
        register,
        lineage,
        shards,
        places,
        rejected,
        new=tuple(entry for entry in current if entry.label in fresh),
        known=tuple(entry for entry in current if entry.label not in fresh),
    )


def _refused(rejected: list[RejectedLine]) -> set[str]:
    """The labels of lines that are there and cannot be used; an older version may have taken them."""
    return {item.label for item in rejected if item.label}
