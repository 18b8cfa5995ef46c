"""How a batch looks to the model that predicts on it, beside the batches before.

Takes the tables of a triaged batch, gives its ``Appearance``, once. Reads no image and no prediction: what is
counted is in the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from include.loop.core import copies, layout
from include.loop.core.records import tables
from include.loop.core.records.live import Appearance
from include.loop.core.records.nightly import Batch
from include.loop.core.records.triage import TriageSummary
from include.loop.live.drift import MOST, judge
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SCORE_BINS, OBJECT_BINS = 10, 10


def judge_appearance(workspace: Workspace, batch: str) -> Appearance | None:
    """How a triaged batch looks, and what of it has moved; None for a batch that no model has seen."""
    storage = workspace.storage
    if found := Appearance.find(storage, batch):
        return found
    pinned = Batch.read(storage, batch)
    if pinned.champion is None:
        return None
    model, classes = pinned.champion.training_job, len(workspace.pipeline.classes)
    total: dict[str, NDArray[np.int64]] = {}
    images = 0
    for table in _tables(workspace, batch):
        images += len(table)
        for signal, counts in _count(table, classes).items():
            total[signal] = total.get(signal, 0) + counts
    here = Appearance(
        batch=batch,
        model=model,
        images=images,
        signals={signal: tuple(counts.tolist()) for signal, counts in total.items()},
    )
    moved = judge(here, _before(workspace, here), workspace.pipeline.triage.drift_limit)
    return here.model_copy(update={"moved": moved}).write_once(storage, batch)


def _tables(workspace: Workspace, batch: str) -> Iterator[pd.DataFrame]:
    """The images of a batch that have a prediction, part by part."""
    summary = TriageSummary.find(workspace.storage, batch)
    columns = ["top_score", "shown", "top_class"]
    for part in range(summary.parts if summary else 0):
        table = tables.read_frame(workspace.storage, layout.triage_part(batch, part), columns)
        if set(columns) <= set(table.columns):  # of an earlier version in the middle of a night
            yield table[table["top_score"].notna()]


def _count(table: pd.DataFrame, classes: int) -> dict[str, NDArray[np.int64]]:
    import numpy as np

    def count(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
        return np.bincount(np.clip(values.astype(np.int64), 0, bins - 1), minlength=bins)

    score = table["top_score"].to_numpy(dtype=float)
    best = table["top_class"].fillna(classes).to_numpy(dtype=float)
    shown = table["shown"].fillna(0).to_numpy(dtype=float)
    return {
        "scores": count(score * SCORE_BINS, SCORE_BINS),
        "classes": count(best, classes + 1),
        "objects": count(shown, OBJECT_BINS),
    }


def _before(workspace: Workspace, here: Appearance) -> list[Appearance]:
    """The last batches before this one that the same model saw, the oldest first."""
    storage = workspace.storage
    listed = {layout.named_after(item.uri): item for item in storage.list(layout.APPEARANCE)}
    earlier = [listed[batch] for batch in sorted(listed) if batch < here.batch]
    read = copies.read_all(storage, earlier, layout.copy_file("appearance"), keep=True)
    records = (Appearance.of_bytes(storage, item.uri, body) for item, body in read)
    return [one for one in records if one.model == here.model][-MOST:]
