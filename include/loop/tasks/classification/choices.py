"""The numbers by which a classifier may be judged: what a pipeline's ``evaluation.metric`` chooses from.

Takes the name in the pipeline file, gives a ``Choice``: how the number is called, the number of one class
that goes with it (which is what the gate's rules on classes look at), and how both come from a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from include.loop.config import METRICS
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.classification import resampling
from include.loop.tasks.classification.table import Table
from include.loop.tasks.measuring import Floats, Ints, Metric
from include.loop.tasks.shares import mean_over_classes

Numbers = Callable[[Table, Ints], Floats]


@dataclass(frozen=True)
class Choice:
    """``by_class`` gives R x K numbers under R draws; ``whole`` gives R, None where the number is the mean of
    those of the classes that have one.
    """

    metric: Metric
    by_class: Numbers
    whole: Numbers | None = None

    def score(self, table: Table, weights: Ints, classes: Floats) -> Floats:
        """R; ``classes`` are what ``by_class`` gave."""
        return mean_over_classes(classes) if self.whole is None else self.whole(table, weights)


def choose(name: str | None, multi_label: bool, top_k: int) -> Choice:
    """None is the first of those that are allowed. ConfigurationError for another name."""
    allowed = METRICS["image-classification", multi_label]
    name = name or allowed[0]
    if name not in allowed:
        raise ConfigurationError(f"evaluation.metric: must be one of {', '.join(allowed)}, not {name!r}")
    return (_many_labels() if multi_label else _one_label(top_k))[name]


def _one_label(top_k: int) -> dict[str, Choice]:
    best = f"top-{top_k}"
    return {
        "accuracy": Choice(
            _metric(
                "accuracy", "recall", "Accuracy is the share of the images whose class has the best score"
            ),
            resampling.recall,
            lambda table, weights: resampling.share_of_images(weights, table.right),
        ),
        "top-k-accuracy": Choice(
            _metric(
                f"{best} accuracy",
                f"{best} recall",
                f"{best.capitalize()} accuracy is the share of the images whose class is among the {top_k} "
                "with the best scores",
            ),
            resampling.recall_among_best,
            lambda table, weights: resampling.share_of_images(weights, table.right_among_best),
        ),
        **_of_classes(),
    }


def _many_labels() -> dict[str, Choice]:
    return {
        "accuracy": Choice(
            _metric(
                "accuracy",
                "accuracy",
                "Accuracy is the mean over classes of the share of the images of which a class is rightly "
                "said, or rightly not said",
            ),
            resampling.class_accuracy,
        ),
        "exact-match": Choice(
            _metric(
                "exact match",
                "F1",
                "Exact match is the share of the images of which just the right classes are said",
            ),
            resampling.f1,
            lambda table, weights: resampling.share_of_images(weights, table.right),
        ),
        "micro-f1": Choice(
            _metric(
                "micro F1", "F1", "Micro F1 is the harmonic mean of precision and recall over all labels"
            ),
            resampling.f1,
            resampling.micro_f1,
        ),
        **_of_classes(),
    }


def _of_classes() -> dict[str, Choice]:
    """Means over classes, whether an image has one label or many."""
    return {
        "macro-f1": Choice(
            _metric(
                "macro F1",
                "F1",
                "Macro F1 is the mean over classes of the harmonic mean of precision and recall",
            ),
            resampling.f1,
        ),
        "auroc": Choice(
            _metric(
                "AUROC",
                "AUROC",
                "AUROC is the mean over classes of the chance that an image of the class has a higher score "
                "for it than an image that is not",
            ),
            resampling.auroc,
        ),
        "auprc": Choice(
            _metric("AUPRC", "AUPRC", "AUPRC is the mean over classes of the average precision"),
            resampling.auprc,
        ),
    }


def _metric(label: str, class_label: str, definition: str) -> Metric:
    return Metric(
        key=label,
        label=label,
        class_key=class_label,
        class_label=class_label,
        class_title=class_label[:1].upper() + class_label[1:],
        definition=definition,
    )


def once(table: Table) -> Ints:
    """The draw in which every image counts once."""
    return np.ones((1, len(table.truth)), dtype=np.int64)
