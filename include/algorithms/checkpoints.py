"""Checkpoints: all of a training at the end of an epoch, in one file, so that another machine goes on there.

Written to the directory that SageMaker keeps in step with S3, when the job has one. A file is safetensors
(weights, the optimiser's state, the best weights so far) with a JSON text in its header (epoch, scores, the
random generator); nothing is pickled. A checkpoint names the training it belongs to, by its hyperparameters
and data, and is passed over in any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors

from include.algorithms.artifact import flatten, nest, replace
from include.algorithms.container import logger

_PATTERN = "checkpoint-*.safetensors"
_KEPT = 2  # the newest, and the one before it in case a machine was lost while it wrote
_HEADER = "nightloop"


class Progress(BaseModel):
    """Where a training stands after ``epoch``. Scores are the validation's; ``best`` is -1 without any."""

    training: str  # whose: see ``identity``
    epoch: int = Field(ge=0)
    score: float
    best: float
    best_epoch: int = Field(ge=0, default=0)  # missing in the files of an older version
    over: bool  # stopped early: there is no next epoch
    patience_best: float
    patience_waited: int = Field(ge=0)
    generator: dict[str, Any]  # the state of numpy's bit generator


@dataclass(frozen=True)
class Checkpoint:
    """``weights`` has the branches ``variables``, ``optimizer`` and ``best``."""

    progress: Progress
    weights: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training in one directory; without a directory there are none."""

    def __init__(self, directory: Path | None, training: str) -> None:
        self._directory, self.training = directory, training

    def save(self, checkpoint: Checkpoint) -> None:
        """Write this one, in one step, and drop the oldest."""
        if self._directory is None:
            return
        # Not ascontiguousarray: it would give the optimiser's counters a dimension.
        arrays = {name: np.asarray(array, order="C") for name, array in flatten(checkpoint.weights).items()}
        path = self._directory / f"checkpoint-{checkpoint.progress.epoch:06d}.safetensors"
        replace(path, safetensors.save(arrays, {_HEADER: checkpoint.progress.model_dump_json()}))
        for old in self._newest_first()[_KEPT:]:
            old.unlink()
        logger.info('Saved the state of epoch %d to "%s"', checkpoint.progress.epoch, path)

    def newest(self) -> Checkpoint | None:
        """The newest whole checkpoint of this training; what cannot be used is named in the log."""
        for path in self._newest_first():
            try:
                checkpoint = _read(path)
            except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
                # The last three are numpy's words for types that it has not, all of a file that is not ours.
                logger.warning("passing over the checkpoint %s: it is damaged: %s", path.name, error)
                continue
            if checkpoint.progress.training == self.training:
                return checkpoint
            logger.warning(
                "passing over the checkpoint %s: it belongs to a training with other hyperparameters or data",
                path.name,
            )
        return None

    def _newest_first(self) -> list[Path]:
        return [] if self._directory is None else sorted(self._directory.glob(_PATTERN), reverse=True)


def identity(settings: str, labels: Sequence[np.ndarray], start: dict[str, Any]) -> str:
    """What makes two trainings the same one: hyperparameters, labels, and the weights they start from."""
    digest = hashlib.sha256(settings.encode())
    for label in labels:
        digest.update(f"{label.shape}".encode() + label.tobytes())
    for name, array in sorted(flatten(start).items()):
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _read(path: Path) -> Checkpoint:
    with safe_open(path, framework="np") as file:
        progress = Progress.model_validate_json((file.metadata() or {})[_HEADER])
        weights = nest({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 — no mapping
    return Checkpoint(progress, weights)
