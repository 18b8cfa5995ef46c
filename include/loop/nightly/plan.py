"""What a batch would ask and cost, without asking anybody and without writing anything."""

from __future__ import annotations

from dataclasses import dataclass

from include.loop.core.records.nightly import PinnedImage
from include.loop.nightly.batch import list_objects
from include.loop.nightly.budget import find_budget
from include.loop.nightly.effort import read_estimate
from include.loop.nightly.triage import TriagedBatch, find_counts
from include.loop.workspace import Workspace

# Of what triage says, what no plan repeats.
UNTOLD = {"blind", "triage_uri", "budget"}


@dataclass(frozen=True)
class ReviewPlan:
    """The questions of a batch: ``exact`` when triage has decided, else the most that it can become, and then
    the other decisions are None. ``spread`` and ``answers`` as ``TriagedBatch`` has them. ``text`` says it to
    a person.
    """

    batch: str
    images: int
    ask: int
    expected_seconds: float
    expected_dollars: float
    exact: bool
    text: str
    skip: int | None = None
    unreadable: int | None = None
    audit: int | None = None
    again: int | None = None
    spread: float | None = None
    answers: int = 0


def plan_review(workspace: Workspace, batch: str) -> ReviewPlan:
    """What would be asked, and what that would take."""
    decided = find_counts(workspace.storage, batch)
    if decided is not None:
        return ReviewPlan(
            **{name: value for name, value in vars(decided).items() if name not in UNTOLD},
            exact=True,
            text=_told(workspace, batch, "would ask", decided.ask, decided.images, work_of(decided)),
        )
    review = workspace.pipeline.review
    images = sum(isinstance(item, PinnedImage) for item in list_objects(workspace, batch))
    ask = min(images, workspace.pipeline.triage.cap)
    estimate, budget = read_estimate(workspace), find_budget(workspace, batch)
    seconds = ask * estimate.usual * review.task_count
    seconds = seconds if budget is None else min(seconds, budget)
    dollars = seconds / 3600 * review.dollars_per_hour
    work = f"about {seconds / 60:.0f} minutes of work, {dollars:.2f} dollars"
    return ReviewPlan(
        batch=batch,
        images=images,
        ask=ask,
        expected_seconds=round(seconds, 1),
        expected_dollars=round(dollars, 2),
        exact=False,
        text=_told(workspace, batch, "would ask at most", ask, images, work),
        answers=estimate.answers,
    )


def work_of(decided: TriagedBatch) -> str:
    """What asking will take, in words: minutes with their range and what they rest on, and dollars."""
    minutes = decided.expected_seconds / 60
    known = [f"going by {decided.answers} answers" if decided.answers else "going by the settings"]
    if decided.spread is not None:
        low, high = minutes * max(0.0, 1 - decided.spread), minutes * (1 + decided.spread)
        known.insert(0, f"nine times of ten {low:.0f} to {high:.0f}")
    return f"about {minutes:.0f} minutes of work ({', '.join(known)}), {decided.expected_dollars:.2f} dollars"


def _told(workspace: Workspace, batch: str, would: str, ask: int, images: int, work: str) -> str:
    count = workspace.pipeline.review.task_count
    reviewers = f"{count} reviewer{'s' if count > 1 else ''} each"
    return f"{batch}: {would} about {ask} of {images} images, {reviewers}: {work}. Nobody was asked."
