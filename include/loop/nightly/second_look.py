"""A second look at the labels of a night that is set aside: some of its images are asked about again.

Takes the nights that are set aside (trial_records.py), gives the images that the next night asks about beside
its own: each set-aside night once, the same few by a hash, without prelabels, and of other people than those
who answered before as long as there are any. The questions are rows of the asking night's triage like all
others; their labels are lines of that night, newer than those they take the place of. When they are in,
``compare`` says how far they agree with the first ones. Knows trial_records, manifest and storage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core import layout
from include.loop.core.identity import share
from include.loop.trials.past import set_aside
from include.loop.trials.shards import shard_manifest
from include.loop.workspace import Workspace

MOST = 10  # images of a night: enough to tell many wrong labels from a few, little beside a night's cap


@dataclass(frozen=True)
class Again:
    """An image to ask about again, and the night whose label of it is doubted."""

    image: str
    etag: str
    night: str

    @property
    def reason(self) -> str:
        return reason(self.night)


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


def _sample(workspace: Workspace, night: str) -> list[Again]:
    """One image of each question that has a label, always the same ones."""
    by_loop: dict[str, dict[str, Any]] = {}
    for line in workspace.storage.read_lines(shard_manifest(night)):
        if isinstance(line.get("loop"), str) and isinstance(line.get("etag"), str):
            by_loop.setdefault(line["loop"], line)
    chosen = sorted(by_loop, key=lambda loop: (share("again", loop), loop))[:MOST]
    return [Again(by_loop[loop]["source-ref"], by_loop[loop]["etag"], night) for loop in chosen]
