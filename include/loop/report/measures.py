"""What the sections on scores, curves and mistakes show of what was measured.

Takes a round's facts and the task's words, gives what the templates scores, curves and mistakes need:
tables, and figures as drawings. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from include.loop.config import DATASET_SLICES
from include.loop.core.records.calibration import Calibration
from include.loop.core.records.facts import Facts, SliceFacts
from include.loop.core.records.metrics import ModelScores
from include.loop.report import curves, figures, training
from include.loop.report.words import metric_of
from include.loop.tasks.measuring import Words
from include.loop.tasks.protocol import AnyTask

# A larger confusion matrix than this cannot be read: the list of mistakes beside it can.
MOST_CLASSES = 15
MISTAKES = 10
# Beside the score, a table has room for so many more numbers; others have a table of their own.
MORE_COLUMNS = 2
# The scores whose meaning is told.
READ_SCORES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def shown(facts: Facts, task: AnyTask) -> dict[str, Any]:
    """The values of those templates, by name."""
    metric = metric_of(facts, task)
    detailed = [item for item in facts.slices if _matters(facts, item)]
    more = list(dict.fromkeys(name for item in facts.slices for name in item.challenger.more))
    return {
        "facts": facts,
        "metric": metric,
        "task": task.words,
        "measured": facts.slices,
        "more": more if len(more) <= MORE_COLUMNS else [],
        "others": more if len(more) > MORE_COLUMNS else [],
        "detailed": detailed,
        "undefined": [(item.name, told) for item in detailed if (told := list(undefined(item.challenger)))],
        "confusions": [
            (
                item,
                confusion_rows(item.challenger, task.words),
                confusion_rows(item.champion, task.words) if item.champion and task.words.both else [],
                counts_by_class(item, task.words),
                mistakes(item.challenger),
            )
            for item in detailed
            if item.challenger.confusion
        ],
        "readings": list(readings(facts.evaluation.calibration)),
        "raws": list(raws(facts.evaluation.calibration)),
        "drawings": {
            "slices": figures.slices(facts.slices, metric) if facts.slices else None,
            "classes": [figures.classes(item, metric) for item in detailed],
            "curves": [drawing for item in detailed for drawing in curves.together(item)],
            "class_curves": [drawing for item in detailed for drawing in curves.by_class(item)],
            "reliability": [
                figures.reliability(item, task.words) for item in detailed if item.challenger.reliability
            ],
            "drift": figures.drift(facts.earlier, facts.batches)
            if any(batch.scores for batch in facts.batches)
            else None,
            "training": training.by_epoch(facts.curves.epochs, metric)
            if facts.curves and facts.curves.epochs
            else None,
        },
    }


def _matters(facts: Facts, item: SliceFacts) -> bool:
    """Class by class only where it counts: on the test sets, and wherever a rule failed.

    A handful of audits has an interval from 0 to 1 for every class.
    """
    failed = [rule.slice for rule in (facts.verdict.rules if facts.verdict else ()) if not rule.passed]
    return item.judged and (item.name not in DATASET_SLICES or item.name in failed)


def confusion_rows(scores: ModelScores, task: Words) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """The confusion matrix by true class: columns with their count and share of the row. None of it when
    there are too many classes to read, or where no class stands for another.
    """
    if not task.matrix:
        return []
    nothing, missed = ([name] if name else [] for name in (task.nothing, task.missed))
    seen = [*scores.confusion, *(name for row in scores.confusion.values() for name in row)]
    classes = [
        name for name in dict.fromkeys([*scores.classes, *seen]) if name not in {task.nothing, task.missed}
    ]
    if len(classes) > MOST_CLASSES:
        return []
    rows = []
    for truth in [*classes, *nothing]:
        row = scores.confusion.get(truth, {})
        total = max(sum(row.values()), 1)
        rows.append(
            (truth, [(name, row.get(name, 0), row.get(name, 0) / total) for name in [*classes, *missed]])
        )
    return rows


def counts_by_class(item: SliceFacts, task: Words) -> list[tuple[str, list[tuple[int | None, int]]]]:
    """What stands in the place of the matrix where no class stands for another: how often each class is
    found, missed, and said where it is not; by the champion (None: there is none) and by the challenger.
    """

    def counts(scores: ModelScores, name: str) -> tuple[int, int, int]:
        row, invented = scores.confusion.get(name, {}), scores.confusion.get(task.nothing, {})
        return row.get(name, 0), row.get(task.missed, 0), invented.get(name, 0)

    if task.matrix:
        return []
    rows = []
    for name in item.challenger.classes:
        before = counts(item.champion, name) if item.champion else (None, None, None)
        rows.append((name, list(zip(before, counts(item.challenger, name), strict=True))))
    return rows


def readings(found: Calibration | None) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """What some scores mean: of all classes, and of each that has a map of its own, as far as one can read
    them.
    """
    if found is None:
        return
    own = found.classes if len(found.classes) <= MOST_CLASSES else {}
    for name, one in {"all classes": found.pooled, **own}.items():
        yield name, [(score, one.calibrated(score)) for score in READ_SCORES]


def raws(found: Calibration | None) -> Iterator[tuple[str, float]]:
    """The score at the working point as an endpoint answers it, by class; one without a name where all have
    the same, and none of more than one can read.
    """
    raw = found.working_point.raw if found and found.working_point else {}
    if len(set(raw.values())) == 1:
        yield "", next(iter(raw.values()))
    elif len(raw) <= MOST_CLASSES:
        yield from raw.items()


def undefined(scores: ModelScores) -> Iterator[tuple[str, list[str]]]:
    """The numbers that some classes have not, with those classes."""
    for name in next((item.more for item in scores.classes.values()), {}):
        if without := [label for label, item in scores.classes.items() if item.more.get(name) is None]:
            yield name, without


def mistakes(scores: ModelScores) -> list[tuple[str, str, int]]:
    """The most frequent confusions: what it was, what it was taken for, how often."""
    wrong = [
        (truth, said, count)
        for truth, row in scores.confusion.items()
        for said, count in row.items()
        if count and truth != said
    ]
    return sorted(wrong, key=lambda item: (-item[2], item[0], item[1]))[:MISTAKES]
