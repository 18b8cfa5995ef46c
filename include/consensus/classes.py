"""The class that several workers' answers come to, as Ground Truth consolidates image classes.

An expectation maximisation after Dawid and Skene: it estimates how well each worker knows each class together
with what the objects are, so that the careful ones count for more. AWS says no more than that. The numbers
here (the first guess, how much a worker's estimate is smoothed, that there are two rounds, batches of fifty)
are those that give the labels and confidences of a published job of 302 images and five workers, all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Objects that are consolidated together: workers are judged by these alone.
MOST_OBJECTS = 50
ROUNDS = 2
FIRST_ACCURACY = 0.7
# Closer than this, two classes are equally probable: the rest is the rounding of the last bits.
TIE = 1e-9

# What a person answers with many labels when no class fits: the exclusion category of the shipped template,
# and what AWS's own examples write there.
NONE = "none of these"
NONES = frozenset({NONE, "none of the above", "none"})

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class ClassConsensus:
    """The most probable class of an object (of equally probable ones, ``tied``, the lowest), its
    ``probability``, and Ground Truth's ``confidence`` in it, 0 to 0.95. Of a worker who is alone on an object
    it is that worker's answer, however improbable.
    """

    label: int
    probability: float
    confidence: float
    tied: bool = False


def agree_on_class(objects: Sequence[Mapping[str, int]], classes: int) -> list[ClassConsensus]:
    """What each object is, by the answers of the workers that saw it (worker → class index, one at least).

    Objects are in the order of their ids: fifty are one batch, and the same answers in another grouping come
    to other confidences. In a batch without a second answer to any object there is nothing to weigh: the
    answers are the labels, with confidence 0.
    """
    return [item for batch in _batches(objects) for item in _agree(batch, classes)]


def agree_on_labels(objects: Sequence[Mapping[str, Collection[int]]]) -> list[dict[int, ClassConsensus]]:
    """For each object every label that at least one worker chose, ascending, and whether it is one: class 1
    says that it is, and ``confidence`` belongs to that, whichever way it went.

    Each label is a question of its own to all workers of a batch, chosen or not, with two classes. So there
    are low confidences here: one of five workers chose the label. A worker who is alone is right, with 0.
    """
    found: list[dict[int, ClassConsensus]] = []
    for batch in _batches(objects):
        chosen = [{label for labels in answers.values() for label in labels} for answers in batch]
        told: list[dict[int, ClassConsensus]] = [{} for _ in batch]
        for label in sorted(set().union(*chosen)):
            votes = [{worker: int(label in labels) for worker, labels in item.items()} for item in batch]
            for place, item in enumerate(_agree(votes, 2)):
                if label in chosen[place]:
                    told[place][label] = _of_chosen(item)
        found += told
    return found


def _batches(objects: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(objects), MOST_OBJECTS):
        yield objects[start : start + MOST_OBJECTS]


def _agree(batch: Sequence[Mapping[str, int]], classes: int) -> list[ClassConsensus]:
    if all(len(answers) == 1 for answers in batch):
        return [ClassConsensus(label, 1.0, 0.0) for answers in batch for label in answers.values()]
    found = []
    for answers, row in zip(batch, _posterior(batch, classes), strict=True):
        alone = len(answers) == 1
        best = np.flatnonzero(row > row.max() - TIE)
        label = next(iter(answers.values())) if alone else int(best[0])
        tied = not alone and len(best) > 1
        found.append(ClassConsensus(label, float(row[label]), _confidence(float(row[label])), tied))
    return found


def _of_chosen(item: ClassConsensus) -> ClassConsensus:
    """The same with Ground Truth's confidence in that a label is one, though it is probably none."""
    return item if item.label == 1 else replace(item, confidence=_confidence(1 - item.probability))


def _confidence(probability: float) -> float:
    return round(0.05 + 0.9 * probability, 2)


def _posterior(batch: Sequence[Mapping[str, int]], classes: int) -> Floats:
    """The probability of each class for each object, O x K."""
    seen: dict[str, list[tuple[int, int]]] = {}
    for place, answers in enumerate(batch):
        for name, label in answers.items():
            seen.setdefault(name, []).append((place, label))
    # By worker: which objects, and as what. In the order of their names, so that sums round the same way.
    votes = [_Votes(*np.array(seen[name]).T) for name in sorted(seen)]
    likelihood = np.ones((len(batch), classes))
    for worker in votes:
        likelihood[worker.objects] *= worker.said(_answering(FIRST_ACCURACY, classes, worker.labels))
    posterior = _normalised(likelihood)
    usual = FIRST_ACCURACY
    for _ in range(ROUNDS - 1):
        likelihood, accuracies = np.ones_like(posterior), []
        for worker in votes:
            accuracy, table = _estimate(posterior[worker.objects], worker, usual)
            accuracies.append(accuracy)
            likelihood[worker.objects] *= worker.said(table)
        usual = float(np.mean(accuracies))
        posterior = _normalised(posterior.mean(axis=0) * likelihood)
    return posterior


class _Votes:
    """A worker's answers: the objects, the ``labels`` that were given, and the column of each object's label
    in a table that has no others. Of a thousand classes a worker gives a few, and K x K tables would not fit.
    """

    def __init__(self, objects: Ints, answers: Ints) -> None:
        self.objects = objects
        self.labels, self.columns = np.unique(answers, return_inverse=True)

    def said(self, table: Floats) -> Floats:
        """How probable each answer is by a table of true classes and given labels, objects x K."""
        return table[:, self.columns].T


def _estimate(posterior: Floats, worker: _Votes, usual: float) -> tuple[float, Floats]:
    """A worker's accuracy, and how probable each answer is when each class is true (K x the given labels):
    what was counted, smoothed with as much of the worker's own accuracy, and half as much of all workers'
    ``usual`` one.
    """
    count, classes = posterior.shape
    counted = np.zeros((classes, len(worker.labels)))
    np.add.at(counted.T, worker.columns, posterior)
    accuracy = float(counted[worker.labels, np.arange(len(worker.labels))].sum()) / count
    smooth = _answering(accuracy, classes, worker.labels) + _answering(usual, classes, worker.labels) / 2
    # Over all classes, those included that this worker never said, a row of what smooths sums up to 1.5.
    return accuracy, (counted + count * smooth) / (counted.sum(axis=1, keepdims=True) + 1.5 * count)


def _answering(accuracy: float, classes: int, labels: Ints) -> Floats:
    """Answers (these labels of them) of somebody who is right so often, and else takes any other class."""
    table = np.full((classes, len(labels)), (1 - accuracy) / max(classes - 1, 1))
    table[labels, np.arange(len(labels))] = accuracy
    return table


def _normalised(rows: Floats) -> Floats:
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))
