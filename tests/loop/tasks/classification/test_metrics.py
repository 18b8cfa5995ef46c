"""A classifier's numbers: the vectors of scikit-learn, what is undefined, and one label or many."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from include.loop.config import METRICS, Pipeline
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.metrics import ModelScores
from include.loop.tasks.classification.curves import POINTS
from include.loop.tasks.classification.measuring import ClassificationMeasuring, MeasuredClasses
from include.loop.tasks.classification.values import ClassScore, LabelledImage

CLASSES = ("cat", "dog", "emu")
TRUE = [0, 0, 1, 1, 2, 2]
SCORES = [
    (0.7, 0.2, 0.1),
    (0.4, 0.5, 0.1),
    (0.2, 0.6, 0.2),
    (0.3, 0.3, 0.4),
    (0.1, 0.2, 0.7),
    (0.3, 0.1, 0.6),
]
ONE, MANY = (METRICS["image-classification", many] for many in (False, True))


class Measuring(ClassificationMeasuring):
    """The measuring half alone."""

    def __init__(self, metric: str | None = None, multi_label: bool = False, top_k: int = 2) -> None:
        self.classes, self.multi_label, self.metric_name, self.top_k = CLASSES, multi_label, metric, top_k


def measure(
    labels: Sequence[Sequence[int]],
    scores: Sequence[Sequence[float] | None],
    metric: str | None = None,
    multi_label: bool = False,
    threshold: float = 0.5,
) -> MeasuredClasses:
    """One image for each label; None is an image without a prediction."""
    images = [LabelledImage(str(n), tuple(own), "", {}) for n, own in enumerate(labels)]
    predictions = {
        str(n): sorted(map(ClassScore, range(len(row)), row), key=lambda item: (-item.score, item.class_id))
        for n, row in enumerate(scores)
        if row is not None
    }
    return Measuring(metric, multi_label).measure(images, predictions, threshold)


def numbers(scores: ModelScores, name: str) -> list[float | None]:
    return [item.more[name] for item in scores.classes.values()]


def test_one_label_gives_the_numbers_of_scikit_learn() -> None:
    found = measure([[n] for n in TRUE], SCORES).scores()
    assert (found.score, found.recall, found.precision) == (0.66667, 0.66667, 0.8)
    assert found.confusion == {"cat": {"cat": 1, "dog": 1}, "dog": {"dog": 1, "emu": 1}, "emu": {"emu": 2}}
    assert numbers(found, "AUROC") == [1.0, 0.875, 1.0]
    assert numbers(found, "AUPRC") == [1.0, 0.83333, 1.0]
    assert numbers(found, "precision") == [1.0, 0.5, 0.66667]
    assert numbers(found, "recall") == [0.5, 0.5, 1.0]
    assert numbers(found, "F1") == [0.66667, 0.5, 0.8]
    assert found.more == {
        "top-2 accuracy": 0.83333,
        "macro precision": 0.72222,
        "macro recall": 0.66667,
        "macro F1": 0.65556,
        "AUROC": 0.95833,
        "AUPRC": 0.94444,
        "micro AUROC": 0.9375,
        "micro AUPRC": 0.88571,
    }
    assert [item.objects for item in found.classes.values()] == [2, 2, 2]
    # Scores .7 and .6 twice each right, .4 and .5 wrong: (2 * .3 + 2 * .4 + .4 + .5) / 6.
    assert found.calibration_error == pytest.approx(2.3 / 6, abs=1e-5)


@pytest.mark.parametrize(
    ("metric", "key", "score", "classes"),
    [
        ("accuracy", "accuracy", 0.66667, [0.5, 0.5, 1.0]),
        ("top-k-accuracy", "top-2 accuracy", 0.83333, [1.0, 0.5, 1.0]),
        ("macro-f1", "macro F1", 0.65556, [0.66667, 0.5, 0.8]),
        ("auroc", "AUROC", 0.95833, [1.0, 0.875, 1.0]),
        ("auprc", "AUPRC", 0.94444, [1.0, 0.83333, 1.0]),
    ],
)
def test_the_pipeline_chooses_the_number_that_decides_and_the_classes_have_theirs(
    metric: str, key: str, score: float, classes: list[float]
) -> None:
    found = measure([[n] for n in TRUE], SCORES, metric).scores()
    assert Measuring(metric).metric.key == key
    assert (found.score, [item.score for item in found.classes.values()]) == (score, classes)
    assert key not in found.more


def test_what_nothing_can_be_said_of_is_none_and_left_out_of_the_mean() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure([[n] for n in TRUE[:4]], SCORES[:4], "auroc").scores()
        alone = measure([[0], [0]], SCORES[:2], "auroc").scores()
    assert numbers(found, "AUROC") == [1.0, 0.75, None]  # no image is an emu
    assert numbers(found, "AUPRC")[2] is None
    assert numbers(found, "recall")[2] is None
    assert numbers(found, "precision")[2] == 0.0  # one was taken for an emu
    assert found.score == 0.875
    assert [curve.name for curve in found.curves] == ["", "cat", "dog"]
    assert (alone.score, alone.more["macro F1"]) == (None, 0.33333)


def test_an_image_without_a_prediction_is_never_right() -> None:
    found = measure([[0], [1]], [None, (0.2, 0.7, 0.1)])
    scores = found.scores()
    assert (scores.score, scores.recall, scores.precision, scores.unpredicted) == (0.5, 0.5, 1.0, 1)
    assert scores.confusion == {"dog": {"dog": 1}}
    assert scores.more["top-2 accuracy"] == 0.5
    assert found.by_image().tolist() == [0.0, 0.7]
    counts = found.outcomes()
    assert (counts.true.tolist(), counts.found.tolist(), counts.said.tolist()) == ([1, 1], [0, 1], [0, 1])
    assert counts.right.tolist() == [False, True]
    unsure = measure([[1]], [(0.3, 0.4, 0.3)]).outcomes()  # right, and not sure enough to count at work
    assert (unsure.found.tolist(), unsure.said.tolist(), unsure.right.tolist()) == ([0], [0], [True])
    many = measure([[], []], [None, (0.2, 0.3, 0.1)], "exact-match", multi_label=True)
    assert (many.scores().score, many.by_image().tolist()) == (0.5, [0.0, 1.0])


def test_many_labels_are_told_class_by_class() -> None:
    labels = [[0, 1], [2], [], [0, 2]]
    scores = [(0.9, 0.4, 0.2), (0.1, 0.6, 0.8), (0.2, 0.1, 0.3), (0.7, 0.3, 0.6)]
    found = {name: measure(labels, scores, name, multi_label=True).scores() for name in MANY}
    # Of twelve answers two are wrong: image 0 misses dog, image 1 has one that is not there.
    assert found["accuracy"].score == pytest.approx(10 / 12, abs=1e-5)
    assert found["exact-match"].score == 0.5
    assert found["micro-f1"].score == 0.8
    assert found["macro-f1"].score == pytest.approx(2 / 3, abs=1e-5)
    assert found["auprc"].score == pytest.approx((1 + 0.5 + 1) / 3, abs=1e-5)
    first = found["auprc"]
    assert first.confusion == {
        "cat": {"cat": 2},
        "dog": {"missed": 1},
        "wrongly said": {"dog": 1},
        "emu": {"emu": 2},
    }
    assert (first.recall, first.precision) == (0.8, 0.8)
    assert [item.objects for item in first.classes.values()] == [2, 1, 2]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_draw_has_the_numbers_of_a_set_in_which_each_image_stands_as_often(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    grid = st.sampled_from([0.1, 0.25, 0.5, 0.75])  # so that there are ties
    scores = data.draw(st.lists(st.tuples(grid, grid, grid), min_size=count, max_size=count), label="scores")
    labels = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count), label="labels")
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count), label="draw"))
    rows = np.repeat(np.arange(count), weights)
    if not len(rows):
        return
    truth = np.eye(3, dtype=int)[np.array(labels)[rows]]
    drawn = np.array(scores)[rows]
    said = np.eye(3, dtype=int)[drawn.argmax(axis=1)]
    reference: dict[str, Any] = {
        "accuracy": [recall_score(truth[:, k], said[:, k], zero_division=np.nan) for k in range(3)],
        "macro-f1": [f1_score(truth[:, k], said[:, k], zero_division=np.nan) for k in range(3)],
        "auroc": [
            roc_auc_score(truth[:, k], drawn[:, k]) if 0 < truth[:, k].sum() < len(rows) else np.nan
            for k in range(3)
        ],
        "auprc": [
            average_precision_score(truth[:, k], drawn[:, k]) if truth[:, k].any() else np.nan
            for k in range(3)
        ],
    }
    for metric, expected in reference.items():
        found = measure([[n] for n in labels], scores, metric).resample(weights[None])
        np.testing.assert_allclose(found.classes[0], expected, err_msg=metric)
        if metric != "accuracy":
            defined = [value for value in expected if np.isfinite(value)]
            np.testing.assert_allclose(found.score[0], np.mean(defined) if defined else np.nan)
    accuracy = measure([[n] for n in labels], scores).resample(weights[None])
    np.testing.assert_allclose(accuracy.score[0], (said == truth).all(axis=1).mean())


def test_precision_at_work_is_that_of_scikit_learn_on_the_answers_that_count() -> None:
    found = measure([[n] for n in TRUE], SCORES, threshold=0.6).resample(np.ones((1, 6), dtype=np.int64))
    counted = [n for n in range(6) if max(SCORES[n]) >= 0.6]
    said = [int(np.argmax(SCORES[n])) for n in counted]
    assert found.precision[0] == precision_score([TRUE[n] for n in counted], said, average="micro")
    assert found.recall[0] == pytest.approx(4 / 6)


def test_curves_have_a_bounded_number_of_points_and_both_ends() -> None:
    generator = np.random.default_rng(1)
    scores = generator.dirichlet((1, 1, 1), 3000)
    labels = generator.integers(0, 3, 3000)
    for curve in measure([[int(n)] for n in labels], scores.tolist()).scores().curves:
        assert 2 <= len(curve.roc) <= POINTS
        assert 2 <= len(curve.pr) <= POINTS
        assert (curve.roc[0], curve.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
        assert curve.pr[-1][0] == 1.0


@pytest.mark.parametrize(("multi_label", "names"), [(False, ONE), (True, MANY)])
def test_every_metric_that_a_pipeline_may_choose_is_known_to_the_task(
    multi_label: bool, names: tuple[str, ...]
) -> None:
    keys = {Measuring(name, multi_label).metric.key for name in names}
    assert len(keys) == len(names)
    assert Measuring(None, multi_label).metric == Measuring(names[0], multi_label).metric
    with pytest.raises(ConfigurationError, match=f"evaluation.metric: must be one of {names[0]}"):
        _ = Measuring("mAP@0.5", multi_label).metric


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"evaluation": {"metric": "f1"}}, "evaluation.metric: must be one of accuracy, top-k-accuracy"),
        ({"evaluation": {"metric": "accuracy"}, "task": "object-detection"}, "one of mAP@0.5 for task"),
        ({"evaluation": {"metric": "top-k-accuracy"}, "multi_label": True}, "multi_label, not top-k"),
        ({"evaluation": {"metric": "top-k-accuracy", "top_k": 3}}, "evaluation.top_k: must be smaller"),
        ({"evaluation": {"top_k": 3}, "multi_label": True}, "evaluation.top_k: is for classes of which"),
    ],
)
def test_a_metric_that_the_task_does_not_have_is_refused_with_those_it_has(
    changes: dict[str, Any], told: str
) -> None:
    content = {"task": "image-classification", "classes": CLASSES} | changes
    with pytest.raises(ValueError, match=told):
        Pipeline.model_validate({"name": "pets", "path": Path("pets.yaml")} | content)
