"""Stored nights looked at again: what was asked, what each policy would have asked, and what is known of it.

Takes a pipeline's batches between two dates and policies, gives ``Backtest``: sums over the nights. What a
question would have bought is known where people have answered one: the wrong images, and what was missed or
wrongly said on them at work. Answers were gathered by the policy of then, so that they speak for what is
like it; the audits, which are drawn by lot, do not: of the wrong images among them, a policy's share is that
of all wrong images, but for chance. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from include.loop.backtest.choosing import Room, choose
from include.loop.backtest.policies import Policy
from include.loop.core import layout
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.identity import batch_date
from include.loop.core.records.nightly import Batch, Predictions
from include.loop.core.records.triage import Decision, Row, read_looked_at
from include.loop.nightly.choosing import with_cost
from include.loop.nightly.effort import read_estimate
from include.loop.nightly.predictions import predictions_of
from include.loop.strategies import AUDIT
from include.loop.tasks.values import Labelled
from include.loop.trials.shards import committed_shards, read_discarded
from include.loop.workspace import Workspace

THEN = "as it was asked"


@dataclass(frozen=True)
class Known:
    """What an answer says of the model's on an image: whether anything is wrong, and how much of it."""

    wrong: bool
    mistakes: int


@dataclass(frozen=True)
class Bought:
    """What a policy asked about, in sums: images and the time and money for them; those that were asked
    about then, too; those that have a label, the wrong ones of these, and the mistakes on them; and of the
    audited images those that it would have asked about if they were no audits, and the wrong ones of these.
    """

    asked: int = 0
    seconds: float = 0.0
    dollars: float = 0.0
    then: int = 0
    labelled: int = 0
    wrong: int = 0
    mistakes: int = 0
    audits: int = 0
    wrong_audits: int = 0

    def __add__(self, other: Bought) -> Bought:
        return Bought(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True)
class Backtest:
    """Sums over ``nights``, by policy, what was really asked first. ``left_out`` says of each other night
    why. Of ``images`` with a prediction, ``audited`` ones have a label, and the model was wrong on
    ``wrong_audits`` of these.
    """

    nights: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    images: int = 0
    audited: int = 0
    wrong_audits: int = 0
    bought: Mapping[str, Bought] = field(default_factory=dict)


def batches_between(workspace: Workspace, first: str | None, last: str | None) -> list[str]:
    """The batches of these dates, both included, the oldest first; None is no bound."""
    names = layout.batch_folders(workspace.storage.list_folders(layout.RUNS))
    return [
        name
        for name in names
        if (first is None or batch_date(name).isoformat() >= first)
        and (last is None or batch_date(name).isoformat() <= last)
    ]


def run(
    workspace: Workspace,
    policies: Sequence[Policy],
    batches: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Backtest:
    """Look at each batch again with each policy."""
    answers = _answers(workspace, {*batches})
    nights: list[str] = []
    left_out: dict[str, str] = {}
    images = audited = wrong = 0
    bought = {name: Bought() for name in (THEN, *(one.name for one in policies))}
    for done, batch in enumerate(batches):
        progress(done, len(batches))
        pinned = _pinned(workspace, batch)
        if isinstance(pinned, str):
            left_out[batch] = pinned
            continue
        try:
            known, audits = _judge(workspace, batch, answers[batch])
            night = _night(workspace, pinned, policies, known, audits)
            images += Predictions.read(workspace.storage, batch).predicted
        except (FileNotFoundError, ValueError, Fatal) as error:  # Arrow's are ValueErrors
            left_out[batch] = str(error)
            continue
        for name, more in night.items():
            bought[name] += more
        nights.append(batch)
        audited += len(audits)
        wrong += sum(known[image].wrong for image in audits)
    progress(len(batches), len(batches))
    return Backtest(tuple(nights), left_out, images, audited, wrong, bought)


def _pinned(workspace: Workspace, batch: str) -> Batch | str:
    """A batch that can be looked at again, or why it cannot."""
    pinned = Batch.find(workspace.storage, batch)
    if pinned is None:
        return "its images were never listed"
    if pinned.champion is None:
        return "there was no model yet"
    done = Predictions.find(workspace.storage, batch)
    if done is None or not done.parts:
        return "its predictions are not there, or of a version before parts"
    if not workspace.storage.exists(layout.triage_file(batch)):
        return "nobody was to be asked: it was never triaged"
    return pinned


def _night(
    workspace: Workspace,
    pinned: Batch,
    policies: Sequence[Policy],
    known: Mapping[str, Known],
    audits: frozenset[str],
) -> dict[str, Bought]:
    estimate, review = read_estimate(workspace), workspace.pipeline.review

    def price(row: Row) -> Row:
        return with_cost(row, estimate.seconds(row.shown), review)

    looked_at = [row for row in read_looked_at(workspace.storage, pinned.batch) if row.again is None]
    then = [price(row) for row in looked_at if row.decision is Decision.ASK]
    drawn = [row for row in then if row.reason == AUDIT]
    spent = sum(row.expected_seconds for row in drawn)

    def room(one: Policy) -> Room:
        triage = one.workspace.pipeline.triage
        dollars = triage.budget.dollars and triage.budget.dollars * 3600 / review.dollars_per_hour
        limits = [limit for limit in (triage.budget.seconds, dollars) if limit is not None]
        left = max(0.0, min(limits) - spent) if limits else None
        return Room(max(0, triage.cap - len(drawn)), left)

    found = choose(pinned, policies, room, looked_at, {row.image for row in drawn}, price)
    before = {row.image for row in then}

    def sum_up(rows: Iterable[Row], named: Iterable[Row]) -> Bought:
        asked = {row.image: row for row in rows}
        answered = [known[image] for image in asked if image in known]
        lot = [known[row.image] for row in named if row.image in audits]
        return Bought(
            asked=len(asked),
            seconds=sum(row.expected_seconds for row in asked.values()),
            dollars=sum(row.expected_dollars for row in asked.values()),
            then=len(before.intersection(asked)),
            labelled=len(answered),
            wrong=sum(one.wrong for one in answered),
            mistakes=sum(one.mistakes for one in answered),
            audits=len(lot),
            wrong_audits=sum(one.wrong for one in lot),
        )

    return {
        THEN: sum_up(then, ()),
        **{
            one.name: sum_up([*chosen.asked, *drawn], chosen.named)
            for one, chosen in zip(policies, found, strict=True)
        },
    }


def _answers(workspace: Workspace, batches: set[str]) -> defaultdict[str, list[dict[str, Any]]]:
    """The lines of these batches, also those that came late and are in a later shard. A label that serves
    several images with the same bytes is one.
    """
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    discarded, seen = read_discarded(workspace), set()
    for shard, _ in committed_shards(workspace.storage):
        if shard in discarded:
            continue
        for line in workspace.storage.read_lines(layout.labels_manifest(shard)):
            batch, loop = str(line.get("batch", shard)), line.get("loop")
            if batch in batches and loop not in seen:
                seen.add(loop)
                found[batch].append(line)
    return found


def _judge(
    workspace: Workspace, batch: str, lines: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, Known], frozenset[str]]:
    """What is known of the batch's images that have a label, and which of them are audits."""
    labels: dict[str, Labelled] = {}
    drawn = set()
    for line in lines:
        try:
            label = workspace.task.read_value(dict(line))
        except BadRecord:  # there is nothing to compare with
            continue
        labels[label.source] = label
        if line.get("reason") == AUDIT:
            drawn.add(label.source)
    said = predictions_of(workspace, batch, labels)
    judged = [label for image, label in labels.items() if image in said]
    if not judged:
        return {}, frozenset()
    seen = workspace.task.measure(judged, said, workspace.pipeline.evaluation.score_threshold).outcomes()
    mistakes = seen.true + seen.said - 2 * seen.found
    known = {
        label.source: Known(not right, int(count))
        for label, right, count in zip(judged, seen.right, mistakes, strict=True)
    }
    return known, frozenset(drawn & known.keys())
