"""A second look at the labels of a night that is set aside: some of its images are asked about again.

Takes the nights that are set aside (trial_records.py), gives the images that the next night asks about beside
its own: each set-aside night once, the same few by a hash, without prelabels, and of other people than those
who answered before as long as there are any. The questions are rows of the asking night's triage like all
others; their labels are lines of that night, newer than those they take the place of. When they are in,
``compare`` says how far they agree with the first ones. Knows trial_records, manifest and storage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop import layout
from include.loop.errors import BadRecord
from include.loop.identity import share
from include.loop.manifest import LabelledImage, ManifestBox, read_value
from include.loop.shards import committed_shards, shard_manifest
from include.loop.trial_records import set_aside
from include.loop.workspace import Workspace

MOST = 10  # images of a night: enough to tell many wrong labels from a few, little beside a night's cap
MIN_IOU = 0.5  # as for the answers of several reviewers (consensus.py)


@dataclass(frozen=True)
class Again:
    """An image to ask about again, and the night whose label of it is doubted."""

    image: str
    etag: str
    night: str

    @property
    def reason(self) -> str:
        return reason(self.night)


@dataclass(frozen=True)
class Compared:
    """Of ``asked`` images of a night so many have a second label, and so many of these ``agree`` with the
    first: the same objects, box by box (class, and IoU of at least 0.5). ``overlap`` is the mean IoU of all
    pairs of boxes of one class that lie together, None without any; ``differing`` are the other images.
    """

    night: str
    asked: int
    answered: int
    agreed: int
    overlap: float | None
    differing: tuple[str, ...]

    @property
    def text(self) -> str:
        return (
            f"{self.asked} images of {self.night} were asked about again: {self.answered} have a second "
            f"label, {self.agreed} of these agree with the first"
        )


def reason(night: str) -> str:
    """Why an image is asked about, as its triage row and its manifest line say it."""
    return f"asked again: night {night} is set aside"


def to_ask(workspace: Workspace, batch: str, cap: int, own: Collection[str]) -> list[Again]:
    """What this night asks again: of the oldest set-aside night that no other night has asked again, at most
    ``MOST`` images, half of the cap, and none that is one of its ``own``.
    """
    for night in sorted(set_aside(workspace)):
        record = workspace.storage.find_json(layout.again_file(night))
        if record is None or record["batch"] == batch:
            found = [item for item in _sample(workspace, night) if item.image not in own]
            return found[: (cap + 1) // 2]
    return []


def keep(workspace: Workspace, batch: str, night: str, loops: Sequence[str]) -> None:
    """Put on record that a night has been asked again, once the questions are final."""
    workspace.storage.write_json_once(layout.again_file(night), {"batch": batch, "loops": sorted(loops)})


def answered_before(workspace: Workspace, nights: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """By night and image, the workers that its label comes from. Lines of earlier versions do not know."""
    return {
        (night, line["source-ref"]): line["workers"]
        for night in sorted(set(nights))
        for line in workspace.storage.read_lines(shard_manifest(night))
        if line.get("workers")
    }


def second_labels(workspace: Workspace, night: str) -> Compared | None:
    """How the second labels of a night compare with the first, as far as they are in; None when it was not
    asked again.
    """
    record = workspace.storage.find_json(layout.again_file(night))
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
    first = {line.source: line for line in _labels(workspace, night)}
    return compare(night, len(loops), first, second)


def compare(
    night: str, asked: int, first: Mapping[str, LabelledImage], second: Mapping[str, LabelledImage]
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
    return Compared(night, asked, len(both), len(both) - len(differing), overlap, tuple(differing))


def _sample(workspace: Workspace, night: str) -> list[Again]:
    """One image of each question that has a label, always the same ones."""
    by_loop: dict[str, dict[str, Any]] = {}
    for line in workspace.storage.read_lines(shard_manifest(night)):
        if isinstance(line.get("loop"), str) and isinstance(line.get("etag"), str):
            by_loop.setdefault(line["loop"], line)
    chosen = sorted(by_loop, key=lambda loop: (share("again", loop), loop))[:MOST]
    return [Again(by_loop[loop]["source-ref"], by_loop[loop]["etag"], night) for loop in chosen]


def _labels(workspace: Workspace, shard: str) -> list[LabelledImage]:
    pipeline = workspace.pipeline
    lines = []
    for value in workspace.storage.read_lines(shard_manifest(shard)):
        try:
            lines.append(read_value(value, pipeline.label_attribute, pipeline.classes))
        except BadRecord:
            continue  # told where labels are learned from (corpus.py)
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
