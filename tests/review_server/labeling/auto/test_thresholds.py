"""A threshold is used on evidence alone, and says how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from include.review_server.labeling.auto.thresholds import lowest_share, of_boxes, of_classes


@pytest.mark.parametrize(
    ("good", "count", "risk", "low"),
    # Of the published tables: n of n is right with the share risk ** (1 / n).
    [(59, 59, 0.05, 0.05 ** (1 / 59)), (92, 93, 0.05, 0.95), (1, 10, 0.05, 0.00512), (0, 5, 0.05, 0.0)],
)
def test_the_lower_end_is_the_exact_one(good: int, count: int, risk: float, low: float) -> None:
    assert lowest_share(good, count, risk) == pytest.approx(low, abs=1e-5)


def test_the_surest_images_are_taken_and_the_others_are_not() -> None:
    sure, doubtful = np.linspace(0.99, 0.6, 200), np.linspace(0.59, 0.1, 100)
    agrees = [True] * 200 + [number % 2 == 0 for number in range(100)]
    found = of_classes([*sure, *doubtful], agrees, 0.95)
    assert found.confidence is not None
    assert found.confidence >= 0.59
    assert found.images >= 150
    assert found.low is not None
    assert found.quality is not None
    assert 0.95 <= found.low < found.quality


def test_a_few_lucky_images_are_no_evidence() -> None:
    found = of_classes(np.linspace(0.99, 0.5, 60), [True] * 60, 0.95)
    assert found.confidence is None
    assert "too small" in found.sentence


def test_a_model_that_is_often_wrong_gets_no_threshold_and_the_reason() -> None:
    found = of_classes(np.linspace(0.99, 0.5, 400), [number % 5 > 0 for number in range(400)], 0.95)
    assert found.confidence is None
    assert "0.95 is wanted" in found.sentence


def test_thresholds_that_are_used_are_seldom_below_the_target() -> None:
    """Drawn from a model whose sure half is right in 97 of 100: what is used keeps the promise of 95 %."""
    chance = np.random.default_rng(4)
    used = broken = 0
    for _ in range(200):
        confidences = np.sort(chance.uniform(0, 1, 300))[::-1]
        truth = np.where(confidences > 0.5, 0.97, 0.5)
        found = of_classes(confidences, chance.random(300) < truth, 0.95)
        if found.confidence is not None:
            used += 1
            accepted = np.linspace(found.confidence, 1, 1000)
            broken += bool(np.where(accepted > 0.5, 0.97, 0.5).mean() < 0.95)
    assert used > 20
    assert broken <= 10


def test_images_as_sure_as_each_other_are_accepted_together() -> None:
    found = of_classes([0.9] * 100 + [0.2] * 100, [True] * 100 + [False] * 100, 0.95)
    assert (found.confidence, found.images) == (0.9, 100)


def test_boxes_are_judged_by_the_mean_over_boxes_then_classes() -> None:
    images, classes = 40, 2
    overlaps, counts = np.zeros((images, classes)), np.ones((images, classes))
    overlaps[:, 0], overlaps[:, 1] = 0.9, 0.7
    # The second class has ten times the boxes: the classes count the same all the same.
    overlaps[:, 1] *= 10
    counts[:, 1] *= 10
    found = of_boxes(np.linspace(1, 0.5, images), overlaps, counts, 0.6)
    assert found.confidence == pytest.approx(0.5)
    assert found.images == images
    assert found.quality == pytest.approx(0.8)
    assert found.low == pytest.approx(0.8)


def test_poor_boxes_are_left_to_people_and_few_images_too() -> None:
    poor = np.full((60, 1), 0.5)
    assert of_boxes(np.linspace(1, 0.5, 60), poor, np.ones((60, 1)), 0.6).confidence is None
    few = np.full((20, 1), 0.95)
    assert of_boxes(np.linspace(1, 0.5, 20), few, np.ones((20, 1)), 0.6).quality is None
