"""Stored nights looked at again: what was asked, what each policy would have asked, and what is known of it.

Takes a pipeline's batches between two dates and policies, gives ``Backtest``: sums over the nights. What a
question would have bought is known where people have answered one: the wrong images, and what was missed or
wrongly said on them at work. Answers were gathered by the policy of then, so that they speak for what is
like it; the audits, which are drawn by lot, do not: of the wrong ones among them, a policy would have named
the same part as of all wrong images, but for chance. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from include.loop.backtest.choosing import choose
from include.loop.backtest.policies import Policy
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import batch_date
from include.loop.core.records.nightly import Batch, Predictions
from include.loop.core.records.triage import Decision, Row, read_looked_at
from include.loop.nightly.choosing import with_cost
from include.loop.nightly.effort import Estimate, read_estimate
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
    wrong audits with a label those that it names whatever the lot says (``Chosen``).
    """

    asked: int = 0
    seconds: float = 0.0
    dollars: float = 0.0
    then: int = 0
    labelled: int = 0
    wrong: int = 0
    mistakes: int = 0
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


def all_batches(workspace: Workspace) -> list[str]:
    """The batches there are, the oldest first."""
    return layout.batch_folders(workspace.storage.list_folders(layout.RUNS))


def run(
    workspace: Workspace,
    policies: Sequence[Policy],
    batches: Sequence[str],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Backtest:
    """Look at each batch, the oldest comes first, again with each policy. A night that cannot be read costs
    itself.
    """
    answers, estimate = _Answers(workspace, batches), read_estimate(workspace)
    nights: list[str] = []
    left_out: dict[str, str] = {}
    images = audited = wrong = 0
    bought = {name: Bought() for name in (THEN, *(one.name for one in policies))}
    by_date: dict[date, str] = {}
    for done, batch in enumerate(reversed(batches)):
        progress(done, len(batches))
        if newer := by_date.get(batch_date(batch)):
            # The same images, and by their content the same audits: they are not to count twice.
            left_out[batch] = f"forced anew as {newer}"
            continue
        try:
            pinned = _pinned(workspace, batch)
            if isinstance(pinned, str):
                left_out[batch] = pinned
                continue
            predicted = Predictions.read(workspace.storage, batch).predicted
            known = _judge(workspace, batch, answers.of(batch))
            night = _night(workspace, pinned, policies, known, estimate)
        except (FileNotFoundError, ValueError) as error:  # Fatal and Arrow's are ValueErrors
            left_out[batch] = str(error)
            continue
        for name, more in night.bought.items():
            bought[name] += more
        nights.append(batch)
        by_date[batch_date(batch)] = batch
        images += predicted
        audited += night.audited
        wrong += night.wrong_audits
    progress(len(batches), len(batches))
    return Backtest(tuple(reversed(nights)), left_out, images, audited, wrong, bought)


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
    if not workspace.storage.exists(layout.questions_header(batch)):
        return "nobody was asked: its questions were never written"
    return pinned


@dataclass(frozen=True)
class _Night:
    """What each policy bought; the audits with a label, and those of them that the model was wrong on."""

    bought: dict[str, Bought]
    audited: int
    wrong_audits: int


def _night(
    workspace: Workspace,
    pinned: Batch,
    policies: Sequence[Policy],
    known: Mapping[str, Known],
    estimate: Estimate,
) -> _Night:
    review = workspace.pipeline.review

    def price(row: Row) -> Row:
        return with_cost(row, estimate.seconds(row.shown), review)

    looked_at = [row for row in read_looked_at(workspace.storage, pinned.batch) if row.again is None]
    then = [price(row) for row in looked_at if row.decision is Decision.ASK]
    before = {row.image for row in then}
    audits = {row.image: known[row.image] for row in then if row.reason == AUDIT and row.image in known}
    wrong = {image for image, one in audits.items() if one.wrong}

    def sum_up(rows: Sequence[Row], names: frozenset[str] = frozenset()) -> Bought:
        answered = [known[row.image] for row in rows if row.image in known]
        return Bought(
            asked=len(rows),
            seconds=sum(row.expected_seconds for row in rows),
            dollars=sum(row.expected_dollars for row in rows),
            then=sum(row.image in before for row in rows),
            labelled=len(answered),
            wrong=sum(one.wrong for one in answered),
            mistakes=sum(one.mistakes for one in answered),
            wrong_audits=len(wrong & names),
        )

    bought = {THEN: sum_up(then)}
    for one, chosen in zip(policies, choose(pinned, policies, looked_at, price), strict=True):
        bought[one.name] = sum_up(chosen.asked, chosen.names)
    return _Night(bought, len(audits), len(wrong))


class _Answers:
    """The lines of some batches, also those that came late and are in a later shard; discarded ones aside."""

    def __init__(self, workspace: Workspace, batches: Iterable[str]) -> None:
        self._lines: dict[str, list[dict[str, Any]]] = {batch: [] for batch in batches}
        self._broken: dict[str, Exception] = {}
        discarded = read_discarded(workspace)
        for shard, summary in committed_shards(workspace.storage):
            of = self._lines.keys() & {shard, *(batch for batch, _ in summary.late_loops)}
            if not of or shard in discarded:
                continue
            try:
                for line in workspace.storage.read_lines(layout.labels_manifest(shard)):
                    if (batch := str(line.get("batch", shard))) in of:
                        self._lines[batch].append(line)
            except (FileNotFoundError, ValueError) as error:
                self._broken |= dict.fromkeys(of, error)

    def of(self, batch: str) -> list[dict[str, Any]]:
        """FileNotFoundError or ValueError when there are more of them that cannot be read."""
        if batch in self._broken:
            raise self._broken[batch]
        return self._lines[batch]


def _judge(workspace: Workspace, batch: str, lines: Iterable[dict[str, Any]]) -> dict[str, Known]:
    """What is known of the batch's images that have a label, by image."""
    labels: dict[str, Labelled] = {}
    for line in lines:
        try:
            label = workspace.task.read_value(line)
        except BadRecord:  # there is nothing to compare with
            continue
        labels[label.source] = label
    said = predictions_of(workspace, batch, labels)
    judged = [label for image, label in labels.items() if image in said]
    if not judged:
        return {}
    seen = workspace.task.measure(judged, said, workspace.pipeline.evaluation.score_threshold).outcomes()
    mistakes = seen.true + seen.said - 2 * seen.found
    return {
        # The best class is right though it is below what counts at work: nothing is wrong there.
        label.source: Known(not right, 0 if right else int(count))
        for label, right, count in zip(judged, seen.right, mistakes, strict=True)
    }
