"""What people have been asked about, by content: the same bytes are one question, whatever they are called.

Takes SHA-256 sums, gives ``contents/<sha256>.json``: the question (night, image, loop) whose answer is the
label of these bytes. A night claims its contents before its questions are final, so that of two nights at the
same time only one asks. A claim holds while its question is open or labelled; it is let go when the question
has ended without a label, and holds no more when its image is gone, or the labels of its night are discarded
or set aside. A night that has claimed and then died holds for an hour. Knows storage, shards and layout.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from include.loop.core import layout
from include.loop.core.errors import ConcurrentWrite
from include.loop.core.identity import batch_date
from include.loop.core.storage import dump
from include.loop.trials.past import set_aside
from include.loop.trials.shards import read_discarded
from include.loop.workspace import Workspace

# From the first claim of a night to its questions it takes seconds. Whoever takes longer has died, or asks a
# question twice.
UNFINISHED = timedelta(hours=1)
TRIES = 5


@dataclass(frozen=True)
class Claim:
    """The question that holds some bytes: its night, its image in the version that is asked about, its loop;
    ``at`` is when it was claimed (UTC), ``ended`` why it is let go.
    """

    batch: str
    image: str
    etag: str
    loop: str
    at: str
    ended: str | None = None

    @property
    def told(self) -> str:
        return f"same bytes as {self.image}, asked in night {self.batch} ({self.loop})"


class Contents:
    """The index as one night sees it. What the claims depend on is read once; threads may share it."""

    def __init__(self, workspace: Workspace, batch: str) -> None:
        self._workspace, self._storage, self._batch = workspace, workspace.storage, batch
        self._loops: dict[str, set[str] | None] = {}

    def holder(self, sha256: str) -> Claim | None:
        """The question of another night that holds these bytes."""
        value = self._storage.find_json(layout.content_file(sha256))
        claim = Claim(**value) if value else None
        return claim if claim and self._holds(claim) else None

    def claim(self, sha256: str, image: str, etag: str, loop: str) -> Claim | None:
        """Make the bytes this night's; else the claim of the night that holds them. Again changes nothing."""
        location = layout.content_file(sha256)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        mine = dump(asdict(Claim(self._batch, image, etag, loop, at)))
        for _ in range(TRIES):
            if self._storage.write_once(location, mine):
                return None
            value, version = self._storage.find_version(location)
            if value is None:
                continue
            there = Claim(**value)
            if (there.batch, there.loop, there.ended) == (self._batch, loop, None):
                return None
            if self._holds(there):
                return there
            try:
                self._storage.replace(location, mine, version)
            except ConcurrentWrite:
                continue  # another night was faster: look whose they are now
            return None
        raise ConcurrentWrite(f"{self._storage.uri(location)} keeps changing; try again")

    def _holds(self, claim: Claim) -> bool:
        if claim.ended or claim.batch in self._left_out or batch_date(claim.batch) == batch_date(self._batch):
            # Of the same date: this night itself, or an epoch of it that was forced, to ask anew.
            return False
        there = self._storage.stat(claim.image)
        if there is None or there.etag != claim.etag:  # nothing can be learned from a label of it
            return False
        if claim.batch not in self._loops:
            self._loops[claim.batch] = _asked_loops(self._workspace, claim.batch)
        loops = self._loops[claim.batch]
        if loops is None:  # it is about to ask, or has died
            return datetime.now(UTC) - datetime.fromisoformat(claim.at) < UNFINISHED
        return claim.loop in loops

    @cached_property
    def _left_out(self) -> set[str]:
        return read_discarded(self._workspace) | set_aside(self._workspace)


def let_go(workspace: Workspace, sha256: str, loop: str, why: str) -> None:
    """A question has ended without a label: whoever meets its bytes next may ask about them again."""
    location = layout.content_file(sha256)
    value, etag = workspace.storage.find_version(location)
    if value is None or value["loop"] != loop or value.get("ended"):
        return
    with suppress(ConcurrentWrite):  # whoever changed it has let it go, or taken it over
        workspace.storage.replace(location, dump(value | {"ended": why}), etag)


def _asked_loops(workspace: Workspace, batch: str) -> set[str] | None:
    """The loops of a night whose questions are final; None before."""
    if not workspace.storage.exists(layout.questions_header(batch)):
        return None
    lines = workspace.storage.read_lines(layout.questions_file(batch))
    return {line["loop"] for line in lines}
