"""The documented hyperparameters: defaults, limits, and messages that name what is wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.algorithms.container import ClientError
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters

REQUIRED = {"num_classes": "3", "num_training_samples": "100"}


def test_defaults_are_the_documented_ones():
    settings = parse_hyperparameters(REQUIRED)
    assert (settings.base_network, settings.optimizer, settings.image_shape) == ("vgg-16", "sgd", 300)
    assert (settings.epochs, settings.mini_batch_size, settings.label_width) == (30, 32, 350)
    assert (settings.learning_rate, settings.momentum, settings.weight_decay) == (0.001, 0.9, 0.0005)
    assert (settings.nms_threshold, settings.overlap_threshold) == (0.45, 0.5)
    assert settings.most_objects == 69


def test_both_counts_are_required():
    with pytest.raises(ClientError, match=r"'num_classes' is required; .*'num_training_samples' is required"):
        parse_hyperparameters({})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("num_classes", "0", "a whole number, 1 or more"),
        ("image_shape", "64", "96 or more"),
        ("epochs", "2.5", "a whole number"),
        ("learning_rate", "0", r"\(0, 1\]"),
        ("learning_rate", "nan", r"\(0, 1\]"),
        ("lr_scheduler_factor", "1", r"\(0, 1\)"),
        ("early_stopping_tolerance", "1.1", r"\[0, 1\]"),
        ("optimizer", "nag", "sgd or adam or rmsprop or adadelta"),
        ("base_network", "resnet-18", "vgg-16 or resnet-50"),
        ("early_stopping", "maybe", "True or False"),
        ("lr_scheduler_step", "10;20", "separated by commas"),
        ("freeze_layer_pattern", "conv1_(", "a regular expression"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name_and_what_is_allowed(name, value, allowed):
    with pytest.raises(ClientError, match=f"'{name}': .*{allowed}"):
        parse_hyperparameters({**REQUIRED, name: value})


def test_unknown_names_are_refused_and_the_tuner_is_not():
    with pytest.raises(ClientError, match="'batch_size' is not known"):
        parse_hyperparameters({**REQUIRED, "batch_size": "8"})
    assert parse_hyperparameters({**REQUIRED, "_tuning_objective_metric": "validation:mAP"})


def test_every_complaint_comes_at_once():
    with pytest.raises(ClientError, match=r"epochs.*; .*momentum"):
        parse_hyperparameters({**REQUIRED, "epochs": "0", "momentum": "2"})


@settings(deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_learning_rate_is_taken_exactly_when_it_is_in_its_interval(value):
    given_values = {**REQUIRED, "learning_rate": repr(value)}
    if 0 < value <= 1:
        assert parse_hyperparameters(given_values).learning_rate == value
    else:
        with pytest.raises(ClientError):
            parse_hyperparameters(given_values)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_no_text_breaks_the_parser(text):
    for name in ("epochs", "learning_rate", "lr_scheduler_step", "early_stopping", "kv_store"):
        with contextlib.suppress(ClientError):
            parse_hyperparameters({**REQUIRED, name: text})


def test_what_has_no_effect_is_named_with_the_reason():
    names = {
        **REQUIRED,
        "optimizer": "adam",
        "momentum": "0.9",
        "kv_store": "dist_sync",
        "weight_decay": "0.1",
    }
    assert parse_hyperparameters(names).idle(names) == [
        "kv_store (one machine trains here)",
        "momentum (belongs to sgd)",
        "weight_decay (belongs to sgd and rmsprop)",
    ]
