"""What the demo promises of any seed, as a list of checks over its summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Summary = dict[str, Any]

# The numbers of the README: how blind the day model is by night, how well it must see after one night of
# answers, how much it may forget, and how few images people are asked about.
_PROMISES: tuple[tuple[str, Callable[[Summary], bool]], ...] = (
    ("before: mAP@0.5 by night below 0.20", lambda s: s["map50"]["night"]["before"] < 0.20),
    ("after: mAP@0.5 by night at least 0.50", lambda s: s["map50"]["night"]["after"] >= 0.50),
    ("by day at most 0.04 lost", lambda s: s["map50"]["day"]["before"] - s["map50"]["day"]["after"] <= 0.04),
    ("at most 120 images reviewed", lambda s: 0 < s["reviewed"] <= 120),
    (
        "every started human loop completed",
        lambda s: s["human_loops"]["started"] == s["human_loops"]["completed"] > 0,
    ),
    ("no image asked about twice", lambda s: s["human_loops"]["duplicates"] == 0),
    ("one answer for each image asked about", lambda s: s["answers"] == s["reviewed"]),
    ("the better model became the champion", lambda s: s["promoted"]),
)


def broken(summary: Summary) -> list[str]:
    """The promises that this run did not keep, in words."""
    return [promise for promise, holds in _PROMISES if not holds(summary)]
