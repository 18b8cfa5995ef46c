"""The learning step: network, loss and optimiser compiled into one function, and the state it moves on.

Takes batches of a constant shape, keeps flax variables and the optimiser's state. An algorithm brings its
network's ``objective`` and its optimiser.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from include.algorithms.artifact import flatten
from include.algorithms.container import ClientError
from include.algorithms.hyperparameters import Common
from include.algorithms.layers import Variables
from include.algorithms.pretrained import BACKBONE
from include.algorithms.pretrained.lite0 import FIXED

_WARM_UP = 0.1  # share of all steps in which the learning rate rises to its value
_SLOWLY = "pretrained"  # the group of weights that were
_PRETRAINED = 0.1  # of the learning rate, for weights that were pretrained
_FLOOR = 0.01  # of the learning rate, where the cosine ends

Rule = Callable[[optax.Schedule], optax.GradientTransformation]  # an optimiser, given its rate per step


class Learner(ABC):
    """One network in training. ``optimizer`` makes the rule of a learning rate, which is ``rate`` per step.

    The rate goes into the compiled step as a number: how many steps a job has is then no part of the step,
    and every job of the same network and batch finds it compiled.
    """

    def __init__(
        self,
        variables: Variables,
        optimizer: Rule,
        rate: optax.Schedule,
    ) -> None:
        self.variables: Variables = {"batch_stats": {}} | variables
        self._optimizer, self._rate = optimizer, jax.jit(rate)
        self._state = jax.jit(optimizer(rate).init)(variables["params"])
        self._compiled = jax.jit(self._step, static_argnames="frozen")
        self._told: list[jnp.ndarray] = []

    @abstractmethod
    def objective(
        self, variables: Variables, batch: Any, frozen: bool
    ) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
        """What is to become small for this batch; then the moved statistics of normalisation, and the numbers
        that ``told`` gives. ``frozen``: no gradient for pretrained weights.
        """

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
        self.variables = jax.device_put({"batch_stats": {}} | variables)

    def start_from(self, pretrained: Any) -> None:
        """Take over those weights of a pretrained feature network that this one is built on."""
        params = self.variables["params"]
        taken = {name: pretrained[name] for name in params[BACKBONE]}
        self.restore(self.variables | {"params": params | {BACKBONE: taken}})

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
        saved = [jax.device_put(state["optimizer"][str(number)]) for number in range(len(leaves))]
        if [(a.shape, a.dtype) for a in saved] != [(jnp.shape(a), jnp.asarray(a).dtype) for a in leaves]:
            raise ValueError("the optimiser's state belongs to another version of the network")
        self._state = jax.tree.unflatten(structure, saved)

    def step(self, *batch: np.ndarray, frozen: bool = False) -> None:
        """Learn from a batch: images (B, H, W, 3; uint8), then what ``objective`` wants to know of them.
        ``frozen``: pretrained weights stay as they are.
        """
        rate = self._rate(steps_taken(self._state))
        self.variables, self._state, numbers = self._compiled(
            self.variables, self._state, rate, batch, frozen=frozen
        )
        self._told.append(numbers)

    def told(self) -> np.ndarray:
        """The means of the objective's numbers over the steps since the last call."""
        numbers = np.asarray(jax.device_get(self._told)).mean(0)
        self._told.clear()
        return numbers

    def _step(
        self, variables: Variables, state: Any, rate: jnp.ndarray, batch: Any, frozen: bool = False
    ) -> tuple[Variables, Any, jnp.ndarray]:
        def objective(params: Any) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
            return self.objective({"params": params, "batch_stats": variables["batch_stats"]}, batch, frozen)

        gradients, (statistics, numbers) = jax.grad(objective, has_aux=True)(variables["params"])
        before = state
        updates, state = self._optimizer(lambda _: rate).update(gradients, state, variables["params"])
        if frozen:
            # Without a gradient there is still momentum, and decay; and what an optimiser keeps of them must
            # begin with the first gradient.
            updates[BACKBONE] = jax.tree.map(jnp.zeros_like, updates[BACKBONE])
            if _SLOWLY in before.inner_states:
                kept = {_SLOWLY: before.inner_states[_SLOWLY]}
                state = state._replace(inner_states={**state.inner_states, **kept})
        params = optax.apply_updates(variables["params"], updates)
        return {"params": params, "batch_stats": statistics}, state, numbers


def grouped(
    rule: Rule, rate: optax.Schedule, params: Any, freeze: re.Pattern[str] | None = None
) -> optax.GradientTransformation:
    """One rule for all weights, gentler to pretrained ones. Those whose dotted name matches ``freeze`` stay
    as they are, and so do the fixed layers of pretrained features.
    """
    groups = jax.tree_util.tree_map_with_path(
        lambda path, _: _group([key.key for key in path], freeze), params
    )
    # One long vector instead of a hundred small arrays: far fewer kernels to compile.
    rules = {
        "learn": optax.flatten(rule(rate)),
        _SLOWLY: optax.flatten(rule(lambda step: rate(step) * _PRETRAINED)),
        "freeze": optax.set_to_zero(),
    }
    there = set(jax.tree.leaves(groups))  # a group without weights cannot be made one vector
    if there == {"freeze"}:
        raise ClientError("freeze_layer_pattern matches every weight: nothing would be learned")
    if there == {"learn"}:
        return rules["learn"]
    return optax.multi_transform({name: rules[name] for name in sorted(there)}, groups)


def _group(name: list[str], freeze: re.Pattern[str] | None) -> str:
    is_fixed = name[0] == BACKBONE and name[1] in FIXED
    if is_fixed or (freeze and freeze.match(".".join(name))):
        return "freeze"
    return _SLOWLY if name[0] == BACKBONE else "learn"


def steps_taken(state: Any) -> jnp.ndarray:
    """What the optimiser has counted: whole numbers in its state are nothing else."""
    return next(leaf for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.int32)


def schedule(settings: Common, learning_rate: float, steps_per_epoch: int) -> optax.Schedule:
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
        return optax.piecewise_constant_schedule(learning_rate, drops)
    return optax.warmup_cosine_decay_schedule(
        learning_rate * 0.05,
        learning_rate,
        max(1, int(total * _WARM_UP)),
        max(2, total),
        learning_rate * _FLOOR,
    )
