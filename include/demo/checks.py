"""What must hold for any seed of the demo, as a list of checks over its summary.

The checks are the same for every sample; the numbers in them are the sample's promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from include.demo.domains import Domain, Domains

Summary = dict[str, Any]

BATCHES = 3
Check = tuple[str, Callable[[Summary], bool]]


@dataclass(frozen=True)
class Promises:
    """The numbers of the documentation: how blind the first model is in the target domain (the score is below
    it), how well it must see there after three batches of answers, how much it may forget of the source after
    any of them, and how few images people are asked about in all. ``metric`` is the score's name.
    """

    metric: str
    before: float
    after: float
    most_lost: float
    most_reviewed: int


def failed(summary: Summary, promises: Promises, domains: Domains) -> list[str]:
    """The checks that this run did not pass, in words."""
    return [check for check, passes in _checks(promises, domains) if not passes(summary)]


def _held(summary: Summary, source: Domain, most_lost: float) -> bool:
    """Against the first model, after every batch: small losses must not add up."""
    first = summary["score"][source.test_set]["before"]
    # Written so that a NaN passes no check.
    return all(first - batch["score"][source.test_set]["after"] <= most_lost for batch in summary["batches"])


def _never_fell(summary: Summary, target: Domain) -> bool:
    after = [batch["score"][target.test_set]["after"] for batch in summary["batches"]]
    first = summary["score"][target.test_set]["before"]
    return all(earlier <= later for earlier, later in pairwise([first, *after]))


def _endpoint_has_the_champion(summary: Summary) -> bool:
    endpoint = summary["endpoint"] or {}
    return endpoint.get("status") == "InService" and endpoint["training_job"] == summary["champion"]


def _checks(promises: Promises, domains: Domains) -> Iterator[Check]:
    """A batch whose challenger the gate turned down fails none of them: the old champion stays, and the next
    one is trained on those labels.
    """
    metric, before, after = promises.metric, promises.before, promises.after
    lost, reviewed = promises.most_lost, promises.most_reviewed
    source, target = domains.both
    scored, name = f"{metric} {target.words}", target.test_set
    yield f"before: {scored} below {before:.2f}", lambda s: s["score"][name]["before"] < before
    yield f"after: {scored} at least {after:.2f}", lambda s: s["score"][name]["after"] >= after
    yield f"{target.words} it never falls from one batch to the next", lambda s: _never_fell(s, target)
    yield f"{source.words} at most {lost:.2f} lost, after every batch", lambda s: _held(s, source, lost)
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
