"""What a batch would ask and cost, without asking anybody and without writing anything."""

from __future__ import annotations

from dataclasses import dataclass

from include.loop.core.records.nightly import PinnedImage
from include.loop.nightly.batch import list_objects
from include.loop.nightly.triage import find_counts
from include.loop.workspace import Workspace

# Of what triage says, what no plan repeats.
UNTOLD = {"blind", "triage_uri"}


@dataclass(frozen=True)
class ReviewPlan:
    """The questions of a batch: ``exact`` when triage has decided, else the most that it can become, and then
    the other decisions are None. ``text`` says it to a person.
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


def plan_review(workspace: Workspace, batch: str) -> ReviewPlan:
    """What would be asked, and what that would take."""
    decided = find_counts(workspace.storage, batch)
    if decided is not None:
        return ReviewPlan(
            **{name: value for name, value in vars(decided).items() if name not in UNTOLD},
            exact=True,
            text=_told(workspace, batch, "would ask", decided.ask, decided.images, decided.expected_seconds),
        )
    review = workspace.pipeline.review
    images = sum(isinstance(item, PinnedImage) for item in list_objects(workspace, batch))
    ask = min(images, workspace.pipeline.triage.cap)
    seconds = ask * review.seconds_per_image * review.task_count
    return ReviewPlan(
        batch=batch,
        images=images,
        ask=ask,
        expected_seconds=round(seconds, 1),
        expected_dollars=round(seconds / 3600 * review.dollars_per_hour, 2),
        exact=False,
        text=_told(workspace, batch, "would ask at most", ask, images, seconds),
    )


def _told(workspace: Workspace, batch: str, would: str, ask: int, images: int, seconds: float) -> str:
    review = workspace.pipeline.review
    reviewers = f"{review.task_count} reviewer{'s' if review.task_count > 1 else ''} each"
    dollars = seconds / 3600 * review.dollars_per_hour
    return (
        f"{batch}: {would} about {ask} of {images} images, {reviewers}: about {seconds / 60:.0f} minutes of "
        f"work, {dollars:.2f} dollars. Nobody was asked."
    )
