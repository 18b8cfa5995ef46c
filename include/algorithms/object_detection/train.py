"""The `train` command: channels in, the best model out, and a log in the documented line shapes.

Reads hyperparameters and channels below SM_ML_ROOT, continues from the `model` channel when there is one,
keeps the model with the best validation mAP, and stops after the current batch when it is told to. With
checkpoints, a job goes on after the last epoch that an interrupted one finished.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from include.algorithms.container import AlgorithmError, ClientError, Container, emit, logger
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import Artifact, ArtifactSettings
from include.algorithms.object_detection.channels import read_channel
from include.algorithms.object_detection.checkpoints import (
    Checkpoint,
    Checkpoints,
    Progress,
    identity,
)
from include.algorithms.object_detection.dataset import Dataset, collect
from include.algorithms.object_detection.evaluation import mean_average_precision
from include.algorithms.object_detection.hyperparameters import (
    Hyperparameters,
    final_configuration,
    parse_hyperparameters,
)
from include.algorithms.object_detection.learner import Learner
from include.algorithms.object_detection.predict import Detections, Predictor

_SEED = 0  # same data, same hyperparameters, same model
_LOG_EVERY = 100  # batches


def train(container: Container, stop: threading.Event) -> None:
    """Run one training job until its last epoch, or until `stop` is set: then the best model so far is kept.

    ClientError for wrong configuration or data, AlgorithmError when training fails.
    """
    given = container.configuration("hyperparameters")
    settings = parse_hyperparameters(given)
    parent = _parent(container, settings)
    logger.info("Final configuration: %s", final_configuration(given))
    if idle := settings.idle(given):
        logger.info("without effect in this job: %s", ", ".join(idle))
    if settings.use_pretrained_model and parent is None:
        logger.warning(
            "use_pretrained_model=1: there are no pretrained weights here; the network starts from scratch"
        )
    training = collect("train", read_channel(container, "train", settings), settings.image_shape)
    validation = collect("validation", read_channel(container, "validation", settings), settings.image_shape)
    _check_sizes(training, validation, settings)
    learner = Learner(settings, steps_per_epoch=len(training) // settings.mini_batch_size, seed=_SEED)
    if parent is not None:
        learner.restore(parent.variables)
        logger.info("continuing from the model channel")
    logger.info(
        "base_network %s: a compact single-shot network of %d weights stands in for it",
        settings.base_network,
        learner.weights,
    )
    same = identity(repr(settings), training.boxes + validation.boxes, learner.state())
    checkpoints = Checkpoints(container.checkpoints, same)
    _Job(container, settings, training, validation, learner, checkpoints, stop).run()


@dataclass
class _Job:
    """The epochs of one training: what they share, and the best model so far."""

    container: Container
    settings: Hyperparameters
    training: Dataset
    validation: Dataset
    learner: Learner
    checkpoints: Checkpoints
    stop: threading.Event
    best: float = -1.0
    best_variables: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        patience = _Patience(self.settings)
        host = self.container.host()
        generator = np.random.default_rng(_SEED)
        for epoch in range(self._resumed(patience, generator, host), self.settings.epochs):
            self._epoch(epoch, host, generator)
            if self.stop.is_set():
                break
            score = self._validate()
            self._tell_score(epoch, score, host)
            if score >= self.best:  # of equals the later: it has seen more
                self._keep(score)
            self._tell_progress(epoch, host)
            over = patience.exhausted(epoch, score)
            self._checkpoint(epoch, score, over, patience, generator)
            if over:
                logger.info("early stopping: validation mAP has not improved for %d epochs", patience.waited)
                break
        if self.stop.is_set():
            logger.info("stopped: keeping the best model so far")
            if self.best < 0:
                self._keep(0.0)

    def _resumed(self, patience: _Patience, generator: np.random.Generator, host: str) -> int:
        """Go on from the newest checkpoint of this training, if there is one; returns the next epoch."""
        found = self.checkpoints.newest()
        if found is None:
            return 0
        progress = found.progress
        self.learner.resume(found.weights)
        generator.bit_generator.state = progress.generator
        patience.best, patience.waited = progress.patience_best, progress.patience_waited
        logger.info("continuing after epoch %d, from a checkpoint", progress.epoch)
        self._tell_score(progress.epoch, progress.score, host)
        self.best_variables = found.weights["best"]
        self._write(progress.best)
        self._tell_progress(progress.epoch, host)
        return self.settings.epochs if progress.over else progress.epoch + 1

    def _checkpoint(
        self, epoch: int, score: float, over: bool, patience: _Patience, generator: np.random.Generator
    ) -> None:
        progress = Progress(
            training=self.checkpoints.training,
            epoch=epoch,
            score=score,
            best=self.best,
            over=over,
            patience_best=patience.best,
            patience_waited=patience.waited,
            generator=dict(generator.bit_generator.state),
        )
        self.checkpoints.save(Checkpoint(progress, self.learner.state() | {"best": self.best_variables}))

    def _tell_score(self, epoch: int, score: float, host: str) -> None:
        emit(f"#quality_metric: host={host}, epoch={epoch}, validation mAP <score>=({score:.6f})")

    def _tell_progress(self, epoch: int, host: str) -> None:
        emit(f"#progress_metric: host={host}, completed {100 * (epoch + 1) // self.settings.epochs} %")

    def _epoch(self, epoch: int, host: str, generator: np.random.Generator) -> None:
        started = time.monotonic()
        batches = seen = 0
        for images, boxes in self.training.batches(self.settings.mini_batch_size, generator):
            self.learner.step(images, boxes)
            batches += 1
            seen = batches * self.settings.mini_batch_size
            if batches % _LOG_EVERY == 0:
                self._report(epoch, batches, seen, started, host)
            if self.stop.is_set():
                return
        if batches % _LOG_EVERY:
            self._report(epoch, batches, seen, started, host)
        speed = seen / (time.monotonic() - started)
        emit(f"#throughput_metric: host={host}, train throughput={speed:.1f} records/second")

    def _report(self, epoch: int, batches: int, seen: int, started: float, host: str) -> None:
        classes, boxes = self.learner.losses()
        if not np.isfinite([classes, boxes]).all():
            raise AlgorithmError(f"the loss is not finite in epoch {epoch}: lower learning_rate")
        elapsed = time.monotonic() - started
        logger.info(
            "Epoch: %4d, batches: %6d, num_examples: %6d, %.1f samples/sec, epoch time so far:  %s",
            epoch, batches, seen, seen / elapsed, dt.timedelta(seconds=elapsed),
        )  # fmt: skip
        metric = f"#quality_metric: host={host}, epoch={epoch}, batch={batches} train"
        emit(f"{metric} cross_entropy <loss>=({classes:.6f})")
        emit(f"{metric} smooth_l1 <loss>=({boxes:.6f})")

    def _validate(self) -> float:
        predictor = Predictor(
            self.settings.num_classes,
            self.settings.image_shape,
            self.settings.nms_threshold,
            self.learner.variables,
        )
        size = self.settings.mini_batch_size
        found: list[Detections] = []
        for start in range(0, len(self.validation), size):
            found += predictor.detect(self.validation.pixels[start : start + size], batch=size)
        return mean_average_precision(found, self.validation.boxes, self.settings.overlap_threshold)

    def _keep(self, score: float) -> None:
        logger.info("Updating the best model with validation-mAP=%s", f"{score:.6f}")
        self.best_variables = self.learner.variables
        self._write(score)

    def _write(self, score: float) -> None:
        self.best = score
        kept = ArtifactSettings.model_validate(self.settings, from_attributes=True)
        path = artifact.write(self.container.model, Artifact(self.best_variables, kept))
        logger.info('Saved checkpoint to "%s"', path)


class _Patience:
    """Early stopping as documented: relative improvements of the mAP, after a minimum of epochs."""

    def __init__(self, settings: Hyperparameters) -> None:
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


def _parent(container: Container, settings: Hyperparameters) -> Artifact | None:
    """The model to continue from, when the job has a model channel; classes and network must be the same."""
    if "model" not in container.configuration("inputdataconfig"):
        return None
    parent = artifact.read(container.channel("model"))
    for name in ("num_classes", "base_network"):
        had: Any = getattr(parent.settings, name)
        wanted = getattr(settings, name)
        if had != wanted:
            raise ClientError(
                f"incremental training must keep {name}: the model channel has {had}, this job asks for "
                f"{wanted}"
            )
    return parent


def _check_sizes(training: Dataset, validation: Dataset, settings: Hyperparameters) -> None:
    if len(training) < settings.mini_batch_size:
        raise ClientError(
            "The number of input images must be bigger or equal to the mini_batch_size: "
            f"{len(training)} usable images ({training.bad} skipped), "
            f"mini_batch_size {settings.mini_batch_size}"
        )
    if not len(validation):
        raise ClientError(f"the validation channel has no usable image ({validation.bad} skipped)")
    expected = settings.num_training_samples // settings.mini_batch_size
    batches = len(training) // settings.mini_batch_size
    if expected != batches:
        logger.warning(
            "Expected number of batches: %d, did not match the number of batches processed: %d. This may "
            "happen when some images or annotations are invalid and cannot be parsed, or when "
            "num_training_samples is wrong.",
            expected, batches,
        )  # fmt: skip
