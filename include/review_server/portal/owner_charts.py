"""What the owners' pages draw: answers per hour by worker, and how many seconds answers took.

Takes the database and the clock, gives values from 0 to 100 that templates put into SVG and meters. Of the
last 24 hours, the newest ten thousand answers at most are looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, cast, func, select

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import Task, Worker, inline, milliseconds
from include.review_server.db.statuses import TaskStatus
from include.review_server.portal.owner_sample import Sample

_HOURS = 24
_MOST_ANSWERS = 10_000
COLOURS = 6  # of portal.css; whoever comes after has the last one together
_OTHERS = "others"
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300)


@dataclass(frozen=True)
class Part:
    """One worker's part of an hour; ``start`` and ``width`` are in hundredths of the busiest hour shown."""

    worker: str
    colour: int
    answers: int
    start: float
    width: float


@dataclass(frozen=True)
class Hour:
    """Answers accepted in one hour."""

    begins: datetime
    answers: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Step:
    """How many answers took so long; ``share`` is of the fullest step, 0 to 1."""

    words: str
    answers: int
    share: float


class Charts:
    """Counts for pictures."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def hours(self, queue_id: int) -> list[Hour]:
        """From the current hour back to the first with an answer within 24; empty without an answer."""
        current = self._clock().replace(minute=0, second=0, microsecond=0)
        first = current - timedelta(hours=_HOURS - 1)
        newest = (
            select(
                Task.worker_id,
                ((cast(Task.ended_at, BigInteger) - milliseconds(first)) // 3_600_000).label("number"),
            )
            .where(
                Task.queue_id == queue_id,
                Task.status == inline(TaskStatus.ANSWERED),
                Task.ended_at >= first,
            )
            .order_by(Task.ended_at.desc())
            .limit(_MOST_ANSWERS)
            .subquery()
        )
        query = (
            select(newest.c.number, Worker.id, Worker.name, func.count())
            .join(Worker, Worker.id == newest.c.worker_id)
            .group_by(newest.c.number, Worker.id, Worker.name)
        )
        with self._database.read() as session:
            rows = [(int(number), who, name, count) for number, who, name, count in session.execute(query)]
        by_worker: Counter[tuple[str, str]] = Counter()
        by_hour: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        for number, worker_id, name, count in rows:
            by_worker[worker_id, name] += count
            by_hour[number][worker_id, name] += count
        ranks = {worker: place for place, (worker, _) in enumerate(by_worker.most_common())}
        most = max((counted.total() for counted in by_hour.values()), default=1)
        return [
            Hour(
                first + timedelta(hours=number), by_hour[number].total(), _parts(by_hour[number], ranks, most)
            )
            for number in reversed(range(min(by_hour, default=_HOURS), _HOURS))
        ]


def legend(hours: list[Hour]) -> list[tuple[str, int]]:
    """Each worker of a chart with the number of the colour."""
    named = {(part.colour, part.worker) for hour in hours for part in hour.parts}
    return [(worker, colour) for colour, worker in sorted(named)]


def seconds(sample: Sample) -> list[Step]:
    """How long the newest answers took."""
    bounds = (0, *_STEPS)
    counts = [0] * len(bounds)
    for given in sample.answers:
        counts[sum(given.seconds >= step for step in _STEPS)] += 1
    words = [f"{low} to {high} s" for low, high in zip(bounds, _STEPS, strict=False)]
    words = [f"under {_STEPS[0]} s", *words[1:], f"{_STEPS[-1]} s and more"]
    shown = [place for place, count in enumerate(counts) if count]
    if not shown:
        return []
    most = max(counts)
    return [Step(words[i], counts[i], counts[i] / most) for i in range(shown[0], shown[-1] + 1)]


def _parts(
    counted: Counter[tuple[str, str]], ranks: dict[tuple[str, str], int], most: int
) -> tuple[Part, ...]:
    by_colour: dict[int, tuple[str, int]] = {}
    for worker in sorted(counted, key=lambda one: ranks[one]):
        colour = min(ranks[worker], COLOURS - 1)
        name, count = by_colour.get(colour, (worker[1], 0))
        # The last colour is one worker's alone where there are no more workers than colours.
        name = _OTHERS if colour == COLOURS - 1 and len(ranks) > COLOURS else name
        by_colour[colour] = name, count + counted[worker]
    parts, start = [], 0.0
    for colour, (name, count) in by_colour.items():
        width = 100 * count / most
        parts.append(Part(name, colour, count, round(start, 2), round(width, 2)))
        start += width
    return tuple(parts)
