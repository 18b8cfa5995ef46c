"""What must hold for any seed of the demo, as a list of checks over its summary."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

Summary = dict[str, Any]

BATCHES = 3
_MOST_REVIEWED = 120  # in all batches together
_MOST_LOST_BY_DAY = 0.04


def failed(summary: Summary) -> list[str]:
    """The checks that this run did not pass, in words."""
    return [check for check, passes in _CHECKS if not passes(summary)]


def _by_day_held(summary: Summary) -> bool:
    """Against the first model, after every batch: small losses must not add up."""
    first = summary["score"]["day"]["before"]
    # Written so that a NaN passes no check.
    return all(first - batch["score"]["day"]["after"] <= _MOST_LOST_BY_DAY for batch in summary["batches"])


def _by_night_never_fell(summary: Summary) -> bool:
    after = [batch["score"]["night"]["after"] for batch in summary["batches"]]
    return all(earlier <= later for earlier, later in pairwise([summary["score"]["night"]["before"], *after]))


def _endpoint_has_the_champion(summary: Summary) -> bool:
    endpoint = summary["endpoint"] or {}
    return endpoint.get("status") == "InService" and endpoint["training_job"] == summary["champion"]


# The numbers of the README: how blind the day model is by night, how well it must see after three batches of
# answers, how much it may forget, and how few images people are asked about. A batch whose challenger the
# gate turned down fails none of them: the old champion stays, and the next one is trained on those labels.
_CHECKS: tuple[tuple[str, Callable[[Summary], bool]], ...] = (
    ("before: mAP@0.5 by night below 0.20", lambda s: s["score"]["night"]["before"] < 0.20),
    ("after: mAP@0.5 by night at least 0.50", lambda s: s["score"]["night"]["after"] >= 0.50),
    ("by night it never falls from one batch to the next", _by_night_never_fell),
    ("by day at most 0.04 lost, after every batch", _by_day_held),
    (f"at most {_MOST_REVIEWED} images reviewed in all", lambda s: 0 < s["reviewed"] <= _MOST_REVIEWED),
    (
        "every started human loop completed",
        lambda s: s["human_loops"]["started"] == s["human_loops"]["completed"] > 0,
    ),
    ("no image asked about twice", lambda s: s["human_loops"]["duplicates"] == 0),
    ("one answer for each image asked about", lambda s: s["answers"] == s["reviewed"]),
    (
        f"{BATCHES} batches, each with a verdict",
        lambda s: len(s["batches"]) == BATCHES and all(batch["verdict"] for batch in s["batches"]),
    ),
    ("a better model became the champion", lambda s: s["promoted"]),
    ("the endpoint is in service and answers with the champion", _endpoint_has_the_champion),
)
