"""A second look at the labels of a batch that is set aside: some of its images are asked about again.

Takes the batches that are set aside, gives the images that the next batch asks about beside its own: each
set-aside batch once, the same few by a hash, without prelabels, and of other people than those who answered
before as long as there are any. The questions are rows of the asking batch's triage like all others; their
labels are lines of that batch, newer than those they take the place of. How far they agree with the first
ones is said by trials/second_labels.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.core.identity import share
from include.loop.core.records.nightly import AskedAgain
from include.loop.trials.past import set_aside
from include.loop.trials.shards import shard_manifest
from include.loop.workspace import Workspace

ASKED_AGAIN = "asked again"  # the share of these images in a night's questions
MOST = 10  # images of a batch: enough to tell many wrong labels from a few, little beside the cap


@dataclass(frozen=True)
class Again:
    """An image to ask about again, and the batch whose label of it is doubted."""

    image: str
    etag: str
    batch: str

    @property
    def reason(self) -> str:
        return reason(self.batch)


def reason(batch: str) -> str:
    """Why an image is asked about, as its triage row and its manifest line say it."""
    return f"{ASKED_AGAIN}: batch {batch} is set aside"


def to_ask(workspace: Workspace, batch: str, cap: int, is_own: Callable[[str], bool]) -> list[Again]:
    """What this batch asks again: of the oldest set-aside batch that no other batch has asked again, at most
    ``MOST`` images, half of the cap, and none that is one of its own.
    """
    for doubted in sorted(set_aside(workspace)):
        asked = AskedAgain.find(workspace.storage, doubted)
        if asked is None or asked.batch == batch:
            found = [item for item in _sample(workspace, doubted) if not is_own(item.image)]
            return found[: (cap + 1) // 2]
    return []


def keep(workspace: Workspace, batch: str, doubted: str, loops: Sequence[str]) -> None:
    """Put on record that a batch has been asked again, once the questions are final."""
    AskedAgain(batch=batch, loops=tuple(sorted(loops))).write_once(workspace.storage, doubted)


def answered_before(workspace: Workspace, batches: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """By batch and image, the workers that its label comes from. Lines of earlier versions do not know."""
    return {
        (batch, line["source-ref"]): line["workers"]
        for batch in sorted(set(batches))
        for line in workspace.storage.read_lines(shard_manifest(batch))
        if line.get("workers")
    }


def _sample(workspace: Workspace, batch: str) -> list[Again]:
    """One image of each question that has a label, always the same ones."""
    by_loop: dict[str, dict[str, Any]] = {}
    for line in workspace.storage.read_lines(shard_manifest(batch)):
        if isinstance(line.get("loop"), str) and isinstance(line.get("etag"), str):
            by_loop.setdefault(line["loop"], line)
    chosen = sorted(by_loop, key=lambda loop: (share("again", loop), loop))[:MOST]
    return [Again(by_loop[loop]["source-ref"], by_loop[loop]["etag"], batch) for loop in chosen]
