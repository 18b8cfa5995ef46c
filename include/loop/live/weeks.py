"""The weeks of a pipeline, from what its shards of labels say of the models at work.

Takes the records of all shards and batches, gives ``Quality`` by week, and what is to be said of batches that
look different. Shards that somebody has discarded say nothing. Those that are not summed up (of earlier
versions, or deleted) are named: nightly/audits.py makes the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from include.loop.core import copies, layout
from include.loop.core.records.base import Record
from include.loop.core.records.live import Appearance, AuditedBatch, LiveQuality
from include.loop.core.storage import Storage
from include.loop.live.drift import tell
from include.loop.live.estimate import Quality, merged, weeks
from include.loop.trials.shards import read_discarded
from include.loop.workspace import Workspace

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Live:
    """Quality by ISO week, the batches that it is of, and the shards that are not in it; and what is to be
    said of each batch that looks different than those before, the newest first.
    """

    weeks: dict[str, Quality]
    batches: tuple[AuditedBatch, ...]
    unknown: tuple[str, ...]
    moved: tuple[str, ...]


def read_live(workspace: Workspace) -> Live:
    """Everything that is summed up; Fatal when a record is not what the loop wrote."""
    storage = workspace.storage
    discarded = read_discarded(workspace)
    found = [record for record in _read(storage, LiveQuality, layout.LIVE) if record.batch not in discarded]
    looks = [record for record in _read(storage, Appearance, layout.APPEARANCE) if record.moved]
    summaries = (item.uri for item in storage.list(layout.LABELS) if layout.is_summary(item.uri))
    committed = layout.batch_folders(map(layout.folder_of, summaries))
    batches = merged(item for record in found for item in record.audited)
    known = {record.batch for record in found} | discarded
    return Live(
        weeks=weeks(batches),
        batches=tuple(batches),
        unknown=tuple(shard for shard in committed if shard not in known),
        moved=tuple(tell(look) for look in sorted(looks, key=lambda look: look.batch, reverse=True)),
    )


def _read(storage: Storage, kind: type[R], folder: str) -> list[R]:
    """All records of a folder."""
    read = copies.read_all(storage, storage.list(folder), layout.copy_file(folder.rstrip("/")), keep=True)
    return [kind.of_bytes(storage, item.uri, body) for item, body in read]
