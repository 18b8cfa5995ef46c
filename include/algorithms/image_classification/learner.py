"""The classifier's learning step: its loss, and all of SageMaker's optimiser hyperparameters."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from include.algorithms import learner
from include.algorithms.image_classification.hyperparameters import Hyperparameters
from include.algorithms.image_classification.network import initial_variables, network
from include.algorithms.layers import Variables
from include.algorithms.pretrained import Features

_HEAVIEST = 20.0  # how many times an example of a rare class may count, with use_weighted_loss


class Learner(learner.Learner):
    """Batches are images (B, H, W, 3; uint8) and classes (B,), or with multi_label rows (B, num_classes)."""

    def __init__(
        self,
        settings: Hyperparameters,
        steps_per_epoch: int,
        positive_weights: np.ndarray,
        seed: int,
        features: Features = "compact",
    ) -> None:
        self._network = network(settings.num_classes, settings.num_layers, settings.image_shape, features)
        self._settings, self._positive_weights = settings, jax.device_put(positive_weights)
        variables = initial_variables(settings, seed, features)
        super().__init__(
            variables,
            lambda rate: optimizer(settings, rate, variables["params"]),
            learner.schedule(settings, settings.learning_rate, steps_per_epoch),
        )

    def objective(
        self, variables: Variables, batch: Any, frozen: bool
    ) -> tuple[jnp.ndarray, tuple[Any, jnp.ndarray]]:
        """Told are the loss, the accuracy of the batch, and that of the best ``top_k``."""
        images, labels = batch
        logits, moved = self._network.apply(
            variables, images, train=True, frozen=frozen, mutable=["batch_stats"]
        )
        if self._settings.multi_label:
            losses = optax.sigmoid_binary_cross_entropy(logits, labels)
            loss = jnp.where(labels > 0, self._positive_weights, 1.0) * losses
        else:
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        right = correct(logits, labels)
        top = in_best(logits, labels, self._settings.top_k) if self._settings.top_k else right
        return loss.mean(), (moved.get("batch_stats", {}), jnp.stack([loss.mean(), right.mean(), top.mean()]))


def correct(scores: Any, labels: Any) -> Any:
    """Per image 1.0 when the first of the best classes is right. Of rows of multi_label the share of classes
    that are: positive scores (logits) mean yes.
    """
    if labels.ndim > 1:
        return ((scores > 0) == (labels > 0)).mean(-1)
    return (scores.argmax(-1) == labels).astype(jnp.float32)


def in_best(scores: Any, labels: Any, count: int) -> Any:
    """Per image 1.0 when its class is among so many best."""
    best = jax.lax.top_k(scores, count)[1]
    return (best == labels[:, None]).any(-1).astype(jnp.float32)


def positive_weights(labels: np.ndarray, settings: Hyperparameters) -> np.ndarray:
    """With use_weighted_loss, how much a class counts where it is there: images without it for each with it.
    Else, and of a class that is never or always there, 1.
    """
    if not (settings.multi_label and settings.use_weighted_loss):
        return np.ones((), np.float32)
    having = labels.sum(0, dtype=np.int64)
    lacking = len(labels) - having
    ratio = (lacking / np.maximum(having, 1)).clip(1 / _HEAVIEST, _HEAVIEST)
    return np.where((having > 0) & (lacking > 0), ratio, 1.0).astype(np.float32)


def optimizer(settings: Hyperparameters, rate: optax.Schedule, params: Any) -> optax.GradientTransformation:
    """The optimiser described."""
    decay = optax.add_decayed_weights(settings.weight_decay)
    rules: dict[str, learner.Rule] = {
        "sgd": lambda rate: optax.chain(decay, optax.sgd(rate, momentum=settings.momentum)),
        "nag": lambda rate: optax.chain(decay, optax.sgd(rate, momentum=settings.momentum, nesterov=True)),
        "adam": lambda rate: optax.adam(rate, settings.beta_1, settings.beta_2, settings.eps),
        "rmsprop": lambda rate: optax.rmsprop(rate, decay=settings.gamma, eps=settings.eps),
    }
    return learner.grouped(rules[settings.optimizer], rate, params)
