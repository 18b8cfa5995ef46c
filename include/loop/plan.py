"""What a run would do and cost, without asking anybody and without writing anything.

Takes a batch (triaged or not) or the labels that are waiting; gives counts, seconds, dollars and a sentence
for the operator. Knows triage, corpus, replay and batch, and only reads.
"""

from __future__ import annotations

from typing import Any

from include.loop import layout
from include.loop.batch import list_images
from include.loop.corpus import gather
from include.loop.replay import choose_replay
from include.loop.standing import State
from include.loop.triage import read_rows, summarise
from include.loop.workspace import Workspace


def plan_review(workspace: Workspace, batch: str) -> dict[str, Any]:
    """The questions of a night. ``exact`` when triage has decided, else the most it can become."""
    review = workspace.pipeline.review
    if workspace.storage.exists(layout.run_file(batch, "triage.parquet")):
        plan = summarise(batch, read_rows(workspace, batch)) | {"exact": True}
    else:
        images = len(list_images(workspace, batch).images)
        ask = min(images, workspace.pipeline.triage.cap)
        seconds = ask * review.seconds_per_image * review.task_count
        plan = {
            "batch": batch,
            "images": images,
            "ask": ask,
            "expected_seconds": round(seconds, 1),
            "expected_dollars": round(seconds / 3600 * review.dollars_per_hour, 2),
            "exact": False,
        }
    reviewers = f"{review.task_count} reviewer{'s' if review.task_count > 1 else ''} each"
    text = (
        f"{batch}: {'would ask' if plan['exact'] else 'would ask at most'} about {plan['ask']} of "
        f"{plan['images']} images, {reviewers}: about {plan['expected_seconds'] / 60:.0f} minutes of work, "
        f"{plan['expected_dollars']:.2f} dollars. Nobody was asked."
    )
    return plan | {"text": text}


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
