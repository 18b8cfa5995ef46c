"""The detector's learning step: its losses, and all of SageMaker's optimiser hyperparameters."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from include.algorithms import learner
from include.algorithms.layers import Variables
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.object_detection.loss import assign, losses, overlap_loss
from include.algorithms.object_detection.network import Detector, cells, initial_variables
from include.algorithms.pretrained import Features

_OVERLAP = 2.0  # how much overlap counts beside the classes


class Learner(learner.Learner):
    """Batches are images (B, S, S, 3; uint8) and boxes (B, M, 5; fractions, class -1 is padding)."""

    def __init__(
        self, settings: Hyperparameters, steps_per_epoch: int, seed: int, features: Features = "compact"
    ) -> None:
        side = settings.image_shape
        self._network = Detector(settings.num_classes, features)
        self._scale = jax.device_put(np.array([1.0, *[side] * 4], np.float32))
        self._centres, self._strides = jax.device_put(cells(side))
        variables = initial_variables(settings.num_classes, seed, features)
        super().__init__(
            variables,
            lambda rate: optimizer(settings, rate, variables["params"]),
            learner.schedule(settings, settings.learning_rate, steps_per_epoch),
        )

    def objective(
        self, variables: Variables, batch: Any, frozen: bool
    ) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
        """Told are the class loss and the box loss."""
        images, boxes = batch
        targets = assign(boxes * self._scale, self._centres, self._strides)
        output, moved = self._network.apply(
            variables, images, train=True, frozen=frozen, mutable=["batch_stats"]
        )
        classes, boxes = losses(output, targets)
        pair = jnp.stack([classes, boxes])
        if self._network.features != "compact":
            boxes = _OVERLAP * overlap_loss(output.distances, targets)
        return classes + boxes, (moved["batch_stats"], pair)


def optimizer(settings: Hyperparameters, rate: optax.Schedule, params: Any) -> optax.GradientTransformation:
    """The optimiser described; weights whose dotted name matches freeze_layer_pattern stay as they are."""
    decay = optax.add_decayed_weights(settings.weight_decay)
    rules: dict[str, learner.Rule] = {
        "sgd": lambda rate: optax.chain(decay, optax.sgd(rate, momentum=settings.momentum)),
        "adam": lambda rate: optax.adam(rate),
        "rmsprop": lambda rate: optax.chain(decay, optax.rmsprop(rate)),
        "adadelta": lambda rate: optax.adadelta(rate),
    }
    return learner.grouped(rules[settings.optimizer], rate, params, settings.freeze_layer_pattern)
