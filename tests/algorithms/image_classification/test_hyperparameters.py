"""The documented hyperparameters: defaults, limits, and what they do to optimiser, loss and images."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from include.algorithms.container import ClientError
from include.algorithms.image_classification.dataset import varied
from include.algorithms.image_classification.hyperparameters import Shape, parse_hyperparameters
from include.algorithms.image_classification.learner import correct, in_best, optimizer, positive_weights
from include.algorithms.learner import schedule

REQUIRED = {"num_classes": "3", "num_training_samples": "100"}


def settings(**changes):
    return parse_hyperparameters({**REQUIRED, **changes})


def test_defaults_are_the_documented_ones():
    found = settings()
    assert (found.optimizer, found.num_layers, str(found.image_shape)) == ("sgd", 152, "3,224,224")
    assert (found.epochs, found.mini_batch_size, found.learning_rate) == (30, 32, 0.1)
    assert (found.beta_1, found.beta_2, found.gamma, found.eps) == (0.9, 0.999, 0.9, 1e-8)
    assert (found.momentum, found.weight_decay, found.lr_scheduler_factor) == (0.9, 0.0001, 0.1)
    assert (found.use_pretrained_model, found.multi_label, found.precision_dtype) == (False, False, "float32")
    assert (found.resize, found.top_k, found.augmentation_type, found.checkpoint_frequency) == (None,) * 4


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"image_shape": "1,28,28"}, "image_shape.*multiples of 4, 28 or more"),
        ({"image_shape": "3,30,32"}, "multiples of 4"),
        ({"image_shape": "32"}, '"3,H,W"'),
        ({"num_layers": "19"}, "one of 18, 20, 32"),
        ({"optimizer": "adadelta"}, "sgd or adam or rmsprop or nag"),
        ({"augmentation_type": "flip"}, "crop or crop_color or crop_color_transform"),
        ({"multi_label": "True"}, "0 or 1"),
        ({"precision_dtype": "bfloat16"}, "float32 or float16"),
        ({"top_k": "1"}, "a whole number, 2 or more"),
        ({"top_k": "4"}, "'top_k': 4 is not allowed; there are 3 classes"),
        ({"beta_1": "1.5"}, r"a number in \[0, 1\]"),
        ({"resize": "200"}, "'resize': 200 is not allowed; expected 224 or more"),
        ({"checkpoint_frequency": "31"}, "'checkpoint_frequency': 31 is not allowed; expected at most"),
        ({"num_training_samples": "31"}, "bigger or equal to the mini_batch_size: num_training_samples 31"),
        ({"base_network": "vgg-16"}, "'base_network' is not known"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name_and_what_is_allowed(changes, allowed):
    with pytest.raises(ClientError, match=allowed):
        settings(**changes)


def test_resize_may_be_as_long_as_the_sides():
    assert settings(resize="224").resize == 224


def test_what_has_no_effect_is_named_with_the_reason():
    names = {"optimizer": "rmsprop", "momentum": "0.9", "beta_1": "0.8", "use_weighted_loss": "1"}
    assert settings(**names, precision_dtype="float16").idle({**names, "precision_dtype": "float16"}) == [
        "beta_1 (belongs to adam)",
        "momentum (belongs to sgd and nag)",
        "precision_dtype (this network learns in float32)",
        "use_weighted_loss (multi_label is 0)",
    ]


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "nag"])
def test_every_optimizer_moves_against_the_gradient_in_step_with_its_rate(name):
    params = {"a": np.ones(3, np.float32)}

    def moved(**changes):
        given = settings(lr_scheduler_step="99", optimizer=name, **changes)
        rule = optimizer(given, schedule(given, given.learning_rate, 10), params)
        state, out = rule.init(params), params
        for _ in range(2):
            out, state = rule.update(jax.tree.map(np.ones_like, params), state, params)
        return float(-out["a"][0])

    slow = moved(learning_rate="0.01")
    assert slow > 0
    assert moved(learning_rate="0.1") == pytest.approx(10 * slow, rel=1e-3)
    acts = {"sgd": "momentum", "nag": "weight_decay", "adam": "eps", "rmsprop": "gamma"}[name]
    assert moved(learning_rate="0.01", **{acts: "0.5"}) != pytest.approx(slow, rel=1e-3)


def test_right_answers_are_counted_per_image_and_per_class():
    scores = np.array([[3.0, 1, 2], [0, 2, 1], [5, 5, 0]])
    labels = np.array([2, 1, 0])
    assert correct(scores, labels).tolist() == [0, 1, 1]  # of equals the first
    assert in_best(scores, labels, 2).tolist() == [1, 1, 1]
    rows = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]])
    np.testing.assert_allclose(correct(scores - 1.5, rows), [1, 2 / 3, 2 / 3])


def test_rare_classes_weigh_more_when_they_are_told_to():
    rows = np.array([[1, 0, 0]] * 1 + [[0, 1, 0]] * 3, np.uint8)
    weighted = settings(multi_label="1", use_weighted_loss="1")
    np.testing.assert_allclose(positive_weights(rows, weighted), [3, 1 / 3, 1])
    assert positive_weights(rows, settings(multi_label="1")) == 1


def test_augmentation_does_what_its_name_says():
    shape = Shape(32, 32)
    image = np.zeros((36, 36, 3), np.uint8)
    image[:, :18] = (200, 60, 60)

    def seen(name, pixels=image):
        generator = np.random.default_rng(1)
        return [varied(pixels, name, shape, generator) for _ in range(24)]

    crops = seen("crop")
    assert all(crop.shape == (32, 32, 3) for crop in crops)
    assert {bool(crop[16, 2, 0]) for crop in crops} == {True, False}  # mirrored, or not
    assert {tuple(colour) for crop in crops for colour in crop[16]} == {(0, 0, 0), (200, 60, 60)}
    assert len({tuple(crop.max((0, 1))) for crop in seen("crop_color")}) > 12
    edges = [np.flatnonzero(np.diff(crop[:, 16, 0].astype(int))) for crop in seen("crop_color_transform")]
    assert any(len(rows) for rows in edges)  # an upright edge that is turned or sheared crosses a column
    plain = seen(None, image[2:34, 2:34])
    assert all(crop[16, 2, 0] > crop[16, 29, 0] for crop in plain)  # never mirrored
    assert len({crop.tobytes() for crop in plain}) == 24
