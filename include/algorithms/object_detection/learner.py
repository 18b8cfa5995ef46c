"""The learning step: network, losses and optimiser compiled into one function, and the state it moves on.

Takes batches of a constant shape, keeps flax variables and the optimiser's state. All of SageMaker's
optimiser hyperparameters act here.
"""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from include.algorithms.container import ClientError
from include.algorithms.object_detection.artifact import flatten
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.object_detection.loss import assign, losses
from include.algorithms.object_detection.network import Detector, Variables, cells, initial_variables

_WARM_UP = 0.1  # share of all steps in which the learning rate rises to its value
_FLOOR = 0.01  # of the learning rate, where the cosine ends


class Learner:
    """One network in training."""

    def __init__(self, settings: Hyperparameters, steps_per_epoch: int, seed: int) -> None:
        side = settings.image_shape
        self._network = Detector(settings.num_classes)
        self.variables = initial_variables(settings.num_classes, seed)
        self._optimizer = optimizer(settings, steps_per_epoch, self.variables["params"])
        self._state = self._optimizer.init(self.variables["params"])
        self._side = side
        self._centres, self._strides = (jnp.asarray(array) for array in cells(side))
        self._compiled = jax.jit(self._step)
        self._losses: list[jnp.ndarray] = []

    @property
    def weights(self) -> int:
        return sum(array.size for array in flatten(self.variables["params"]).values())

    def restore(self, variables: Variables) -> None:
        """Take over trained variables; ClientError when they belong to another network."""
        ours, theirs = flatten(self.variables), flatten(variables)
        if {name: array.shape for name, array in ours.items()} != {
            name: a.shape for name, a in theirs.items()
        }:
            raise ClientError("the weights of the model channel belong to another version of the network")
        self.variables = jax.tree.map(jnp.asarray, variables)

    def state(self) -> dict[str, Any]:
        """Everything that a training goes on from: ``variables`` and ``optimizer``, trees of arrays."""
        leaves = jax.tree.leaves(self._state)
        return {
            "variables": self.variables,
            "optimizer": {str(number): leaf for number, leaf in enumerate(leaves)},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``. Raises KeyError or ValueError when it is of another network."""
        self.restore(state["variables"])
        leaves, structure = jax.tree.flatten(self._state)
        saved = [jnp.asarray(state["optimizer"][str(number)]) for number in range(len(leaves))]
        if [(a.shape, a.dtype) for a in saved] != [(jnp.shape(a), jnp.asarray(a).dtype) for a in leaves]:
            raise ValueError("the optimiser's state belongs to another version of the network")
        self._state = jax.tree.unflatten(structure, saved)

    def step(self, images: np.ndarray, boxes: np.ndarray) -> None:
        """Learn from a batch: images (B, S, S, 3; uint8), boxes (B, M, 5; fractions, class -1 is padding)."""
        self.variables, self._state, pair = self._compiled(self.variables, self._state, images, boxes)
        self._losses.append(pair)

    def losses(self) -> tuple[float, float]:
        """Mean class loss and box loss of the steps since the last call."""
        pairs = np.asarray(jax.device_get(self._losses))
        self._losses.clear()
        classes, boxes = pairs.mean(0)
        return float(classes), float(boxes)

    def _step(
        self, variables: Variables, state: Any, images: Any, boxes: Any
    ) -> tuple[Variables, Any, jnp.ndarray]:
        scale = jnp.array([1.0, *[float(self._side)] * 4])
        targets = assign(boxes * scale, self._centres, self._strides)

        def objective(params: Any) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
            known = {"params": params, "batch_stats": variables["batch_stats"]}
            output, moved = self._network.apply(known, images, train=True, mutable=["batch_stats"])
            pair = jnp.stack(losses(output, targets))
            return pair.sum(), (moved["batch_stats"], pair)

        gradients, (statistics, pair) = jax.grad(objective, has_aux=True)(variables["params"])
        updates, state = self._optimizer.update(gradients, state, variables["params"])
        params = optax.apply_updates(variables["params"], updates)
        return {"params": params, "batch_stats": statistics}, state, pair


def optimizer(settings: Hyperparameters, steps_per_epoch: int, params: Any) -> optax.GradientTransformation:
    """The optimiser described; weights whose dotted name matches freeze_layer_pattern stay as they are."""
    rate = schedule(settings, steps_per_epoch)
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


def schedule(settings: Hyperparameters, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate per step.

    With lr_scheduler_step: multiplied by lr_scheduler_factor at those epochs, as documented. Without: a rise
    to learning_rate over the first tenth, then a cosine down, which is how this implementation applies a
    single rate.
    """
    total = settings.epochs * steps_per_epoch
    if settings.lr_scheduler_step:
        drops = {
            epoch * steps_per_epoch: settings.lr_scheduler_factor for epoch in settings.lr_scheduler_step
        }
        return optax.piecewise_constant_schedule(settings.learning_rate, drops)
    rate = settings.learning_rate
    return optax.warmup_cosine_decay_schedule(
        rate * 0.05, rate, max(1, int(total * _WARM_UP)), max(2, total), rate * _FLOOR
    )


def _labels(params: Any, pattern: re.Pattern[str], prefix: str = "") -> Any:
    return {
        name: _labels(value, pattern, f"{prefix}{name}.")
        if isinstance(value, dict)
        else ("freeze" if pattern.match(prefix + name) else "learn")
        for name, value in params.items()
    }
