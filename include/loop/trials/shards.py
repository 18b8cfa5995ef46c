"""The shards of labels: which there are, what the champion has learned from, and what their lines say.

Takes the pipeline's folder, gives the champion's ``Lineage`` and the shards that are new to it. A shard that
somebody has discarded is neither new nor known: it is not learned from, not shown again and not measured
with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from include.loop.core import copies, layout
from include.loop.core.errors import ConfigurationError, Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import Champion
from include.loop.core.records.nightly import LabelSummary
from include.loop.core.records.trials import Discard
from include.loop.core.storage import Storage
from include.loop.core.times import now
from include.loop.models.champion import read_champion
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Lineage:
    """What the champion has learned from: ``learned`` maps each shard to the hash of its manifest.

    ``root`` is the dataset of the first model when that had labels of its own, ``initial`` their split.
    """

    champion: Champion | None = None
    learned: Mapping[str, str] = field(default_factory=dict)
    root: str | None = None
    initial: str | None = None

    @property
    def current(self) -> str | None:
        """The champion's training job."""
        return self.champion.training_job if self.champion else None


def committed_shards(
    storage: Storage, known: Container[str] = (), keep: bool = False
) -> Iterator[tuple[str, LabelSummary]]:
    """Batch and summary of every committed label shard that is not known already, oldest date first. ``keep``
    as ``copies.read_all`` takes it.
    """
    listed = {
        layout.folder_of(item.uri): item
        for item in storage.list(layout.LABELS)
        if layout.is_summary(item.uri)
    }
    batches = [batch for batch in layout.batch_folders(listed) if batch not in known]
    places = [listed[f"{layout.BATCH_FOLDER}{batch}"] for batch in batches]
    for item, body in copies.read_all(storage, places, layout.copy_file("summaries"), keep):
        batch = layout.folder_of(item.uri).removeprefix(layout.BATCH_FOLDER)
        yield batch, LabelSummary.of_bytes(storage, item.uri, body)


def read_lineage(workspace: Workspace) -> Lineage:
    """What the current champion has learned from, its ancestors' shards included. Incompatible when it knows
    other classes than the pipeline names.
    """
    champion = read_champion(workspace)
    if champion is None:
        return Lineage()
    dataset = Dataset.read(workspace.storage, champion.dataset_id)
    ours = list(workspace.pipeline.classes)
    for class_id, (theirs, name) in enumerate(zip(dataset.classes, ours, strict=False)):
        if theirs != name:
            raise Incompatible(
                f"{workspace.pipeline.path}: classes: class_id {class_id} is {name!r}, but {theirs!r} in "
                f"{workspace.storage.uri(Dataset.location(champion.dataset_id))}, which "
                "the champion has learned from. Give another list of classes a pipeline of its own."
            )
    return Lineage(champion, dataset.learned, dataset.root, dataset.initial)


@dataclass(frozen=True)
class Shard:
    """A committed shard: how many labels its summary counts, and the SHA-256 of its manifest."""

    labels: int
    sha256: str


def new_shards(workspace: Workspace, lineage: Lineage) -> dict[str, Shard]:
    """Committed shards that the lineage has not learned from and nobody has discarded, by name."""
    found = {}
    known = {*lineage.learned, *read_discarded(workspace)}
    for shard, summary in committed_shards(workspace.storage, known=known):
        body = workspace.storage.read(shard_manifest(shard))
        found[shard] = Shard(summary.labels, hashlib.sha256(body).hexdigest())
    return found


def shard_manifest(shard: str) -> str:
    return layout.labels_manifest(shard)


def discard(workspace: Workspace, shard: str, by: str, why: str) -> tuple[Discard, bool]:
    """Leave a batch's labels out from now on: a person has found that they are wrong. The first word counts.
    It comes with whether the champion has learned from them already.
    """
    if not workspace.storage.exists(layout.summary_file(shard)):
        known = [name for name, _ in committed_shards(workspace.storage)]
        raise ConfigurationError(f"there are no committed labels of {shard!r}; there are those of {known}")
    learned = shard in read_lineage(workspace).learned
    word = Discard(shard=shard, by=by, why=why, at=now())
    return word.write_once(workspace.storage, shard), learned


def read_discarded(workspace: Workspace) -> set[str]:
    """The shards that were discarded."""
    return {layout.named_after(item.uri) for item in workspace.storage.list(layout.DISCARDED)}
