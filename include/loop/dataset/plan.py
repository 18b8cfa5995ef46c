"""What the next training would learn, without training and without writing anything.

Takes the labels that are waiting, gives counts and a sentence for the operator.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.loop.dataset.label_pool import gather
from include.loop.dataset.replay import count_replay
from include.loop.trials.standing import State
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class TrainingPlan:
    """What the next training would learn, show again and hold out; ``enough`` to train, and all of it in
    words.
    """

    new_labels: int
    shards: int
    train: int
    replay: int
    held_out: int
    rejected: int
    suspended: list[str]
    set_aside: list[str]
    note: str
    champion: str | None
    enough: bool
    text: str


def plan_training(workspace: Workspace, pictures: bool = False) -> TrainingPlan:
    """The next training: what it would learn, show again and hold out, and whether that is enough.

    Reads the images that no dataset has read yet, as building one would, and keeps nothing; with ``pictures``
    what they are, so that whoever plans or builds next need not read them again.
    """
    pool = gather(workspace, keep=False, pictures=pictures)
    champion, needed = pool.lineage.champion, pool.needed(None)
    learned = len(pool.register.learnable(pool.new))
    held_out = sum(pool.register.split(entry).held_out for entry in pool.new)
    replayed = count_replay(pool)
    enough = len(pool.new) >= needed
    text = (
        f"{len(pool.new)} labels from {len(pool.shards)} batches are new to {pool.learner}: "
        f"{learned} would be learned together with {replayed} known ones, {held_out} held out; "
        f"{'enough' if enough else 'not enough'} to train (at least {needed}). Nothing was trained. "
        f"{pool.note}"
    ).rstrip()
    return TrainingPlan(
        new_labels=len(pool.new),
        shards=len(pool.shards),
        train=learned,
        replay=replayed,
        held_out=held_out,
        rejected=sum(item.box is None for item in pool.rejected),
        suspended=pool.standing(State.SUSPENDED),
        set_aside=pool.standing(State.SET_ASIDE),
        note=pool.note,
        champion=champion.training_job if champion else None,
        enough=enough,
        text=text,
    )
