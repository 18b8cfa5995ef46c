"""What the demo promises of any seed, as a list of checks over its summary."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

Summary = dict[str, Any]

NIGHTS = 3
_MOST_REVIEWED = 120  # in all nights together
_MOST_LOST_BY_DAY = 0.04


def broken(summary: Summary) -> list[str]:
    """The promises that this run did not keep, in words."""
    return [promise for promise, holds in _PROMISES if not holds(summary)]


def _by_day_held(summary: Summary) -> bool:
    """Against the first model, after every night: small losses must not add up."""
    first = summary["map50"]["day"]["before"]
    # Written so that a NaN keeps no promise.
    return all(first - night["map50"]["day"]["after"] <= _MOST_LOST_BY_DAY for night in summary["nights"])


def _by_night_never_fell(summary: Summary) -> bool:
    after = [night["map50"]["night"]["after"] for night in summary["nights"]]
    return all(earlier <= later for earlier, later in pairwise([summary["map50"]["night"]["before"], *after]))


def _endpoint_has_the_champion(summary: Summary) -> bool:
    endpoint = summary["endpoint"] or {}
    return endpoint.get("status") == "InService" and endpoint["training_job"] == summary["champion"]


# The numbers of the README: how blind the day model is by night, how well it must see after three nights of
# answers, how much it may forget, and how few images people are asked about. A night whose challenger the
# gate turned down breaks none of them: the old champion stays, and the next night learns from those labels.
_PROMISES: tuple[tuple[str, Callable[[Summary], bool]], ...] = (
    ("before: mAP@0.5 by night below 0.20", lambda s: s["map50"]["night"]["before"] < 0.20),
    ("after: mAP@0.5 by night at least 0.50", lambda s: s["map50"]["night"]["after"] >= 0.50),
    ("by night it never falls from one night to the next", _by_night_never_fell),
    ("by day at most 0.04 lost, after every night", _by_day_held),
    (f"at most {_MOST_REVIEWED} images reviewed in all", lambda s: 0 < s["reviewed"] <= _MOST_REVIEWED),
    (
        "every started human loop completed",
        lambda s: s["human_loops"]["started"] == s["human_loops"]["completed"] > 0,
    ),
    ("no image asked about twice", lambda s: s["human_loops"]["duplicates"] == 0),
    ("one answer for each image asked about", lambda s: s["answers"] == s["reviewed"]),
    (
        f"{NIGHTS} nights, each with a verdict",
        lambda s: len(s["nights"]) == NIGHTS and all(night["verdict"] for night in s["nights"]),
    ),
    ("a better model became the champion", lambda s: s["promoted"]),
    ("the endpoint is in service and answers with the champion", _endpoint_has_the_champion),
)
