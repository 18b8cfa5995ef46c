"""Which nights may be learned from: one bad night costs only itself.

Takes what was tried so far (trials.py) and what people have said (discards, releases), gives the standing of
every night that is not learned. Of nights that did harm together one is the cause: the smallest such groups
are suspended, and split (next_trial.py) until one night is left, which is set aside. Nothing is thrown away:
a person may release or discard it. Pure. Knows trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from include.loop.trials.weigh import Outcome, Trial

# So often may other nights have passed without a night, after they brought no gain with it.
DRAGS = 3


class State(StrEnum):
    OPEN = "open"
    SUSPENDED = "suspended"
    SET_ASIDE = "set aside"
    DISCARDED = "discarded"


NEXT = {
    State.OPEN: "a next round learns from it, with the other open nights",
    State.SUSPENDED: "the loop goes on trying by itself",
    State.SET_ASIDE: "a person decides (release-labels, discard-labels)",
    State.DISCARDED: "nothing is learned from it",
}


@dataclass(frozen=True)
class Past:
    """What is known about the ``nights`` that have labels and that the champion has not learned from.

    ``released`` maps a night to when a person last said that what was tried before does not count against it.
    """

    champion: str | None
    nights: Sequence[str]
    trials: Sequence[Trial] = ()
    discarded: frozenset[str] = frozenset()
    released: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, night: str) -> list[Trial]:
        """Its trials that count, oldest first."""
        after = self.released.get(night)
        mine = (trial for trial in self.trials if night in trial.shards and not (after and trial.at <= after))
        return sorted(mine, key=lambda trial: (trial.at, trial.training_job))

    @property
    def tried(self) -> dict[frozenset[str], Outcome]:
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
    """Nights of a trial that did harm, of which one has to be the cause as far as is known; the ``suspects``
    are to be tried next. Without suspects each did no harm by itself: only together they are not tried again.

    A night that is ``proven`` to be the cause, but only ``once`` by itself, is tried once more with a later
    champion: a training goes wrong by chance now and then.
    """

    trial: Trial
    nights: frozenset[str]
    suspects: frozenset[str]
    proven: bool = False
    once: bool = False

    @property
    def reason(self) -> str:
        if not self.trial.harmed:
            what = f"brought no gain, and others passed without it ({self.trial.training_job})"
            return f"{what}, nor any alone" if self.proven else f"{what}: is to be tried alone"
        if self.proven:
            how = "by itself" if len(self.trial.shards) == 1 else "again with nights that are good without it"
            more = ", and is tried once more when there is a new champion" if self.once else ""
            return f"did harm {how} ({self.trial.training_job}){more}"
        many = len(self.suspects) > 1
        what = f"took part in harm ({self.trial.training_job})"
        others = ", ".join(sorted(self.suspects))
        return f"{what}: the cause is one of {others}" if many else f"{what} and is to be tried alone"


def stand(past: Past) -> dict[str, Standing]:
    """The standing of every night, by night."""
    groups = find_groups(past)
    found = {night: _stand(past, night, groups) for night in sorted(past.nights)}
    together: set[str] = set()
    for night in sorted(found, reverse=True):  # the newest first: it has waited for nobody yet
        if found[night].state is not State.OPEN:
            continue
        together.add(night)
        for group in groups:
            if night in group.nights <= together:
                others = ", ".join(sorted(group.nights - {night}))
                reason = f"did harm together with {others}, though not without: waits until those are learned"
                found[night] = Standing(State.SUSPENDED, reason, found[night].trials)
                together.discard(night)
    return found


def find_groups(past: Past) -> list[Group]:
    """The smallest groups that did harm: a larger one around another is explained by it."""
    found: dict[frozenset[str], Group] = {}
    for trial in sorted((item for item in past.trials if item.harmed), key=lambda item: item.at):
        group = _group(past, trial)
        if group and (group.proven or group.nights not in found or not found[group.nights].proven):
            found[group.nights] = group
    dragging = [group for night in past.nights if (group := _dragging(past, night))]
    found |= {group.nights: group for group in dragging if group.nights not in found}
    return [group for group in found.values() if not any(other < group.nights for other in found)]


def _group(past: Past, trial: Trial) -> Group | None:
    """What is left of a trial's suspicion; None when a person or later trials have answered it."""
    if past.discarded & set(trial.shards):
        return None  # a person has found the cause
    left = _left(past, trial)
    cleared = frozenset(
        night
        for night in left
        for other in _harmless(past, night)
        if other.at > trial.at or other.champion == past.champion
    )
    named = (left & set(trial.blamed)) - cleared
    nights = named or left
    if len(nights) == 1 and _proven(past, trial, night := next(iter(nights))):
        alone = [other for other in past.of(night) if other.shards == (night,) and other.harmed]
        return Group(trial, nights, nights, proven=True, once=len(alone) == 1)
    before = frozenset(night for night in left if any(_harmless(past, night)))
    suspects = named or (left - before) or (left - cleared)
    return Group(trial, nights, suspects) if suspects or len(nights) > 1 else None


def _dragging(past: Past, night: str) -> Group | None:
    """A night with which others brought no gain that were promoted without it, ``DRAGS`` times."""
    mine = [] if night in past.discarded else past.of(night)
    known = {shard for trial in mine for shard in trial.shards} - {*past.nights}
    drags = [item for item in mine if item.outcome is Outcome.NO_GAIN and known & set(item.shards)]
    if len(drags) < DRAGS:
        return None
    last = drags[DRAGS - 1]
    alone = any(item.shards == (night,) and item.at > last.at for item in mine)
    return Group(last, frozenset({night}), frozenset({night}), proven=alone)


def _left(past: Past, trial: Trial) -> frozenset[str]:
    """The nights of a trial that are not learned, and not released since."""
    return frozenset(night for night in trial.shards if night in past.nights and trial in past.of(night))


def _harmless(past: Past, night: str) -> Iterator[Trial]:
    return (trial for trial in past.trials if night in trial.shards and not trial.harmed)


def _proven(past: Past, trial: Trial, night: str) -> bool:
    """Whether a night is the cause: it did harm alone; or it did none alone, but again with others that are
    learned by now.
    """
    if trial.shards == (night,):
        return not any(other.at > trial.at for other in _harmless(past, night))
    earlier = [
        other
        for other in past.of(night)
        if other.harmed and len(other.shards) > 1 and other.at < trial.at and _left(past, other) == {night}
    ]
    return any(one.at < other.at < trial.at for one in earlier for other in _harmless(past, night))


def _stand(past: Past, night: str, groups: Iterable[Group]) -> Standing:
    mine = past.of(night)
    jobs = tuple(trial.training_job for trial in mine)
    if night in past.discarded:
        return Standing(State.DISCARDED, "a person has discarded its labels", jobs)
    suspected = sorted((item for item in groups if night in item.suspects), key=lambda item: not item.proven)
    if suspected:
        state = State.SET_ASIDE if suspected[0].proven else State.SUSPENDED
        return Standing(state, suspected[0].reason, jobs)
    if not mine:
        released = night in past.released
        return Standing(State.OPEN, "released by a person" if released else "new", jobs)
    last = mine[-1].outcome
    texts = {
        Outcome.HARM: "took part in harm that others explain",
        Outcome.NO_GAIN: "brought no gain yet: it is tried again with new labels",
        Outcome.PROMOTE: "passed the gate, and is not promoted (yet)",
    }
    return Standing(State.OPEN, texts[last], jobs)
