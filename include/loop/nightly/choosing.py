"""Who is asked about: what a model's answers are worth, and which images make it under the cap. Pure.

``weigh`` judges each image of a part alone, ``ask`` goes through the candidates of all parts in their order
and has them looked at until the cap is reached, or the budget spent. All randomness is a hash of the image's
content: the same batch is always triaged the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from include.loop.config import ReviewSettings, TriageSettings
from include.loop.core.identity import share
from include.loop.core.lookalikes import Lookalikes
from include.loop.core.records.nightly import PinnedImage
from include.loop.core.records.triage import Decision, Rank, Row, Weighed
from include.loop.nightly.looks import Look, LookAt
from include.loop.nightly.predictions import Predicted
from include.loop.strategies import AUDIT, Doubt, ImageScores, Strategy, find_strategy

# What a strategy is shown of a prediction.
Show = Callable[[Predicted], ImageScores]
BLIND = "no model yet"
# When so many wait for each one that may be asked, nobody looks for others any more: where a camera sees the
# same all night, all of the night would be read.
ALIKE = 10
LOOKS_LIKE = "looks like "  # how the reason of one begins that waited in vain


def scores_of(prediction: Predicted) -> ImageScores:
    """What every strategy sees."""
    return ImageScores(prediction.said, share("strategy", prediction.etag))


def weigh(
    predictions: Iterable[Predicted],
    settings: TriageSettings,
    show: Show = scores_of,
    prelabel_threshold: float = 0.0,
) -> Iterator[Weighed]:
    """What each prediction is worth asking about, in their order, to each strategy. Of its scores those from
    ``prelabel_threshold`` on are shown to people.
    """
    strategies = {name: find_strategy(name) for name in settings.shares}
    first, *others = strategies

    def judge(strategy: Strategy, scores: ImageScores) -> Doubt:
        return strategy.doubt(scores, 1.0 if others and strategy.by_share else settings.threshold)

    for item in predictions:
        if item.problem is not None:
            yield Weighed(Row(item.uri, item.etag, None, 0, Decision.UNREADABLE, item.problem))
            continue
        scores = show(item)
        said = {name: judge(strategy, scores) for name, strategy in strategies.items()}
        why = {name: f"{name}: {doubt.reason}" if others else doubt.reason for name, doubt in said.items()}
        shown = sum(one.score >= prelabel_threshold for one in scores.scores)
        best = max(scores.scores, key=lambda one: one.score, default=None)
        row = Row(
            item.uri,
            item.etag,
            scores.top,
            len(scores.scores),
            Decision.SKIP,
            why[first],
            shown=shown,
            top_class=None if best is None else best.class_id,
        )
        dice = share("audit", item.etag)
        if dice < settings.audit_share:
            # An audit says what the model gets wrong while it feels sure: the cap must not squeeze it out.
            yield _candidate(row, Rank(False, dice), AUDIT, settings)
            continue
        ranks = {name: Rank(True, -doubt.urgency) for name, doubt in said.items() if doubt.ask}
        if not ranks:
            yield Weighed(row)
            continue
        named = _candidate(row, ranks.get(first), why[next(iter(ranks))], settings)
        further = {name: (rank, why[name]) for name, rank in ranks.items() if name != first}
        yield replace(named, further=further)


def weigh_blindly(images: Iterable[PinnedImage], settings: TriageSettings) -> Iterator[Weighed]:
    """No model yet: in a random order, which cold_start.py may change."""
    for image in images:
        row = Row(image.uri, image.etag, None, 0, Decision.SKIP, "")
        yield _candidate(row, Rank(True, share("blind", image.etag)), BLIND, settings)


def ask(
    candidates: Iterable[tuple[Row, str]],
    cap: int,
    look: LookAt,
    price: Callable[[Row], Row] = lambda row: row,
    budget: float | None = None,
    give_back: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Ask about the first candidates (each with its reason), as many as the cap and the time for looking
    allow, and while ``price`` says that their expected seconds fit into the budget together; the rows of all
    that were looked at, in the order in which they were. ``give_back`` hears at once of each that turned out
    to be nothing to ask about.

    What looks like an image that is asked about (core/lookalikes.py) waits until nothing else is left: of the
    second answer a model learns little. Audits do not wait, for they stand for all images alike.
    """
    waiting, asked, left = iter(candidates), 0, math.inf if budget is None else budget
    after: list[tuple[Row, str]] = []  # what did not fit is next, should some before it be nothing to ask
    alike: list[tuple[Row, str, Look, str]] = []
    rows: list[Row] = []
    known, most = _Asked(), 0  # so many there may be to ask about
    # Not one image is read that the cap and the budget leave no room for.
    while True:
        chosen: list[tuple[Row, str]] = []
        room = left
        while len(chosen) < cap - asked and (item := after.pop() if after else next(waiting, None)):
            priced = price(item[0])
            if priced.expected_seconds > room:
                after.append(item)
                break
            room -= priced.expected_seconds
            chosen.append((priced, item[1]))
        most = max(most, asked + len(chosen))
        seen = list(zip(chosen, look([(row.image, row.etag) for row, _ in chosen]), strict=False))
        for (row, reason), one in seen:
            if other := known.looks_like(row, reason, one):
                alike.append((row, reason, one, other))
                give_back(row)
                continue
            rows.append(known.decide(row, reason, one))
            if rows[-1].decision is Decision.ASK:
                asked += 1
                left -= row.expected_seconds
            else:
                give_back(row)
        # Nothing is left, or no time, or little hope.
        if not chosen or len(seen) < len(chosen) or len(alike) > ALIKE * most:
            break
    for row, reason, one, other in alike:
        # A copy of what was asked about from these takes no room.
        fits = known.has(one) or (asked < cap and row.expected_seconds <= left)
        rows.append(known.decide(row, reason, replace(one, known=None if fits else f"{LOOKS_LIKE}{other}")))
        if rows[-1].decision is Decision.ASK:
            asked += 1
            left -= row.expected_seconds
    return rows


class _Asked:
    """What is asked about, to know it again by its bytes, and by what it looks like."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._images: list[str] = []
        self._looks = Lookalikes()

    def has(self, seen: Look) -> bool:
        """Whether these bytes are asked about."""
        return seen.sha256 in self._first

    def looks_like(self, row: Row, reason: str, seen: Look) -> str | None:
        """The image that is asked about and looks like this one; None of one that does not wait for that."""
        if seen.problem or seen.known or self.has(seen) or reason == AUDIT or row.again:
            return None
        place = self._looks.first(seen.phash)
        return None if place is None else self._images[place]

    def decide(self, row: Row, reason: str, seen: Look) -> Row:
        """Ask about it, unless its bytes are asked about already, or there is something else to say of it."""
        row = replace(row, sha256=seen.sha256, width=seen.width, height=seen.height)
        free = replace(row, expected_seconds=0.0, expected_dollars=0.0)
        if seen.problem:
            return replace(free, decision=Decision.UNREADABLE, reason=seen.problem)
        if seen.known:
            return replace(free, decision=Decision.SKIP, reason=seen.known)
        if asked := self._first.get(seen.sha256 or ""):
            return replace(free, decision=Decision.SKIP, reason=same_as(asked), same_as=asked)
        if seen.sha256:
            self._first[seen.sha256] = row.image
        self._images.append(row.image)
        self._looks.add(seen.phash)
        return replace(row, decision=Decision.ASK, reason=reason)


def same_as(image: str) -> str:
    """The reason of an image whose bytes are asked about under another name."""
    return f"same bytes as {image}"


def with_cost(row: Row, seconds: float, review: ReviewSettings) -> Row:
    """The row with what asking about it takes, if one answer takes so many seconds; none takes more than the
    question's time limit, whatever the model shows.
    """
    seconds = min(seconds, review.time_limit_seconds) * review.task_count
    return replace(
        row, expected_seconds=seconds, expected_dollars=round(seconds / 3600 * review.dollars_per_hour, 6)
    )


def _candidate(row: Row, rank: Rank | None, why: str, settings: TriageSettings) -> Weighed:
    limit = f"over the cap of {settings.cap}"
    if any(vars(settings.budget).values()):
        limit += ", or over the budget"
    return Weighed(replace(row, reason=f"{why}; {limit}"), rank, why)
