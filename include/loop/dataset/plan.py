"""What the next training would learn, without training and without writing anything.

Takes the labels that are waiting, gives counts and a sentence for the operator.
"""

from __future__ import annotations

from typing import Any

from include.loop.dataset.label_pool import gather
from include.loop.dataset.replay import choose_replay
from include.loop.trials.standing import State
from include.loop.workspace import Workspace


def plan_training(workspace: Workspace) -> dict[str, Any]:
    """The next training: what it would learn, show again and hold out, and whether that is enough.

    Reads the images that no dataset has read yet, as building one would, and keeps nothing.
    """
    corpus = gather(workspace, keep=False)
    champion, needed = corpus.lineage.champion, corpus.needed(None)
    learned = len(corpus.ledger.learnable(corpus.new))
    held_out = sum(corpus.ledger.side(entry).held_out for entry in corpus.new)
    replayed = len(choose_replay(corpus).entries)
    enough = len(corpus.new) >= needed
    text = (
        f"{len(corpus.new)} labels from {len(corpus.shards)} nights are new to {corpus.learner}: "
        f"{learned} would be learned together with {replayed} known ones, {held_out} held out; "
        f"{'enough' if enough else 'not enough'} to train (at least {needed}). Nothing was trained. "
        f"{corpus.note}"
    ).rstrip()
    return {
        "new_labels": len(corpus.new),
        "shards": len(corpus.shards),
        "train": learned,
        "replay": replayed,
        "held_out": held_out,
        "rejected": sum("box" not in item for item in corpus.rejected),
        "suspended": corpus.nights(State.SUSPENDED),
        "set_aside": corpus.nights(State.SET_ASIDE),
        "note": corpus.note,
        "champion": champion.training_job if champion else None,
        "enough": enough,
        "text": text,
    }
