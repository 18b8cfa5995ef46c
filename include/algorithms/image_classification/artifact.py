"""A classifier's artifact: weights under the number of their epoch, as SageMaker's own has them.

With ``checkpoint_frequency`` there are several; the settings name those of the best epoch, which are served
and continued.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from include.algorithms import artifact
from include.algorithms.image_classification.hyperparameters import LAYERS, Hyperparameters, shape
from include.algorithms.pretrained import Features

_STEM = "image-classification-"


def weights_of(epoch: int) -> str:
    """The file of an epoch's weights; epochs count from 0, files from 1."""
    return f"{_STEM}{epoch + 1:04d}.safetensors"


def _known(num_layers: int) -> int:
    if num_layers not in LAYERS:
        raise ValueError(f"{num_layers} is not one of {LAYERS}")
    return num_layers


class Kind(BaseModel):
    """What is needed to rebuild the network and to read its output; what incremental training must keep."""

    num_classes: int = Field(gt=0)
    num_layers: Annotated[int, AfterValidator(_known)]
    image_shape: Annotated[str, AfterValidator(lambda text: str(shape(text)))]
    multi_label: bool
    features: Features = "compact"  # what models of 0.7.0 and before have

    @classmethod
    def of(cls, settings: Hyperparameters, features: Features) -> Kind:
        return Kind(
            num_classes=settings.num_classes,
            num_layers=settings.num_layers,
            image_shape=str(settings.image_shape),
            multi_label=settings.multi_label,
            features=features,
        )


class ArtifactSettings(Kind):
    """hyperparams.json."""

    weights: str = Field(pattern=rf"^{_STEM}\d{{4,}}\.safetensors$")


@dataclass(frozen=True)
class Artifact:
    """A trained network: flax variables as a nested dict of arrays, and its settings."""

    variables: dict[str, Any]
    kind: Kind


def write(directory: Path, trained: Artifact, epoch: int) -> Path:
    """Write the model of this epoch and name it as the best; returns the path of the weights."""
    name = weights_of(epoch)
    settings = ArtifactSettings(weights=name, **trained.kind.model_dump())
    return artifact.write(directory, name, trained.variables, settings)


def write_further(directory: Path, variables: dict[str, Any], epoch: int) -> Path:
    """Write the weights of an epoch beside those of the best one."""
    return artifact.write_weights(directory, weights_of(epoch), variables)


def read(directory: Path) -> Artifact:
    """An unpacked artifact, or the model.tar.gz in this directory; ClientError without a usable model."""
    variables, settings = artifact.read(directory, ArtifactSettings, lambda found: found.weights, _STEM)
    return Artifact(variables, settings)
