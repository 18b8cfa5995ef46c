"""The epochs of one training job: learn, measure, keep the best model, checkpoint, and stop when it is time.

An algorithm says how it learns, measures and writes, and in which words; here is the order, early stopping as
documented, the continuation from a checkpoint, and the end after the current batch when a job is stopped.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from include.algorithms.checkpoints import Checkpoint, Checkpoints, Progress
from include.algorithms.container import ClientError, Container, logger
from include.algorithms.hyperparameters import Common
from include.algorithms.learner import Learner
from include.algorithms.pretrained import BACKBONE

_FROZEN = 0.5  # share of the epochs in which pretrained features stay as they are
SEED = 0  # same data, same hyperparameters, same model


@dataclass(kw_only=True)
class Epochs(ABC):
    """What the epochs share, and the best model so far; ``best`` is -1 without any."""

    container: Container
    settings: Common
    learner: Learner
    checkpoints: Checkpoints
    stop: threading.Event
    best: float = -1.0
    best_epoch: int = 0
    best_variables: dict[str, Any] = field(default_factory=dict)

    metric: ClassVar[str]  # what early stopping looks at

    @abstractmethod
    def learn(self, epoch: int, generator: np.random.Generator) -> None:
        """One epoch, or until ``stop`` is set."""

    @abstractmethod
    def measure(self) -> float:
        """The score on the validation channel, 0 to 1."""

    @abstractmethod
    def tell_score(self, epoch: int, score: float) -> None:
        """The score in the log."""

    @abstractmethod
    def finish(self, epoch: int) -> None:
        """What else an epoch ends with, once its model is kept or is not."""

    @abstractmethod
    def is_better(self, score: float) -> bool:
        """Whether the model of this score is kept instead of the best so far."""

    @abstractmethod
    def tell_best(self, score: float) -> None:
        """That this model is now the best."""

    @abstractmethod
    def write(self, epoch: int) -> None:
        """Write ``best_variables``, which are those of ``best_epoch``."""

    def is_frozen(self, epoch: int) -> bool:
        """Whether pretrained features stay as they are in this epoch: until what is built on them has learned
        something, its gradients would only spoil them.
        """
        pretrained = BACKBONE in self.learner.variables["params"]
        return pretrained and epoch < self.settings.epochs * _FROZEN

    def run(self) -> None:
        patience = _Patience(self.settings)
        generator = np.random.default_rng(SEED)
        for epoch in range(self._resumed(patience, generator), self.settings.epochs):
            self.learn(epoch, generator)
            if self.stop.is_set():
                break
            score = self.measure()
            self.tell_score(epoch, score)
            if self.is_better(score):
                self._keep(epoch, score)
            self.finish(epoch)
            # While features are frozen the best is still to come: early stopping looks at what follows.
            over = not self.is_frozen(epoch) and patience.exhausted(epoch, score)
            self._checkpoint(epoch, score, over, patience, generator)
            if over:
                logger.info("early stopping: %s has not improved for %d epochs", self.metric, patience.waited)
                break
        if self.stop.is_set():
            logger.info("stopped: keeping the best model so far")
            if self.best < 0:
                self._keep(0, 0.0)

    def _keep(self, epoch: int, score: float) -> None:
        self.tell_best(score)
        self.best, self.best_epoch, self.best_variables = score, epoch, self.learner.variables
        self.write(epoch)

    def _resumed(self, patience: _Patience, generator: np.random.Generator) -> int:
        """Go on from the newest checkpoint of this training, if there is one; returns the next epoch."""
        found = self.checkpoints.newest()
        if found is None:
            return 0
        progress = found.progress
        self.learner.resume(found.weights)
        generator.bit_generator.state = progress.generator
        patience.best, patience.waited = progress.patience_best, progress.patience_waited
        logger.info("continuing after epoch %d, from a checkpoint", progress.epoch)
        self.tell_score(progress.epoch, progress.score)
        self.best, self.best_epoch = progress.best, progress.best_epoch
        self.best_variables = found.weights["best"]
        self.write(progress.best_epoch)
        self.finish(progress.epoch)
        return self.settings.epochs if progress.over else progress.epoch + 1

    def _checkpoint(
        self, epoch: int, score: float, over: bool, patience: _Patience, generator: np.random.Generator
    ) -> None:
        progress = Progress(
            training=self.checkpoints.training,
            epoch=epoch,
            score=score,
            best=self.best,
            best_epoch=self.best_epoch,
            over=over,
            patience_best=patience.best,
            patience_waited=patience.waited,
            generator=dict(generator.bit_generator.state),
        )
        self.checkpoints.save(Checkpoint(progress, self.learner.state() | {"best": self.best_variables}))


def check_kept(wanted: Any, parent: Any, *names: str) -> None:
    """ClientError unless a job keeps these settings of the model that it continues."""
    for name in names:
        had, asked = getattr(parent, name), getattr(wanted, name)
        if had != asked:
            raise ClientError(
                f"incremental training must keep {name}: the model channel has {had}, this job asks for "
                f"{asked}"
            )


def check_sizes(training: int, bad: int, validation: int, bad_validation: int, settings: Common) -> None:
    """Compare the usable and the ``bad`` images of both channels with the settings: ClientError when there
    are too few, a warning when there are others than expected.
    """
    if training < settings.mini_batch_size:
        raise ClientError(
            "The number of input images must be bigger or equal to the mini_batch_size: "
            f"{training} usable images ({bad} skipped), mini_batch_size {settings.mini_batch_size}"
        )
    if not validation:
        raise ClientError(f"the validation channel has no usable image ({bad_validation} skipped)")
    expected = settings.num_training_samples // settings.mini_batch_size
    batches = training // settings.mini_batch_size
    if expected != batches:
        logger.warning(
            "Expected number of batches: %d, did not match the number of batches processed: %d. This may "
            "happen when some images or annotations are invalid and cannot be parsed, or when "
            "num_training_samples is wrong.",
            expected, batches,
        )  # fmt: skip


class _Patience:
    """Early stopping as documented: relative improvements of the score, after a minimum of epochs."""

    def __init__(self, settings: Common) -> None:
        self._settings = settings
        self.best = 0.0
        self.waited = 0

    def exhausted(self, epoch: int, score: float) -> bool:
        if score > self.best * (1 + self._settings.early_stopping_tolerance):
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        enough = epoch + 1 >= self._settings.early_stopping_min_epochs
        return (
            self._settings.early_stopping and enough and self.waited >= self._settings.early_stopping_patience
        )
