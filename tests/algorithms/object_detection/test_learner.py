"""Learning rates and optimisers do what their hyperparameters say."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from include.algorithms.container import ClientError
from include.algorithms.learner import schedule, steps_taken
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.learner import Learner, optimizer
from include.algorithms.pretrained import BACKBONE, weights

PARAMS = {"conv1_patches": {"kernel": np.ones(3, np.float32)}, "head_boxes": {"bias": np.ones(2, np.float32)}}


def settings(**changes):
    return parse_hyperparameters({"num_classes": "2", "num_training_samples": "8", **changes})


def moved(**changes):
    """How far each parameter goes in one step under a gradient of one."""
    given = settings(lr_scheduler_step="99", **changes)
    rule = optimizer(given, schedule(given, given.learning_rate, 10), PARAMS)
    updates, _ = rule.update(jax.tree.map(np.ones_like, PARAMS), rule.init(PARAMS), PARAMS)
    return {name: float(-next(iter(leaf.values()))[0]) for name, leaf in updates.items()}


def test_the_rate_drops_by_the_factor_at_each_listed_epoch():
    rate = schedule(settings(lr_scheduler_step="2,4", lr_scheduler_factor="0.5"), 0.1, 10)
    assert [round(float(rate(step)), 4) for step in (0, 19, 21, 39, 41)] == [0.1, 0.1, 0.05, 0.05, 0.025]


def test_a_single_rate_rises_to_its_value_and_falls():
    rate = schedule(settings(epochs="10"), 0.1, 10)
    values = [float(rate(step)) for step in range(101)]
    assert max(values) == pytest.approx(0.1)
    assert values[0] < 0.01
    assert values[-1] < 0.01
    assert int(np.argmax(values)) == 10


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "adadelta"])
def test_every_optimizer_moves_against_the_gradient_in_step_with_its_rate(name):
    slow, fast = (moved(optimizer=name, learning_rate=rate)["head_boxes"] for rate in ("0.01", "0.1"))
    assert slow > 0
    assert fast == pytest.approx(10 * slow, rel=1e-3)


def test_weight_decay_acts_on_sgd_and_not_on_adam():
    heavy, light = {"weight_decay": "0.5"}, {"weight_decay": "0.0001"}
    assert moved(optimizer="sgd", **heavy)["head_boxes"] > moved(optimizer="sgd", **light)["head_boxes"]
    assert moved(optimizer="adam", **heavy) == moved(optimizer="adam", **light)


@pytest.mark.parametrize(
    "given",
    [{"optimizer": name} for name in ("sgd", "adam", "rmsprop", "adadelta")]
    + [{"optimizer": "adam", "freeze_layer_pattern": "^conv1_.*"}],
)
def test_the_steps_taken_are_what_the_optimizer_has_counted(given):
    rule = optimizer(settings(**given), lambda _: 0.1, PARAMS)
    state = rule.init(PARAMS)
    for taken in range(3):
        assert int(steps_taken(state)) == taken
        _, state = rule.update(jax.tree.map(np.ones_like, PARAMS), state, PARAMS)


def test_layers_that_match_the_pattern_stay():
    found = moved(freeze_layer_pattern="^(conv1_|conv2_).*")
    assert found["conv1_patches"] == 0
    assert found["head_boxes"] > 0


def test_jobs_of_any_length_and_rate_share_one_compiled_step():
    batch = (np.zeros((2, 96, 96, 3), np.uint8), np.full((2, 8, 5), -1.0, np.float32))

    def program(steps, **changes):
        """What XLA is given to compile, which is also what compiled networks are kept by."""
        one = Learner(settings(image_shape="96", **changes), steps, seed=0)
        return one._compiled.lower(one.variables, one._state, np.float32(0), batch).as_text()

    assert program(2, epochs="1") == program(50, epochs="9", learning_rate="0.5")


def test_pretrained_features_stay_while_frozen_then_the_later_layers_learn_at_a_tenth_of_the_rate():
    given = settings(image_shape="96", optimizer="adam", learning_rate="0.01", lr_scheduler_step="99")
    one = Learner(given, 10, seed=0, features="lite0")
    one.start_from(weights.lite0())
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 96, 96, 3), np.uint8)
    boxes = np.full((2, 8, 5), -1.0, np.float32)
    boxes[:, 0] = [1, 0.2, 0.2, 0.5, 0.5]

    def moved(frozen):
        """By how much a step moves an early, a late and a new layer."""
        before = one.variables["params"]
        one.step(images, boxes, frozen=frozen)
        after = one.variables["params"]
        early, late = (
            abs(
                after[BACKBONE][name]["project"]["kernel"] - before[BACKBONE][name]["project"]["kernel"]
            ).max()
            for name in ("block4", "block15")
        )
        new = abs(after["head_objectness"]["kernel"] - before["head_objectness"]["kernel"]).max()
        return float(early), float(late), float(new)

    for _ in range(3):
        early, late, new = moved(frozen=True)
        assert (early, late) == (0, 0)
        assert new > 0
    early, late, _ = moved(frozen=False)
    assert early == 0
    assert late == pytest.approx(0.001, rel=0.05), "adam's first step is as long as its rate"
    _, late, _ = moved(frozen=True)
    assert late == 0


def test_features_can_be_left_as_they_are_for_good_but_not_every_weight():
    params = {BACKBONE: {"stem": {"bias": np.ones(1)}, "block9": {"bias": np.ones(1)}}} | PARAMS
    rule = optimizer(settings(freeze_layer_pattern="^backbone"), lambda _: 0.1, params)
    updates, _ = rule.update(jax.tree.map(np.ones_like, params), rule.init(params), params)
    assert float(updates[BACKBONE]["block9"]["bias"][0]) == 0
    assert float(updates["head_boxes"]["bias"][0]) < 0
    with pytest.raises(ClientError, match="matches every weight"):
        optimizer(settings(freeze_layer_pattern=".*"), lambda _: 0.1, params)
