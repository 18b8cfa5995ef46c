"""The detector's learning step: its losses, and all of SageMaker's optimiser hyperparameters."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from include.algorithms import learner
from include.algorithms.layers import Variables
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.object_detection.loss import assign, losses
from include.algorithms.object_detection.network import Detector, cells, initial_variables


class Learner(learner.Learner):
    """Batches are images (B, S, S, 3; uint8) and boxes (B, M, 5; fractions, class -1 is padding)."""

    def __init__(self, settings: Hyperparameters, steps_per_epoch: int, seed: int) -> None:
        side = settings.image_shape
        self._network = Detector(settings.num_classes)
        self._scale = jax.device_put(np.array([1.0, *[side] * 4], np.float32))
        self._centres, self._strides = jax.device_put(cells(side))
        variables = initial_variables(settings.num_classes, seed)
        super().__init__(
            variables,
            lambda rate: optimizer(settings, rate, variables["params"]),
            learner.schedule(settings, settings.learning_rate, steps_per_epoch),
        )

    def objective(self, variables: Variables, batch: Any) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
        """Told are the class loss and the box loss."""
        images, boxes = batch
        targets = assign(boxes * self._scale, self._centres, self._strides)
        output, moved = self._network.apply(variables, images, train=True, mutable=["batch_stats"])
        pair = jnp.stack(losses(output, targets))
        return pair.sum(), (moved["batch_stats"], pair)


def optimizer(settings: Hyperparameters, rate: optax.Schedule, params: Any) -> optax.GradientTransformation:
    """The optimiser described; weights whose dotted name matches freeze_layer_pattern stay as they are."""
    decay = optax.add_decayed_weights(settings.weight_decay)
    rules = {
        "sgd": lambda: optax.chain(decay, optax.sgd(rate, momentum=settings.momentum)),
        "adam": lambda: optax.adam(rate),
        "rmsprop": lambda: optax.chain(decay, optax.rmsprop(rate)),
        "adadelta": lambda: optax.adadelta(rate),
    }
    # One long vector instead of a hundred small arrays: far fewer kernels to compile.
    rule = optax.flatten(rules[settings.optimizer]())
    if settings.freeze_layer_pattern is None:
        return rule
    labels = _labels(params, settings.freeze_layer_pattern)
    return optax.multi_transform({"learn": rule, "freeze": optax.set_to_zero()}, labels)


def _labels(params: Any, pattern: re.Pattern[str], prefix: str = "") -> Any:
    return {
        name: _labels(value, pattern, f"{prefix}{name}.")
        if isinstance(value, dict)
        else ("freeze" if pattern.match(prefix + name) else "learn")
        for name, value in params.items()
    }
