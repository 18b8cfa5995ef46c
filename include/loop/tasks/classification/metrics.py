"""What the numbers of a classifier on labelled images are.

Takes a table of labels and scores, gives accuracy, precision, recall and F1, the areas under ROC and
precision-recall curves (by scikit-learn), confusion and calibration. A number that cannot be measured is
None, never 0 and never NaN, and is left out of means over classes. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from include.loop.core.records.metrics import ClassScore, Mistake, ModelScores, finite
from include.loop.tasks import shares
from include.loop.tasks.classification import resampling
from include.loop.tasks.classification.choices import Choice, once
from include.loop.tasks.classification.curves import curves
from include.loop.tasks.classification.table import Bools, Table
from include.loop.tasks.measuring import Floats

# Of many labels, scores below are nearly all of classes that are not there, and say so; they are so many that
# they would drown the others.
LOWEST_SCORE = 0.1
# The names of what a confusion holds that is no class, where images have many labels.
MISSED, INVENTED = "missed", "wrongly said"


def scores(table: Table, classes: Sequence[str], choice: Choice) -> ModelScores:
    """Every number of one model on one slice, by the chosen one."""
    draw = once(table)
    by_class = {name: numbers(table) for name, numbers in _BY_CLASS.items()}
    chosen = by_class.get(choice.metric.class_key)
    if chosen is None:
        chosen = choice.by_class(table, draw)[0]
    error, reliability = calibration(table)
    objects = table.truth.sum(axis=0)
    return ModelScores(
        score=finite(choice.score(table, draw, chosen[None])[0]),
        more={name: value for name, value in whole(table, by_class).items() if name != choice.metric.key},
        recall=finite(resampling.recall_at_work(table, draw)[0]),
        precision=finite(resampling.precision_at_work(table, draw)[0]),
        calibration_error=error,
        reliability=reliability,
        classes={
            label: ClassScore(
                score=finite(chosen[index]),
                objects=int(objects[index]),
                more={name: finite(values[index]) for name, values in by_class.items()},
            )
            for index, label in enumerate(classes)
        },
        confusion=confusion(table, classes),
        curves=curves(table, classes),
        unpredicted=int((~table.predicted).sum()),
    )


def whole(table: Table, by_class: dict[str, Floats]) -> dict[str, float | None]:
    """The numbers of all classes together, by name; top-k accuracy only where there are more classes."""
    draw, found = once(table), {}
    if table.multi_label:
        found["accuracy"] = _mean(resampling.class_accuracy(table, draw)[0])
        found["exact match"] = finite(resampling.share_of_images(draw, table.right)[0])
        found["micro F1"] = finite(resampling.micro_f1(table, draw)[0])
    else:
        found["accuracy"] = finite(resampling.share_of_images(draw, table.right)[0])
        if table.top_k < table.truth.shape[1]:
            best = resampling.share_of_images(draw, table.right_among_best)
            found[f"top-{table.top_k} accuracy"] = finite(best[0])
    found |= {
        f"macro {name}" if name[0] in "prF" else name: _mean(values) for name, values in by_class.items()
    }
    flat = table.truth.reshape(-1, 1), table.scores.reshape(-1, 1)
    found["micro AUROC"], found["micro AUPRC"] = (finite(area(*flat)[0]) for area in (auroc, auprc))
    return found


def auroc(truth: Bools, scores: Floats) -> Floats:
    """By column; NaN without a positive or without a negative, of which scikit-learn would warn."""
    from sklearn.metrics import roc_auc_score

    return _columns(roc_auc_score, truth, scores, lambda own: bool(own.any() and not own.all()))


def auprc(truth: Bools, scores: Floats) -> Floats:
    """By column, average precision; NaN without a positive, where scikit-learn would say 0."""
    from sklearn.metrics import average_precision_score

    return _columns(average_precision_score, truth, scores, lambda own: bool(own.any()))


def calibration(table: Table) -> tuple[float | None, tuple[shares.ReliabilityBin, ...]]:
    """How far scores are from the share that is right: of one label the best class's, of many labels those of
    every class from ``LOWEST_SCORE`` on.
    """
    known = table.predicted
    if table.multi_label:
        return shares.calibration(table.scores[known].ravel(), table.truth[known].ravel(), LOWEST_SCORE)
    return shares.calibration(table.top_score[known], table.right[known], 0.0)


def confusion(table: Table, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """True class to predicted class to count. Of many labels nothing says which wrong class stands for which
    missed one: there a class is found or missed, or said where it is not.
    """
    found: dict[str, dict[str, int]] = {}

    def count(true: str, said: str, number: int) -> None:
        if number:
            found.setdefault(true, {})[said] = number

    if table.multi_label:
        hits, missed, invented = (
            what.sum(axis=0)
            for what in (table.said & table.truth, ~table.said & table.truth, table.said & ~table.truth)
        )
        for index, label in enumerate(classes):
            count(label, label, int(hits[index]))
            count(label, MISSED, int(missed[index]))
            count(INVENTED, label, int(invented[index]))
    else:
        counts = table.truth.T.astype(np.int64) @ table.said.astype(np.int64)
        for true, row in zip(classes, counts, strict=True):
            for said, number in zip(classes, row, strict=True):
                count(true, said, int(number))
    return found


def mistakes(table: Table, classes: Sequence[str]) -> dict[int, Mistake]:
    """By image, of those that were predicted and are not right: the wrong answer that the model is surest
    of. Of many labels a missed one can be it as well, and the score is how sure the model is that it is not.
    """
    found = {}
    for row in np.flatnonzero(table.predicted & ~table.right):
        said, truth, scores = table.said[row], table.truth[row], table.scores[row]
        if table.multi_label:
            sure = np.where(said != truth, np.where(said, scores, 1 - scores), -1.0)
            index = int(sure.argmax())
            true, name = (INVENTED, classes[index]) if said[index] else (classes[index], MISSED)
        else:
            sure, index = scores, int(said.argmax())
            true, name = classes[int(truth.argmax())], classes[index]
        found[int(row)] = Mistake(true=true, said=name, score=round(float(sure[index]), 5))
    return found


def _columns(
    area: Callable[[Bools, Floats], float], truth: Bools, scores: Floats, defined: Callable[[Bools], bool]
) -> Floats:
    columns = zip(truth.T, scores.T, strict=True)
    return np.array([area(own, score) if defined(own) else np.nan for own, score in columns])


def _mean(values: Floats) -> float | None:
    return finite(shares.mean_over_classes(values[None])[0])


_BY_CLASS: dict[str, Callable[[Table], Floats]] = {
    "precision": lambda table: resampling.precision(table, once(table))[0],
    "recall": lambda table: resampling.recall(table, once(table))[0],
    "F1": lambda table: resampling.f1(table, once(table))[0],
    "AUROC": lambda table: auroc(table.truth, table.scores),
    "AUPRC": lambda table: auprc(table.truth, table.scores),
}
