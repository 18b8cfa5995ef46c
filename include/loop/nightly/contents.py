"""What people have been asked about, by content: the same bytes are one question, whatever they are called.

Takes SHA-256 sums, gives for each a ``Claim``: the question (batch, image, loop) whose answer is the label of
these bytes. A batch claims its contents before its questions are final, so that of two batches at the same
time only one asks. A claim holds while its question is open or labelled; it is let go when the question has
ended without a label, and holds no more when its image is gone, or the labels of its batch are discarded or
set aside. A batch that has claimed and then died holds for an hour.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property

from include.loop.core.errors import ConcurrentWrite
from include.loop.core.identity import batch_date
from include.loop.core.records.nightly import Claim, Question, QuestionsHeader
from include.loop.trials.past import set_aside
from include.loop.trials.shards import read_discarded
from include.loop.workspace import Workspace

# From the first claim of a batch to its questions it takes seconds. Whoever takes longer has died, or asks a
# question twice.
UNFINISHED = timedelta(hours=1)
TRIES = 5


class Contents:
    """The index as one batch sees it. What the claims depend on is read once; threads may share it."""

    def __init__(self, workspace: Workspace, batch: str) -> None:
        self._workspace, self._storage, self._batch = workspace, workspace.storage, batch
        self._loops: dict[str, set[str] | None] = {}

    def holder(self, sha256: str) -> Claim | None:
        """The question of another batch that holds these bytes."""
        claim = Claim.find(self._storage, sha256)
        return claim if claim and self._holds(claim) else None

    def claim(self, sha256: str, image: str, etag: str, loop: str) -> Claim | None:
        """Make the bytes this batch's; else the claim of the batch that holds them. Again changes nothing."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        mine = Claim(batch=self._batch, image=image, etag=etag, loop=loop, at=at)
        location = Claim.location(sha256)
        for _ in range(TRIES):
            if self._storage.write_once(location, mine.dump(self._storage)):
                return None
            there, version = Claim.find_version(self._storage, sha256)
            if there is None:
                continue
            if (there.batch, there.loop, there.ended) == (self._batch, loop, None):
                return None
            if self._holds(there):
                return there
            try:
                mine.replace(self._storage, version, sha256)
            except ConcurrentWrite:
                continue  # another batch was faster: look whose they are now
            return None
        raise ConcurrentWrite(f"{self._storage.uri(location)} keeps changing; try again")

    def _holds(self, claim: Claim) -> bool:
        if claim.ended or claim.batch in self._left_out or batch_date(claim.batch) == batch_date(self._batch):
            # Of the same date: this batch itself, or an epoch of it that was forced, to ask anew.
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
    claim, etag = Claim.find_version(workspace.storage, sha256)
    if claim is None or claim.loop != loop or claim.ended:
        return
    with suppress(ConcurrentWrite):  # whoever changed it has let it go, or taken it over
        claim.model_copy(update={"ended": why}).replace(workspace.storage, etag, sha256)


def _asked_loops(workspace: Workspace, batch: str) -> set[str] | None:
    """The loops of a batch whose questions are final; None before."""
    if not workspace.storage.exists(QuestionsHeader.location(batch)):
        return None
    return {question.loop for question in Question.read_all(workspace.storage, batch)}
