"""What the audits of a batch say of the model that was at work on it.

Takes the committed labels of a batch, and of what they are about the predictions and the triage, gives its
``LiveQuality``: sums, so that a week is a sum over its batches. Images whose answers make no label, or whose
prediction cannot be read any more, are asked and not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.records import tables
from include.loop.core.records.live import AuditedBatch, LiveQuality
from include.loop.core.records.nightly import Batch
from include.loop.core.records.triage import Decision, TriageSummary, frame_of, read_looked_at
from include.loop.core.storage import Storage
from include.loop.live.estimate import tally
from include.loop.nightly.predictions import predictions_of
from include.loop.strategies import AUDIT
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace


def judge_audits(workspace: Workspace, shard: str) -> LiveQuality:
    """Sum up what the labels of a committed batch say of the models at work, once; what was summed up. Fatal
    when something of the batch is gone, or not what the loop wrote.
    """
    found = LiveQuality.find(workspace.storage, shard)
    try:
        return found or _sum_up(workspace, shard).write_once(workspace.storage, shard)
    except (FileNotFoundError, ValueError) as error:  # Arrow's are ValueErrors
        raise Fatal(f"the audits of batch {shard} cannot be summed up: {error}") from error


def _sum_up(workspace: Workspace, shard: str) -> LiveQuality:
    by_batch: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    by_batch[shard] = []
    seen = set()
    for line in workspace.storage.read_lines(layout.labels_manifest(shard)):
        # A label that serves several images with the same bytes is one.
        if line.get("reason") == AUDIT and line.get("loop") not in seen:
            seen.add(line.get("loop"))
            by_batch[str(line.get("batch", shard))].append(line)
    judged = (_judge(workspace, shard, batch, lines) for batch, lines in sorted(by_batch.items()))
    return LiveQuality(
        batch=shard,
        threshold=workspace.pipeline.evaluation.score_threshold,
        audited=tuple(item for item in judged if item is not None),
    )


def _judge(workspace: Workspace, shard: str, batch: str, lines: list[dict[str, Any]]) -> AuditedBatch | None:
    """None for a batch that no model has seen, or that was imported."""
    pinned = Batch.find(workspace.storage, batch)
    if pinned is None or pinned.champion is None:
        return None
    labels = list(_read(workspace, lines))
    said = predictions_of(workspace, batch, [label.source for label in labels])
    labels = [label for label in labels if label.source in said]
    measured = workspace.task.measure(labels, said, workspace.pipeline.evaluation.score_threshold)
    own = _count(workspace.storage, batch) if batch == shard else {}
    return AuditedBatch(
        batch=batch, model=pinned.champion.training_job, tally=tally(measured.outcomes()), **own
    )


def _read(workspace: Workspace, lines: Iterable[dict[str, Any]]) -> Iterator[Labelled]:
    for line in lines:
        try:
            yield workspace.task.read_value(line)
        except BadRecord:  # there is nothing to compare with
            continue


def _count(storage: Storage, batch: str) -> dict[str, Any]:
    """Of how many images audits were drawn, with which chance, how many, and how many were asked about. What
    was looked at and cannot be asked about (nobody can see it, or its bytes have an answer) is not counted.
    """
    looked_at = frame_of(read_looked_at(storage, batch))
    summary = TriageSummary.find(storage, batch)
    own = looked_at[looked_at["again"].isna() & looked_at["top_score"].notna()]
    images = int((own["decision"] != Decision.UNREADABLE).sum())
    asked = int(((own["decision"] == Decision.ASK) & (own["reason"] == AUDIT)).sum())
    drawn = asked
    for part in range(summary.parts if summary else 0):
        columns = ["image", "top_score", "doubt", "value"]
        table = tables.read_frame(storage, layout.triage_part(batch, part), columns)
        rest = table[~table["image"].isin(looked_at["image"]) & table["top_score"].notna()]
        images += len(rest)
        # What has a rank and is no doubt is an audit: the cap or the budget has cut it off.
        drawn += int((rest["value"].notna() & ~rest["doubt"].fillna(True)).sum())
    share = summary.audit_share if summary else None
    return {"images": images, "drawn": drawn, "asked": asked, "share": share}
