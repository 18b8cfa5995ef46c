"""A detector's artifact: one file of weights under one name, always of the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from include.algorithms import artifact
from include.algorithms.artifact import SETTINGS
from include.algorithms.object_detection.hyperparameters import Hyperparameters
from include.algorithms.pretrained import Features

_STEM = "model_algo_1-"
WEIGHTS = f"{_STEM}0000.safetensors"
__all__ = ["SETTINGS", "WEIGHTS", "Artifact", "ArtifactSettings", "read", "write"]


class ArtifactSettings(BaseModel):
    """hyperparams.json: what is needed to rebuild the network and to read its output."""

    num_classes: int = Field(gt=0)
    base_network: str
    image_shape: int = Field(ge=96)
    nms_threshold: float = Field(gt=0, le=1)
    features: Features = "compact"  # what models of 0.7.0 and before have

    @classmethod
    def of(cls, settings: Hyperparameters, features: Features) -> ArtifactSettings:
        """Those of a model that a job with these hyperparameters trains."""
        return cls.model_validate(vars(settings) | {"features": features})


@dataclass(frozen=True)
class Artifact:
    """A trained network: flax variables as a nested dict of arrays, and its settings."""

    variables: dict[str, Any]
    settings: ArtifactSettings


def write(directory: Path, trained: Artifact) -> Path:
    """Write both files, each in one step; returns the path of the weights."""
    return artifact.write(directory, WEIGHTS, trained.variables, trained.settings)


def read(directory: Path) -> Artifact:
    """An unpacked artifact, or the model.tar.gz in this directory; ClientError without a usable model."""
    return Artifact(*artifact.read(directory, ArtifactSettings, lambda _: WEIGHTS, _STEM))
