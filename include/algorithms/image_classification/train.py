"""The `train` command: channels in, the best model out, and a log in the documented line shapes.

Reads hyperparameters and channels below SM_ML_ROOT, continues from the `model` channel when there is one,
keeps the model with the best validation accuracy, and stops after the current batch when it is told to. With
checkpoints, a job goes on after the last epoch that an interrupted one finished.

Train-accuracy is of whole batches, as SageMaker's own counts it. Validation-accuracy is not: every image of
the channel counts once, so that it is what an evaluation of the same pixels gives, and so that a channel
smaller than a batch has one. Both look at the middle of an image (crops, in training with augmentation),
while an endpoint squeezes the whole image into image_shape; images of its aspect, with resize equal to its
sides, are the same to both.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.algorithms.checkpoints import Checkpoints, identity
from include.algorithms.container import AlgorithmError, Container, emit, logger
from include.algorithms.epochs import SEED, Epochs, check_kept, check_sizes
from include.algorithms.hyperparameters import as_logged, defaults, final_configuration, quoted
from include.algorithms.image_classification import artifact, hyperparameters
from include.algorithms.image_classification.artifact import Artifact, Kind
from include.algorithms.image_classification.channels import read_channel
from include.algorithms.image_classification.dataset import Dataset, load
from include.algorithms.image_classification.hyperparameters import Hyperparameters, parse_hyperparameters
from include.algorithms.image_classification.learner import Learner, correct, positive_weights
from include.algorithms.image_classification.predict import Predictor
from include.algorithms.pretrained import Features, weights

_LOG_EVERY = 20  # batches
_NETWORKS: dict[Features, str] = {
    "compact": "a compact residual network",
    "lite0": "EfficientNet-Lite0, trained on ImageNet,",
}


def train(container: Container, stop: threading.Event) -> None:
    """Run one training job until its last epoch, or until `stop` is set: then the best model so far is kept.

    ClientError for wrong configuration or data, AlgorithmError when training fails.
    """
    settings = _configured(container)
    parent = _parent(container, settings)
    whole = settings.augmentation_type is not None
    training = load("train", read_channel(container, "train", settings, whole), settings)
    validation = load("validation", read_channel(container, "validation", settings, whole=False), settings)
    check_sizes(len(training), training.bad, len(validation), validation.bad, settings)
    positive = positive_weights(training.labels, settings)
    features = _features(settings, parent)
    learner = Learner(settings, len(training) // settings.mini_batch_size, positive, SEED, features)
    if parent is not None:
        learner.restore(parent.variables)
        logger.info("continuing from the model channel")
    elif features != "compact":
        learner.start_from(weights.lite0())
    logger.info(
        "num_layers %d: %s of %d weights stands in for it",
        settings.num_layers,
        _NETWORKS[features],
        learner.weights,
    )
    same = identity(repr(settings), [training.labels, validation.labels], learner.state())
    _Job(
        container=container, settings=settings, learner=learner,
        checkpoints=Checkpoints(container.checkpoints, same), stop=stop,
        training=training, validation=validation, kind=Kind.of(settings, features),
    ).run()  # fmt: skip


def _configured(container: Container) -> Hyperparameters:
    """The job's hyperparameters, and what the log says of them."""
    given = container.configuration("hyperparameters")
    emit("Docker entrypoint called with argument(s): train")
    logger.info(
        "Reading default configuration from %s: %s",
        Path(hyperparameters.__file__),
        as_logged(defaults(Hyperparameters)),
    )
    logger.info(
        "Merging with provided configuration from %s: %s",
        container.root / "input/config/hyperparameters.json",
        as_logged(quoted(given)),
    )
    logger.info("Final configuration: %s", final_configuration(Hyperparameters, given))
    settings = parse_hyperparameters(given)
    logger.info("use_pretrained_model: %d", settings.use_pretrained_model)
    logger.info("multi_label: %d", settings.multi_label)
    logger.info("---- Parameters ----")
    for name in (
        "num_layers", "epochs", "optimizer", "learning_rate", "num_training_samples", "mini_batch_size",
        "image_shape", "num_classes", "augmentation_type",
    ):  # fmt: skip
        logger.info("%s: %s", name, getattr(settings, name))
    if settings.checkpoint_frequency is None:
        logger.info("checkpoint_frequency not set, will store the best model")
    else:
        logger.info(
            "checkpoint_frequency: %d, will store the best model and these", settings.checkpoint_frequency
        )
    if idle := settings.idle(given):
        logger.info("without effect in this job: %s", ", ".join(idle))
    return settings


@dataclass(kw_only=True)
class _Job(Epochs):
    """A classifier's epochs."""

    settings: Hyperparameters
    training: Dataset
    validation: Dataset
    kind: Kind

    metric = "validation accuracy"

    def learn(self, epoch: int, generator: np.random.Generator) -> None:
        size, started, last = self.settings.mini_batch_size, time.monotonic(), time.monotonic()
        sums, counted, batches, frozen = np.zeros(3), 0, 0, self.is_frozen(epoch)

        def told() -> np.ndarray:
            """Loss, accuracy and top-k accuracy of the epoch so far."""
            nonlocal sums, counted
            if batches > counted:
                sums, counted = sums + self.learner.told() * (batches - counted), batches
            if not np.isfinite(sums).all():
                raise AlgorithmError(f"the loss is not finite in epoch {epoch}: lower learning_rate")
            return sums / counted

        for images, labels in self.training.batches(size, generator):
            self.learner.step(images, labels, frozen=frozen)
            batches += 1
            if batches % _LOG_EVERY == 0:
                _, accuracy, _ = told()
                now = time.monotonic()
                speed, last = _LOG_EVERY * size / (now - last), now
                logger.info(
                    "Epoch[%d] Batch [%d]\tSpeed: %.3f samples/sec\taccuracy=%.6f",
                    epoch, batches, speed, accuracy,
                )  # fmt: skip
            if self.stop.is_set():
                return
        _, accuracy, top = told()
        logger.info("Epoch[%d] Train-accuracy=%.6f", epoch, accuracy)
        if self.settings.top_k:
            logger.info("Epoch[%d] Train-top_k_accuracy_%d=%.6f", epoch, self.settings.top_k, top)
        logger.info("Epoch[%d] Time cost=%.3f", epoch, time.monotonic() - started)

    def measure(self) -> float:
        size, predictor = self.settings.mini_batch_size, Predictor(self.kind, self.learner.variables)
        right = []
        for images, labels in self.validation.in_order(size):
            logits = predictor.logits(images, size)
            right.append(correct(logits, labels))
        return float(np.concatenate(right).mean())

    def tell_score(self, epoch: int, score: float) -> None:
        logger.info("Epoch[%d] Validation-accuracy=%.6f", epoch, score)

    def is_better(self, score: float) -> bool:
        return score > self.best

    def tell_best(self, score: float) -> None:
        logger.info("Storing the best model with validation accuracy: %.6f", score)

    def write(self, epoch: int) -> None:
        folder = self.container.model
        path = artifact.write(folder, Artifact(self.best_variables, self.kind), epoch)
        for older in range(epoch):
            if not self._is_due(older):
                (folder / artifact.weights_of(older)).unlink(missing_ok=True)
        logger.info('Saved checkpoint to "%s"', path)

    def finish(self, epoch: int) -> None:
        if self._is_due(epoch) and epoch != self.best_epoch:
            path = artifact.write_further(self.container.model, self.learner.variables, epoch)
            logger.info('Saved checkpoint to "%s"', path)

    def _is_due(self, epoch: int) -> bool:
        frequency = self.settings.checkpoint_frequency
        return frequency is not None and (epoch + 1) % frequency == 0


def _parent(container: Container, settings: Hyperparameters) -> Artifact | None:
    """The model to continue from, when the job has a model channel; what makes its network must be kept."""
    if "model" not in container.configuration("inputdataconfig"):
        return None
    parent = artifact.read(container.channel("model"))
    ours = Kind.of(settings, parent.kind.features)
    check_kept(ours, parent.kind, "num_layers", "image_shape", "num_classes", "multi_label")
    return parent


def _features(settings: Hyperparameters, parent: Artifact | None) -> Features:
    """Those of the model that is trained further. A first model has what use_pretrained_model says."""
    if parent is not None:
        return parent.kind.features
    return "lite0" if settings.use_pretrained_model else "compact"
