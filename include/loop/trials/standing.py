"""Which batches may be learned from: one bad batch costs only itself.

Takes what was tried so far and what people have said (discards, releases), gives the standing of
every batch that is not learned. Of batches that did harm together one is the cause: the smallest such groups
are suspended, and split (next_trial.py) until one batch is left, which is set aside. Nothing is thrown away:
a person may release or discard it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from include.loop.core.records.trials import Finding, Trial

# So often may other batches have passed without a batch, after they brought no gain with it.
DRAGS = 3


class State(StrEnum):
    OPEN = "open"
    SUSPENDED = "suspended"
    SET_ASIDE = "set aside"
    DISCARDED = "discarded"


NEXT = {
    State.OPEN: "a next round learns from it, with the other open batches",
    State.SUSPENDED: "the loop goes on trying by itself",
    State.SET_ASIDE: "a person decides (release-labels, discard-labels)",
    State.DISCARDED: "nothing is learned from it",
}


@dataclass(frozen=True)
class Past:
    """What is known about the ``batches`` that have labels and that the champion has not learned from.

    ``released`` maps a batch to when a person last said that what was tried before does not count against it.
    """

    champion: str | None
    batches: Sequence[str]
    trials: Sequence[Trial] = ()
    discarded: frozenset[str] = frozenset()
    released: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, batch: str) -> list[Trial]:
        """Its trials that count, oldest first."""
        after = self.released.get(batch)
        mine = (trial for trial in self.trials if batch in trial.shards and not (after and trial.at <= after))
        return sorted(mine, key=lambda trial: (trial.at, trial.training_job))

    @property
    def tried(self) -> dict[frozenset[str], Finding]:
        """What this champion's challengers have learned as new already."""
        mine = (trial for trial in self.trials if trial.champion == self.champion)
        return {frozenset(trial.shards): trial.outcome for trial in mine}


@dataclass(frozen=True)
class Standing:
    """``reason`` says it to a person; ``trials`` are the training jobs that took part in it."""

    state: State
    reason: str
    trials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Batches of a trial that did harm, of which one has to be the cause as far as is known; the ``suspects``
    are to be tried next. Without suspects each did no harm by itself: only together they are not tried again.

    A batch that is ``proven`` to be the cause, but only ``once`` by itself, is tried once more with a later
    champion: a training goes wrong by chance now and then.
    """

    trial: Trial
    batches: frozenset[str]
    suspects: frozenset[str]
    proven: bool = False
    once: bool = False

    @property
    def reason(self) -> str:
        if not self.trial.harmed:
            what = f"brought no gain, and others passed without it ({self.trial.training_job})"
            return f"{what}, nor any alone" if self.proven else f"{what}: is to be tried alone"
        if self.proven:
            how = (
                "by itself" if len(self.trial.shards) == 1 else "again with batches that are good without it"
            )
            more = ", and is tried once more when there is a new champion" if self.once else ""
            return f"did harm {how} ({self.trial.training_job}){more}"
        many = len(self.suspects) > 1
        what = f"took part in harm ({self.trial.training_job})"
        others = ", ".join(sorted(self.suspects))
        return f"{what}: the cause is one of {others}" if many else f"{what} and is to be tried alone"


def stand(past: Past) -> dict[str, Standing]:
    """The standing of every batch, by batch."""
    groups = find_groups(past)
    found = {batch: _stand(past, batch, groups) for batch in sorted(past.batches)}
    together: set[str] = set()
    for batch in sorted(found, reverse=True):  # the newest first: it has waited for nobody yet
        if found[batch].state is not State.OPEN:
            continue
        together.add(batch)
        for group in groups:
            if batch in group.batches <= together:
                others = ", ".join(sorted(group.batches - {batch}))
                reason = f"did harm together with {others}, though not without: waits until those are learned"
                found[batch] = Standing(State.SUSPENDED, reason, found[batch].trials)
                together.discard(batch)
    return found


def find_groups(past: Past) -> list[Group]:
    """The smallest groups that did harm: a larger one around another is explained by it."""
    found: dict[frozenset[str], Group] = {}
    for trial in sorted((item for item in past.trials if item.harmed), key=lambda item: item.at):
        group = _group(past, trial)
        if group and (group.proven or group.batches not in found or not found[group.batches].proven):
            found[group.batches] = group
    dragging = [group for batch in past.batches if (group := _dragging(past, batch))]
    found |= {group.batches: group for group in dragging if group.batches not in found}
    return [group for group in found.values() if not any(other < group.batches for other in found)]


def _group(past: Past, trial: Trial) -> Group | None:
    """What is left of a trial's suspicion; None when a person or later trials have answered it."""
    if past.discarded & set(trial.shards):
        return None  # a person has found the cause
    left = _left(past, trial)
    cleared = frozenset(
        batch
        for batch in left
        for other in _harmless(past, batch)
        if other.at > trial.at or other.champion == past.champion
    )
    named = (left & set(trial.blamed)) - cleared
    batches = named or left
    if len(batches) == 1 and _proven(past, trial, batch := next(iter(batches))):
        alone = [other for other in past.of(batch) if other.shards == (batch,) and other.harmed]
        return Group(trial, batches, batches, proven=True, once=len(alone) == 1)
    before = frozenset(batch for batch in left if any(_harmless(past, batch)))
    suspects = named or (left - before) or (left - cleared)
    return Group(trial, batches, suspects) if suspects or len(batches) > 1 else None


def _dragging(past: Past, batch: str) -> Group | None:
    """A batch with which others brought no gain that were promoted without it, ``DRAGS`` times."""
    mine = [] if batch in past.discarded else past.of(batch)
    known = {shard for trial in mine for shard in trial.shards} - {*past.batches}
    drags = [item for item in mine if item.outcome is Finding.NO_GAIN and known & set(item.shards)]
    if len(drags) < DRAGS:
        return None
    last = drags[DRAGS - 1]
    alone = any(item.shards == (batch,) and item.at > last.at for item in mine)
    return Group(last, frozenset({batch}), frozenset({batch}), proven=alone)


def _left(past: Past, trial: Trial) -> frozenset[str]:
    """The batches of a trial that are not learned, and not released since."""
    return frozenset(batch for batch in trial.shards if batch in past.batches and trial in past.of(batch))


def _harmless(past: Past, batch: str) -> Iterator[Trial]:
    return (trial for trial in past.trials if batch in trial.shards and not trial.harmed)


def _proven(past: Past, trial: Trial, batch: str) -> bool:
    """Whether a batch is the cause: it did harm alone; or it did none alone, but again with others that are
    learned by now.
    """
    if trial.shards == (batch,):
        return not any(other.at > trial.at for other in _harmless(past, batch))
    earlier = [
        other
        for other in past.of(batch)
        if other.harmed and len(other.shards) > 1 and other.at < trial.at and _left(past, other) == {batch}
    ]
    return any(one.at < other.at < trial.at for one in earlier for other in _harmless(past, batch))


def _stand(past: Past, batch: str, groups: Iterable[Group]) -> Standing:
    mine = past.of(batch)
    jobs = tuple(trial.training_job for trial in mine)
    if batch in past.discarded:
        return Standing(State.DISCARDED, "a person has discarded its labels", jobs)
    suspected = sorted((item for item in groups if batch in item.suspects), key=lambda item: not item.proven)
    if suspected:
        state = State.SET_ASIDE if suspected[0].proven else State.SUSPENDED
        return Standing(state, suspected[0].reason, jobs)
    if not mine:
        released = batch in past.released
        return Standing(State.OPEN, "released by a person" if released else "new", jobs)
    last = mine[-1].outcome
    texts = {
        Finding.HARM: "took part in harm that others explain",
        Finding.NO_GAIN: "brought no gain yet: it is tried again with new labels",
        Finding.PROMOTE: "passed the gate, and is not promoted yet, or was taken back",
    }
    return Standing(State.OPEN, texts[last], jobs)
