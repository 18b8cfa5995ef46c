"""What must hold for any seed of the demo, as a list of checks over its summary.

The checks are the same for every task; the numbers in them are the task's promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Summary = dict[str, Any]

BATCHES = 3
Check = tuple[str, Callable[[Summary], bool]]


@dataclass(frozen=True)
class Promises:
    """The numbers of the README: how blind the day model is by night (the score is below it), how well it
    must see after three batches of answers, how much it may forget after any of them, and how few images
    people are asked about in all. ``metric`` is the score's name.
    """

    metric: str
    night_before: float
    night_after: float
    most_lost_by_day: float
    most_reviewed: int


def failed(summary: Summary, promises: Promises) -> list[str]:
    """The checks that this run did not pass, in words."""
    return [check for check, passes in _checks(promises) if not passes(summary)]


def _by_day_held(summary: Summary, most_lost: float) -> bool:
    """Against the first model, after every batch: small losses must not add up."""
    first = summary["score"]["day"]["before"]
    # Written so that a NaN passes no check.
    return all(first - batch["score"]["day"]["after"] <= most_lost for batch in summary["batches"])


def _by_night_never_fell(summary: Summary) -> bool:
    after = [batch["score"]["night"]["after"] for batch in summary["batches"]]
    return all(earlier <= later for earlier, later in pairwise([summary["score"]["night"]["before"], *after]))


def _endpoint_has_the_champion(summary: Summary) -> bool:
    endpoint = summary["endpoint"] or {}
    return endpoint.get("status") == "InService" and endpoint["training_job"] == summary["champion"]


def _checks(promises: Promises) -> Iterator[Check]:
    """A batch whose challenger the gate turned down fails none of them: the old champion stays, and the next
    one is trained on those labels.
    """
    metric, before, after = promises.metric, promises.night_before, promises.night_after
    lost, reviewed = promises.most_lost_by_day, promises.most_reviewed
    yield f"before: {metric} by night below {before:.2f}", lambda s: s["score"]["night"]["before"] < before
    yield f"after: {metric} by night at least {after:.2f}", lambda s: s["score"]["night"]["after"] >= after
    yield "by night it never falls from one batch to the next", _by_night_never_fell
    yield f"by day at most {lost:.2f} lost, after every batch", lambda s: _by_day_held(s, lost)
    yield f"at most {reviewed} images reviewed in all", lambda s: 0 < s["reviewed"] <= reviewed
    yield (
        "every started human loop completed",
        lambda s: s["human_loops"]["started"] == s["human_loops"]["completed"] > 0,
    )
    yield "no image asked about twice", lambda s: s["human_loops"]["duplicates"] == 0
    yield "one answer for each image asked about", lambda s: s["answers"] == s["reviewed"]
    yield (
        f"{BATCHES} batches, each with a verdict",
        lambda s: len(s["batches"]) == BATCHES and all(batch["verdict"] for batch in s["batches"]),
    )
    yield "a better model became the champion", lambda s: s["promoted"]
    yield "the endpoint is in service and answers with the champion", _endpoint_has_the_champion
