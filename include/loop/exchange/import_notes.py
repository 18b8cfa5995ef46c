"""What a person should know of an import besides what it brought: whether its labels will count at all.

Takes the import, its images and the pipeline as it stands now, gives ``Notes``. Nothing here is on record:
asked for again later, the answers may be others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from include.loop.core import layout
from include.loop.core.records.dataset import RejectedLine
from include.loop.core.records.imports import Import
from include.loop.core.records.splits import Entry
from include.loop.core.storage import in_parallel
from include.loop.dataset.candidates import read_candidates
from include.loop.exchange.pictures import Stored
from include.loop.tasks.manifest_lines import moment
from include.loop.trials.shards import committed_shards, read_discarded, shard_manifest
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Notes:
    """``discarded``: a person has said that nothing learns from the import. ``labelled`` of its images have a
    label of another batch, too; ``newer`` counts, by batch, those whose newer label counts instead.
    """

    discarded: bool = False
    labelled: int = 0
    newer: Mapping[str, int] = field(default_factory=dict)

    @property
    def outdated(self) -> int:
        """How many images have a newer label elsewhere."""
        return sum(self.newer.values())


@dataclass(frozen=True)
class Dated:
    """An image and the date of its imported label."""

    stored: Stored
    created: str


def take_note(workspace: Workspace, record: Import, images: Sequence[Dated]) -> Notes:
    discarded = read_discarded(workspace)
    ours = {item.stored.prints.sha256: moment(item.created) for item in images}
    newest: dict[str, tuple[datetime, str]] = {}
    for sha256, created, batch in _labels(workspace, images, {record.name, *discarded}):
        newest[sha256] = max((moment(created), batch), newest.get(sha256, (moment(""), "")))
    newer = Counter(batch for sha256, (created, batch) in newest.items() if created > ours[sha256])
    return Notes(
        discarded=record.name in discarded,
        labelled=len(newest),
        newer=dict(sorted(newer.items())) if record.target == "labels" else {},
    )


def _labels(
    workspace: Workspace, images: Sequence[Dated], without: set[str]
) -> Iterator[tuple[str, str, str]]:
    """SHA-256, date and batch of each label that these images have elsewhere, but in test sets."""
    storage = workspace.storage
    by_sha256 = {item.stored.prints.sha256 for item in images}
    # The register knows the bytes of what it has; of other batches a copy's place or an ETag tells.
    by_place = {
        (item.stored.uri, None if item.stored.copied else item.stored.etag): item.stored.prints.sha256
        for item in images
    }
    names = [layout.named_after(item.uri) for item in storage.list(layout.SPLITS)]

    def read(name: str) -> list[tuple[str, str, str]]:
        entries = Entry.read_all(storage, name)
        return [(item.sha256, item.created, name) for item in entries if item.sha256 in by_sha256]

    known = [name for name in names if name not in without and not name.startswith("test-")]
    for some in in_parallel(read, known):
        yield from some
    for batch, _ in committed_shards(storage, known={*names, *without}):
        rejected: list[RejectedLine] = []
        for item in read_candidates(workspace, shard_manifest(batch), rejected):
            source, etag = item.line.source, item.line.value.get("etag")
            sha256 = by_place.get((source, None)) or by_place.get((source, etag))
            if sha256 is not None:
                yield sha256, item.line.created, batch
