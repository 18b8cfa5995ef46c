"""Which batches the next training learns from.

Takes what was tried and said (``Past``), gives the sets of batches to try, best first: what is open together;
then what is suspected, split until one batch is left; then the newer half of what brought no gain. One bad
batch among n costs about 2·log2(n) trainings, and no set is tried twice with one champion. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.loop.core.records.trials import Finding, Kind
from include.loop.trials.standing import Past, Standing, State, find_groups, stand

DAY = timedelta(hours=24)
WHY = {
    Kind.REST: "the open batches together, now that others are suspected",
    Kind.SPLIT: "a part of the batches of which one did harm",
    Kind.ALONE: "one batch that is suspected, by itself",
    Kind.NEWER: "the newer half of the batches that brought no gain together",
}


@dataclass(frozen=True)
class Choice:
    batches: tuple[str, ...]
    kind: Kind


def choices(past: Past, now: datetime, most: int) -> Iterator[Choice]:
    """The sets of batches to try with this champion, best first; none when it is to wait for new labels.

    At most ``most`` further trials (``Kind.counted``) within 24 hours. A first model learns from all batches.
    """
    if past.champion is None:
        kept = tuple(sorted(set(past.batches) - past.discarded))
        if kept:
            yield Choice(kept, Kind.ROUND)
        return
    found = stand(past)
    together = tuple(batch for batch, item in found.items() if item.state is State.OPEN)
    allowed = trials_left(past, now, most) > 0
    for choice in (*_together(past, together), *_suspected(past, found), *_newer(past, together)):
        if frozenset(choice.batches) not in past.tried and (allowed or not choice.kind.counted):
            yield choice


def trials_left(past: Past, now: datetime, most: int) -> int:
    """How many further trials may still begin."""
    made = sum(trial.kind.counted and trial.at > now - DAY for trial in past.trials)
    return max(0, most - made)


def tell(past: Past, choice: Choice | None, now: datetime, most: int) -> str:
    """For a person: which trial this is, which batches it leaves out, and why; "" for all of them."""
    parts = []
    if choice and choice.kind.counted:
        parts.append(f"A further trial: {WHY[choice.kind]} ({', '.join(choice.batches)}).")
    left = [
        f"{batch} ({item.state}: {item.reason})"
        for batch, item in stand(past).items()
        if (choice is None or batch not in choice.batches) and item.state is not State.DISCARDED
    ]
    if left:
        parts.append(f"Left out: {'; '.join(left)}.")
    if (
        choice is None
        and not trials_left(past, now, most)
        and next(choices(past, now, len(past.trials) + 1), None)
    ):
        made = sorted(trial.at for trial in past.trials if trial.kind.counted and trial.at > now - DAY)
        when = (
            f"the next one may begin at {made[-most] + DAY:%Y-%m-%d %H:%M} UTC" if most else "none is allowed"
        )
        parts.append(f"Of further trials training.trials allows {most} within 24 hours; {when}.")
    return " ".join(parts)


def _together(past: Past, batches: tuple[str, ...]) -> Iterator[Choice]:
    last = [past.of(batch)[-1] if past.of(batch) else None for batch in batches]
    # A challenger that passed, but came too late for its champion, has judged nothing.
    if any(trial is None or (trial.promotes and trial.champion != past.champion) for trial in last):
        yield Choice(batches, Kind.ROUND)
    elif any(trial and trial.harmed for trial in last):
        yield Choice(batches, Kind.REST)
    # Else all were without gain as late as their last trial: they wait for new labels.


def _suspected(past: Past, found: Mapping[str, Standing]) -> Iterator[Choice]:
    all_groups = find_groups(past)
    groups = (
        group.suspects
        for group in all_groups
        if not group.proven and all(found[batch].state is State.SUSPENDED for batch in group.suspects)
    )
    for suspects in sorted(groups, key=lambda some: (len(some), sorted(some))):
        order = tuple(sorted(suspects))
        middle = len(order) // 2
        if len(order) == 1:
            yield Choice(order, Kind.ALONE)
        elif order:
            yield Choice(order[:middle], Kind.SPLIT)
            yield Choice(order[middle:], Kind.SPLIT)
    yield from (Choice(tuple(group.suspects), Kind.ALONE) for group in all_groups if group.once)


def _newer(past: Past, together: tuple[str, ...]) -> Iterator[Choice]:
    """A mediocre batch must not hold back better ones for ever; half of them, so that labels add up too."""
    if len(together) > 1 and past.tried.get(frozenset(together)) is Finding.NO_GAIN:
        order = sorted(together, key=lambda batch: (past.of(batch)[0].at, batch))
        yield Choice(tuple(sorted(order[len(order) // 2 :])), Kind.NEWER)
