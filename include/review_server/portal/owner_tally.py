"""What many answers tell together: who agrees with whom, on which items people differ, how often they gave
which class, and what they made of the model's proposals. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import combinations

from include.review_server.portal.owner_comparing import Change, Matrix
from include.review_server.portal.owner_given import Given

_MOST_DISPUTED = 10
_MOST_CLASSES = 40
_MOST_CHANGES = 40
# A worker is unlike the others after so many comparisons, when disagreeing twice as often, and by so much.
LEAST_COMPARED = 10
_TIMES, _BY = 2.0, 0.2

# The answers of an item that were compared (task and end), and how far they are apart.
Far = tuple[tuple[tuple[str, datetime], ...], Matrix]
# What the worker of a task (and its end) made of the model's proposals; None where that was not to be told.
Made = Mapping[tuple[str, datetime], Counter[Change] | None]


@dataclass(frozen=True)
class Disputed:
    """An item whose answers differ; ``far`` is 1 where they have nothing in common."""

    item_id: int
    item: str
    far: float
    answers: tuple[Given, ...]


@dataclass(frozen=True)
class WorkerCounts:
    """One worker's part. ``modified``: share of answers that changed the pre-labels. ``agreement``: mean
    likeness to others' answers in ``compared`` comparisons. ``is_unlike``: clearly less than others agree.
    """

    name: str
    worker_id: str
    answers: int
    seconds_per_answer: float
    modified: float | None
    last_answer: datetime
    fast: int
    agreement: float | None
    compared: int
    is_unlike: bool


@dataclass(frozen=True)
class ClassCount:
    """How often people gave a class, and to how many items. ``share``: of the most."""

    name: str
    count: int
    items: int
    share: float


@dataclass(frozen=True)
class ClassChange:
    """What the model said and what people said of it; an empty name means nothing. ``share``: of the most."""

    model: str
    person: str
    count: int
    share: float


@dataclass(frozen=True)
class Tally:
    """What the answers tell. ``agreement`` is None when no two answers to one item were compared;
    people differ on ``differing`` items, of which ``disputed`` are the first. Of ``all_classes`` that were
    given, ``classes`` are the most frequent; ``unread`` answers were too long to be looked at. ``crowded``
    answers have too many boxes on one spot to be compared with the others, or with the model's.
    """

    workers: tuple[WorkerCounts, ...] = ()
    disputed: tuple[Disputed, ...] = ()
    agreement: float | None = None
    compared_items: int = 0
    differing: int = 0
    classes: tuple[ClassCount, ...] = ()
    all_classes: int = 0
    unread: int = 0
    changes: tuple[ClassChange, ...] = ()
    crowded: int = 0


def tally(given: Sequence[Given], far: Mapping[int, Far], made: Made) -> Tally:
    """Answers, newest first. ``far`` is by item; ``made`` is what each made of the model's proposals."""
    by_task = {one.task_id: one for one in given}
    by_item: dict[int, list[Given]] = defaultdict(list)
    for one in reversed(given):
        by_item[one.item_id].append(one)
    sums: dict[str, list[float]] = defaultdict(list)
    total, pairs, items = 0.0, 0, 0
    disputed = []
    crowded = {task_id for (task_id, _), change in made.items() if change is None}
    for item_id, (marks, matrix) in far.items():
        answers = [by_task[task_id] for task_id, _ in marks]
        values = []
        for a, b in combinations(range(len(answers)), 2):
            if (value := matrix[a][b]) is None:
                crowded |= {answers[a].task_id, answers[b].task_id}
                continue
            values.append(value)
            sums[answers[a].worker_id].append(value)
            sums[answers[b].worker_id].append(value)
        total += sum(values)
        pairs += len(values)
        items += bool(values)
        if any(values):
            mean = sum(values) / len(values)
            disputed.append(Disputed(item_id, answers[0].item, mean, tuple(by_item[item_id])))
    agreement = 1 - total / pairs if pairs else None
    # Of those who differ alike, the newest first.
    newest = sorted(disputed, key=lambda one: one.answers[-1].ended_at, reverse=True)
    first = sorted(newest, key=lambda one: one.far, reverse=True)[:_MOST_DISPUTED]
    times, items_of = _classes(by_item.values())
    return Tally(
        workers=_workers(given, sums, pairs, total),
        disputed=tuple(first),
        agreement=agreement,
        compared_items=items,
        differing=len(disputed),
        classes=_most_given(times, items_of),
        all_classes=len(times),
        unread=sum(one.said is None for one in given),
        changes=_sum(change for change in made.values() if change is not None),
        crowded=len(crowded),
    )


def _workers(
    given: Sequence[Given],
    sums: dict[str, list[float]],
    pairs: int,
    total: float,
) -> tuple[WorkerCounts, ...]:
    by_worker: dict[str, list[Given]] = defaultdict(list)
    for one in given:
        by_worker[one.worker_id].append(one)
    counts = []
    for worker_id, answers in by_worker.items():
        own = sums.get(worker_id, [])
        told = [one.said.modified for one in answers if one.said and one.said.modified is not None]
        counts.append(
            WorkerCounts(
                answers[0].worker,
                worker_id,
                len(answers),
                sum(one.seconds for one in answers) / len(answers),
                sum(told) / len(told) if told else None,
                answers[0].ended_at,
                sum("fast" in one.flags for one in answers),
                1 - sum(own) / len(own) if own else None,
                len(own),
                _stands_out(own, pairs - len(own), total - sum(own)),
            )
        )
    return tuple(sorted(counts, key=lambda worker: (-worker.answers, worker.name)))


def _stands_out(own: list[float], others: int, others_total: float) -> bool:
    """Whether one disagrees clearly more than the others do among themselves. Two alone tell nothing."""
    if len(own) < LEAST_COMPARED or others < LEAST_COMPARED:
        return False
    mine, theirs = sum(own) / len(own), others_total / others
    return mine >= _TIMES * theirs and mine - theirs >= _BY


def _classes(items: Iterable[list[Given]]) -> tuple[Counter[str], Counter[str]]:
    """How often each class was given, and to how many items."""
    times: Counter[str] = Counter()
    items_of: Counter[str] = Counter()
    for answers in items:
        named = Counter(name for one in answers if one.said for name in one.said.all_named)
        times.update(named)
        items_of.update(named.keys())
    return times, items_of


def _most_given(times: Counter[str], items_of: Counter[str]) -> tuple[ClassCount, ...]:
    rows = nsmallest(_MOST_CLASSES, times.items(), key=lambda row: (-row[1], row[0]))
    return tuple(ClassCount(name, count, items_of[name], count / rows[0][1]) for name, count in rows)


def _sum(made: Iterable[Counter[Change]]) -> tuple[ClassChange, ...]:
    counted: Counter[Change] = Counter()
    for one in made:
        counted.update(one)
    most = max(counted.values(), default=1)
    rows = sorted(counted.items(), key=lambda row: (-row[1], row[0]))[:_MOST_CHANGES]
    return tuple(ClassChange(*change, count, count / most) for change, count in rows)
