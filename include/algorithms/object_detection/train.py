"""The `train` command: channels in, the best model out, and a log in the documented line shapes.

Reads hyperparameters and channels below SM_ML_ROOT, continues from the `model` channel when there is one,
keeps the model with the best validation mAP, and stops after the current batch when it is told to. With
checkpoints, a job goes on after the last epoch that an interrupted one finished.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass

import numpy as np

from include.algorithms.checkpoints import Checkpoints, identity
from include.algorithms.container import AlgorithmError, Container, emit, logger
from include.algorithms.epochs import SEED, Epochs, check_kept, check_sizes
from include.algorithms.hyperparameters import final_configuration
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import Artifact, ArtifactSettings
from include.algorithms.object_detection.channels import read_channel
from include.algorithms.object_detection.dataset import Dataset, load
from include.algorithms.object_detection.evaluation import mean_average_precision
from include.algorithms.object_detection.hyperparameters import Hyperparameters, parse_hyperparameters
from include.algorithms.object_detection.learner import Learner
from include.algorithms.object_detection.predict import Detections, Predictor
from include.algorithms.pretrained import Features, weights

_LOG_EVERY = 100  # batches
_NETWORKS: dict[Features, str] = {
    "compact": "a compact single-shot network",
    "lite0": "a single-shot network on EfficientNet-Lite0, trained on ImageNet,",
}


def train(container: Container, stop: threading.Event) -> None:
    """Run one training job until its last epoch, or until `stop` is set: then the best model so far is kept.

    ClientError for wrong configuration or data, AlgorithmError when training fails.
    """
    given = container.configuration("hyperparameters")
    settings = parse_hyperparameters(given)
    parent = _parent(container, settings)
    logger.info("Final configuration: %s", final_configuration(Hyperparameters, given))
    if idle := settings.idle(given):
        logger.info("without effect in this job: %s", ", ".join(idle))
    training, validation = (
        load(name, read_channel(container, name, settings), settings.image_shape)
        for name in ("train", "validation")
    )
    check_sizes(len(training), training.bad, len(validation), validation.bad, settings)
    features = _features(settings, parent)
    learner = Learner(settings, len(training) // settings.mini_batch_size, SEED, features)
    if parent is not None:
        learner.restore(parent.variables)
        logger.info("continuing from the model channel")
    elif features != "compact":
        learner.start_from(weights.lite0())
    logger.info(
        "base_network %s: %s of %d weights stands in for it",
        settings.base_network,
        _NETWORKS[features],
        learner.weights,
    )
    same = identity(repr(settings), training.boxes + validation.boxes, learner.state())
    checkpoints = Checkpoints(container.checkpoints, same)
    _Job(
        container=container, settings=settings, learner=learner, checkpoints=checkpoints, stop=stop,
        training=training, validation=validation, host=container.host(),
        kept=ArtifactSettings.of(settings, features),
    ).run()  # fmt: skip


@dataclass(kw_only=True)
class _Job(Epochs):
    """A detector's epochs."""

    settings: Hyperparameters
    training: Dataset
    validation: Dataset
    host: str
    kept: ArtifactSettings

    metric = "validation mAP"

    def learn(self, epoch: int, generator: np.random.Generator) -> None:
        started = time.monotonic()
        batches, seen, frozen = 0, 0, self.is_frozen(epoch)
        for images, boxes in self.training.batches(
            self.settings.mini_batch_size, generator, mirrored=self.kept.features != "compact"
        ):
            self.learner.step(images, boxes, frozen=frozen)
            batches += 1
            seen = batches * self.settings.mini_batch_size
            if batches % _LOG_EVERY == 0:
                self._report(epoch, batches, seen, started)
            if self.stop.is_set():
                return
        if batches % _LOG_EVERY:
            self._report(epoch, batches, seen, started)
        speed = seen / (time.monotonic() - started)
        emit(f"#throughput_metric: host={self.host}, train throughput={speed:.1f} records/second")

    def _report(self, epoch: int, batches: int, seen: int, started: float) -> None:
        classes, boxes = (float(loss) for loss in self.learner.told())
        if not np.isfinite([classes, boxes]).all():
            raise AlgorithmError(f"the loss is not finite in epoch {epoch}: lower learning_rate")
        elapsed = time.monotonic() - started
        logger.info(
            "Epoch: %4d, batches: %6d, num_examples: %6d, %.1f samples/sec, epoch time so far:  %s",
            epoch, batches, seen, seen / elapsed, dt.timedelta(seconds=elapsed),
        )  # fmt: skip
        metric = f"#quality_metric: host={self.host}, epoch={epoch}, batch={batches} train"
        emit(f"{metric} cross_entropy <loss>=({classes:.6f})")
        emit(f"{metric} smooth_l1 <loss>=({boxes:.6f})")

    def measure(self) -> float:
        predictor = Predictor(self.kept, self.learner.variables)
        size = self.settings.mini_batch_size
        found: list[Detections] = []
        for start in range(0, len(self.validation), size):
            found += predictor.detect(self.validation.pixels[start : start + size], batch=size)
        return mean_average_precision(found, self.validation.boxes, self.settings.overlap_threshold)

    def tell_score(self, epoch: int, score: float) -> None:
        emit(f"#quality_metric: host={self.host}, epoch={epoch}, validation mAP <score>=({score:.6f})")

    def finish(self, epoch: int) -> None:
        emit(f"#progress_metric: host={self.host}, completed {100 * (epoch + 1) // self.settings.epochs} %")

    def is_better(self, score: float) -> bool:
        return score >= self.best  # of equals the later: it has seen more

    def tell_best(self, score: float) -> None:
        logger.info("Updating the best model with validation-mAP=%s", f"{score:.6f}")

    def write(self, epoch: int) -> None:
        path = artifact.write(self.container.model, Artifact(self.best_variables, self.kept))
        logger.info('Saved checkpoint to "%s"', path)


def _parent(container: Container, settings: Hyperparameters) -> Artifact | None:
    """The model to continue from, when the job has a model channel; classes and network must be the same."""
    if "model" not in container.configuration("inputdataconfig"):
        return None
    parent = artifact.read(container.channel("model"))
    check_kept(settings, parent.settings, "num_classes", "base_network")
    return parent


def _features(settings: Hyperparameters, parent: Artifact | None) -> Features:
    """Those of the model that is trained further. A first model has what use_pretrained_model says."""
    if parent is not None:
        return parent.settings.features
    return "lite0" if settings.use_pretrained_model else "compact"
