"""What a run would do and cost, without asking anybody and without writing anything.

Takes a batch (triaged or not) or the labels that are waiting; gives counts, seconds, dollars and a sentence
for the operator. Knows triage, corpus, replay and batch, and only reads.
"""

from __future__ import annotations

from typing import Any

from include.loop.core import layout
from include.loop.nightly.batch import list_images
from include.loop.nightly.triage import read_rows, summarise
from include.loop.workspace import Workspace


def plan_review(workspace: Workspace, batch: str) -> dict[str, Any]:
    """The questions of a night. ``exact`` when triage has decided, else the most it can become."""
    review = workspace.pipeline.review
    if workspace.storage.exists(layout.triage_file(batch)):
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
