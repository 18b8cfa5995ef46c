"""How the second labels of a batch compare with the first: how far people agree about it.

Takes a batch whose images were asked about again (nightly/second_look.py), gives ``Compared``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.tasks.detection.manifest import LabelledImage, ManifestBox, read_value
from include.loop.trials.shards import committed_shards, shard_manifest
from include.loop.workspace import Workspace

MIN_IOU = 0.5  # as for the answers of several reviewers (consensus.py)


@dataclass(frozen=True)
class Compared:
    """Of ``asked`` images of a batch so many have a second label, and so many of these ``agree`` with the
    first: the same objects, box by box (class, and IoU of at least 0.5). ``overlap`` is the mean IoU of all
    pairs of boxes of one class that lie together, None without any; ``differing`` are the other images.
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
    record = workspace.storage.find_json(layout.again_file(batch))
    if record is None:
        return None
    loops = set(record["loops"])
    shards = [
        shard
        for shard, summary in committed_shards(workspace.storage)
        if shard == record["batch"] or any(loop in loops for _, loop in summary.get("late_loops", ()))
    ]
    second = {
        line.source: line
        for shard in shards
        for line in _labels(workspace, shard)
        if line.value.get("loop") in loops
    }
    first = {line.source: line for line in _labels(workspace, batch)}
    return compare(batch, len(loops), first, second)


def compare(
    batch: str, asked: int, first: Mapping[str, LabelledImage], second: Mapping[str, LabelledImage]
) -> Compared:
    """Both labels by image. Pure; the order of boxes does not matter."""
    overlaps: list[float] = []
    differing = []
    both = sorted(first.keys() & second.keys())
    for image in both:
        one, other = first[image].boxes, second[image].boxes
        pairs = _pairs(one, other)
        overlaps += pairs
        if not len(one) == len(other) == sum(overlap >= MIN_IOU for overlap in pairs):
            differing.append(image)
    overlap = sum(overlaps) / len(overlaps) if overlaps else None
    return Compared(batch, asked, len(both), len(both) - len(differing), overlap, tuple(differing))


def _labels(workspace: Workspace, shard: str) -> list[LabelledImage]:
    pipeline = workspace.pipeline
    lines = []
    for value in workspace.storage.read_lines(shard_manifest(shard)):
        try:
            lines.append(read_value(value, pipeline.label_attribute, pipeline.classes))
        except BadRecord:
            continue  # told where labels are learned from (pool.py)
    return lines


def _pairs(first: Sequence[ManifestBox], second: Sequence[ManifestBox]) -> list[float]:
    """IoU of the boxes of one class that lie together, the closest first, each box once."""
    found = sorted(
        (
            (overlap, i, j)
            for i, one in enumerate(first)
            for j, other in enumerate(second)
            if one.class_id == other.class_id and (overlap := _iou(one, other)) > 0
        ),
        reverse=True,
    )
    ones, others, overlaps = set(), set(), []
    for overlap, i, j in found:
        if i not in ones and j not in others:
            ones.add(i)
            others.add(j)
            overlaps.append(overlap)
    return overlaps


def _iou(one: ManifestBox, other: ManifestBox) -> float:
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    both = max(width, 0.0) * max(height, 0.0)
    return both / (one.width * one.height + other.width * other.height - both)
