"""How the second labels of a batch compare with the first: how far people agree about it.

Takes a batch whose images were asked about again (nightly/second_look.py), gives ``Compared``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.loop.core.errors import BadRecord
from include.loop.core.records.nightly import AskedAgain
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.values import Labelled
from include.loop.trials.shards import committed_shards, shard_manifest
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Compared:
    """Of ``asked`` images of a batch so many have a second label, and so many of these ``agree`` with the
    first, as the task compares them. ``overlap`` is the mean overlap of what is in both, None without any;
    ``differing`` are the other images.
    """

    batch: str
    asked: int
    answered: int
    agreed: int
    overlap: float | None
    differing: tuple[str, ...]

    @property
    def text(self) -> str:
        return (
            f"{self.asked} images of {self.batch} were asked about again: {self.answered} have a second "
            f"label, {self.agreed} of these agree with the first"
        )


def second_labels(workspace: Workspace, batch: str) -> Compared | None:
    """How the second labels of a batch compare with the first, as far as they are in; None when it was not
    asked again.
    """
    record = AskedAgain.find(workspace.storage, batch)
    if record is None:
        return None
    loops = set(record.loops)
    shards = [
        shard
        for shard, summary in committed_shards(workspace.storage)
        if shard == record.batch or any(loop in loops for _, loop in summary.late_loops)
    ]
    second = {
        line.source: line
        for shard in shards
        for line in _labels(workspace, shard)
        if line.value.get("loop") in loops
    }
    first = {line.source: line for line in _labels(workspace, batch)}
    return compare(workspace.task, batch, len(loops), first, second)


def compare(
    task: AnyTask, batch: str, asked: int, first: Mapping[str, Labelled], second: Mapping[str, Labelled]
) -> Compared:
    """Both labels by image. Pure."""
    overlaps: list[float] = []
    differing = []
    both = sorted(first.keys() & second.keys())
    for image in both:
        found = task.compare_labels(first[image], second[image])
        overlaps += found.overlaps
        if not found.same:
            differing.append(image)
    overlap = sum(overlaps) / len(overlaps) if overlaps else None
    return Compared(batch, asked, len(both), len(both) - len(differing), overlap, tuple(differing))


def _labels(workspace: Workspace, shard: str) -> list[Labelled]:
    lines: list[Labelled] = []
    for value in workspace.storage.read_lines(shard_manifest(shard)):
        try:
            lines.append(workspace.task.read_value(value))
        except BadRecord:
            continue  # told where labels are learned from (pool.py)
    return lines
