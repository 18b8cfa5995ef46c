"""The weeks of a pipeline, from what its shards of labels say of the models at work.

Takes the records of all shards, gives ``Quality`` by week. Shards that somebody has discarded say nothing.
Those that are not summed up (of earlier versions, or deleted) are named: nightly/audits.py makes the record.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.loop.core import copies, layout
from include.loop.core.records.live import AuditedBatch, LiveQuality
from include.loop.live.estimate import Quality, merged, weeks
from include.loop.trials.shards import read_discarded
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Live:
    """Quality by ISO week, the batches that it is of, and the shards that are not in it."""

    weeks: dict[str, Quality]
    batches: tuple[AuditedBatch, ...]
    unknown: tuple[str, ...]


def read_live(workspace: Workspace) -> Live:
    """Everything that is summed up; Fatal when a record is not what the loop wrote."""
    storage = workspace.storage
    discarded = read_discarded(workspace)
    listed = [item for item in storage.list(layout.LIVE) if layout.named_after(item.uri) not in discarded]
    found = [
        LiveQuality.of_bytes(storage, item.uri, body)
        for item, body in copies.read_all(storage, listed, layout.copy_file("live"), keep=True)
    ]
    summaries = (item.uri for item in storage.list(layout.LABELS) if layout.is_summary(item.uri))
    committed = layout.batch_folders(map(layout.folder_of, summaries))
    batches = merged(item for record in found for item in record.audited)
    known = {record.batch for record in found} | discarded
    return Live(weeks(batches), tuple(batches), tuple(shard for shard in committed if shard not in known))
