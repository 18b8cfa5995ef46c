"""An analysis as one value: what the page, the terminal and ``--json`` say is the same.

Takes ``Tables`` and prices, gives a ``Summary``, its JSON and its text.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.loop.analysis import statistics
from include.loop.analysis.answers import short_name
from include.loop.analysis.costs import Ledger, Prices, ledger
from include.loop.analysis.statistics import ByBoxes, Line, Mean, Share, Worker
from include.loop.analysis.tables import FAILED, UNLABELLED_STATE, UNREADABLE, Tables
from include.loop.report import formats

if TYPE_CHECKING:
    from pandas import DataFrame

MEASURES = {
    ("boxes", "references"): "IoU with the reference boxes",
    ("boxes", "workers"): "IoU of the workers' answers with each other",
    ("classes", "references"): "agreement with the reference classes",
    ("classes", "workers"): "agreement of the workers with each other",
}

_MOST_WORKERS = 20  # on a terminal


@dataclass(frozen=True)
class Summary:
    """``measure`` says in words what the score of an image is, None where nothing can be compared.
    ``answers`` are those that were read or, where they are not there, those that were asked for
    (``answers_known`` says which). ``other_class`` counts pairs of boxes that lie together under different
    names. The costs are of the job's own labels, where it is known which job is meant.
    """

    title: str
    manifest: str
    label: str
    kind: str
    measure: str | None
    lines: int
    states: Mapping[str, int]
    human: int
    machine: int
    boxes: int
    answers: int
    answers_known: bool
    seconds: float
    groups: Mapping[str, Mean]
    line: Line | None
    surest: tuple[Share, ...]
    histograms: Mapping[str, list[int]]
    by_boxes: tuple[ByBoxes, ...]
    workers: tuple[Worker, ...]
    iterations: Mapping[int, int]
    classes: Mapping[str, int]
    confusion: Mapping[str, Mapping[str, int]]
    other_class: int
    prices: Prices
    costs: Ledger
    problems: Mapping[str, int]

    @property
    def labels(self) -> int:
        return self.human + self.machine

    @property
    def told_groups(self) -> dict[str, Mean]:
        """Those with images; all of them together only where people and the machine have both labelled."""
        found = {name: mean for name, mean in self.groups.items() if mean.images}
        return found if len(found) != 2 else {name: mean for name, mean in found.items() if name != "all"}

    @property
    def told_line(self) -> Line | None:
        """None for few images, which lie beside almost any line."""
        return self.line if self.groups["all"].images >= statistics.LEAST else None

    @property
    def told_surest(self) -> tuple[Share, ...]:
        """None where it makes no difference how sure an image is."""
        equal = len({item.confidence for item in self.surest}) < 2
        return () if equal or len({round(item.mean, 3) for item in self.surest}) < 2 else self.surest

    @property
    def headline(self) -> str:
        """In one sentence."""
        mean = self.groups["all"]
        told = "" if mean.mean is None else f" Mean {self.measure}: {mean.mean:.3f}."
        failed = self.states.get(FAILED, 0)
        return (
            f"{self.labels:,} of {self.lines:,} labelled, {self.human:,} by people and "
            f"{self.machine:,} by machine"
            + (f", {failed:,} failed" if failed else "")
            + f", for {formats.dollars(self.costs.total)}{self._basis}.{told}"
        )

    @property
    def _basis(self) -> str:
        """What the sum stands on: the log of the running job has one of seconds that are expected."""
        return " (measured)" if self.seconds else ""

    def to_value(self) -> dict[str, Any]:
        """As JSON has it."""
        return dataclasses.asdict(self)


def summarize(tables: Tables, title: str, prices: Prices) -> Summary:
    """``prices`` are those that are given; for an answer, what the job itself pays."""
    prices = tables.sources.prices(prices)
    labelled, scored, answers = tables.labelled, tables.scored, tables.answers
    human, machine = _counted(labelled)
    # What an earlier job has labelled is kept in the lines, and was paid for then.
    paid_human, paid_machine = _counted(labelled[labelled.job.map(tables.sources.is_of_job)])
    count = len(answers) or paid_human * (tables.sources.workers or 1)
    seconds = float(answers.seconds.sum())
    confusion = statistics.confusion(tables) if tables.kind == "classes" else None
    score_by_people = scored.human.astype(bool)
    iterations = Counter(tables.images.iteration.dropna().astype(int))
    return Summary(
        title=title,
        manifest=tables.sources.manifest,
        label=str(tables.sources.label),
        kind=tables.kind,
        measure=MEASURES[tables.kind, tables.measured] if tables.measured else None,
        lines=len(tables.images),
        states={str(name): int(number) for name, number in tables.images.state.value_counts().items()},
        human=human,
        machine=machine,
        boxes=int(labelled.boxes.sum()),
        answers=count,
        answers_known=bool(len(answers)),
        seconds=seconds,
        groups=statistics.groups(tables),
        line=statistics.regression(tables),
        surest=tuple(statistics.surest(tables)),
        histograms={
            "human": statistics.histogram(scored[score_by_people].score),
            "machine": statistics.histogram(scored[~score_by_people].score),
        },
        by_boxes=tuple(statistics.by_boxes(tables)) if tables.kind == "boxes" else (),
        workers=tuple(statistics.workers(tables)),
        iterations={int(number): iterations[number] for number in sorted(iterations)},
        classes=statistics.class_counts(tables) if tables.kind == "classes" else {},
        confusion={
            str(true): {str(said): int(number) for said, number in row.items()}
            for true, row in (confusion.iterrows() if confusion is not None else ())
        },
        other_class=int(labelled.other_class.sum()),
        prices=prices,
        costs=ledger(prices, human=paid_human, machine=paid_machine, answers=count, seconds=seconds),
        problems=tables.problems,
    )


def _counted(labelled: DataFrame) -> tuple[int, int]:
    """Labels of people, and of the machine."""
    human = int(labelled.human.astype(bool).sum())
    return human, len(labelled) - human


def text(summary: Summary) -> Iterator[str]:
    """For a terminal, line by line."""
    yield f"{summary.manifest}, {summary.label}"
    yield summary.headline
    others = [(state, summary.states.get(state, 0)) for state in (UNLABELLED_STATE, FAILED, UNREADABLE)]
    if told := ", ".join(f"{count:,} {state}" for state, count in others if count):
        yield f"  not labelled: {told}"
    for problem, count in summary.problems.items():
        yield f"  {problem} ({count:,})"
    if summary.measure:
        yield ""
        groups = summary.told_groups
        ranges = any(mean.low is not None for mean in groups.values())
        by_box = summary.kind == "boxes" and any(mean.by_box is not None for mean in groups.values())
        heading = f"{summary.measure:44} images   mean"
        yield heading + ("  of 95 %        " if ranges else "") + ("  over boxes" if by_box else "")
        for name, mean in groups.items():
            between = f"  {formats.interval(mean.low, mean.high):15}" if ranges else ""
            boxes = f"  {formats.score(mean.by_box)}" if by_box else ""
            yield f"  {name:42} {mean.images:6,}  {formats.score(mean.mean)}{between}{boxes}".rstrip()
        yield from _confidence(summary)
    if summary.by_boxes:
        yield ""
        yield "boxes per image                              images   mean  confidence"
        for item in summary.by_boxes:
            yield (
                f"  {item.boxes:<42} {item.images:6,}  {formats.score(item.mean):5}  "
                f"{formats.score(item.confidence)}"
            )
    if summary.classes:
        yield ""
        yield from (f"  {name:42} {count:6,}" for name, count in summary.classes.items())
    yield from _workers(summary)
    yield ""
    yield from _costs(summary)


def _confidence(summary: Summary) -> Iterator[str]:
    if summary.line is None:
        yield "  confidence says nothing: it is missing, or the same for all images"
    elif line := summary.told_line:
        yield f"  score = {line.start:.3f} + {line.slope:.3f} × confidence (r = {line.r:.2f})"
    if surest := summary.told_surest:
        shares = ", ".join(f"{100 * item.share:.0f} %: {item.mean:.3f}" for item in surest[::3])
        yield f"  the surest {shares}"


def _workers(summary: Summary) -> Iterator[str]:
    if not summary.workers:
        return
    yield ""
    true = any(worker.true is not None for worker in summary.workers)
    beside = "  with references" if true else ""
    yield f"worker                                      answers  with labels{beside}  seconds"
    for worker in summary.workers[:_MOST_WORKERS]:
        seconds = "–" if worker.seconds is None else f"{worker.seconds:.1f}"
        beside = f"  {formats.score(worker.true):>15}" if true else ""
        yield (
            f"  {short_name(worker.worker):42} {worker.answers:6,}  {formats.score(worker.label):>11}{beside}"
            f"  {seconds:>7}"
        )
    if (more := len(summary.workers) - _MOST_WORKERS) > 0:
        yield f"  and {more:,} more"


def _costs(summary: Summary) -> Iterator[str]:
    costs, prices = summary.costs, summary.prices
    yield (
        f"costs: people {formats.dollars(costs.people)}, machine {formats.dollars(costs.machine)}, total "
        f"{formats.dollars(costs.total)}, per label {formats.dollars(costs.per_label)}"
    )
    guess = "" if summary.answers_known else " (not read: as many as were asked for)"
    yield (
        f"  at ${prices.service:g} an object, ${prices.answer:g} an answer and ${prices.hour:g} an hour; "
        f"{summary.answers:,} answers{guess}, {formats.duration(summary.seconds)} of work"
    )
