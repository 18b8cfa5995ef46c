"""The hyperparameters of a training job.

Takes a dataset and its parent model; gives what is counted, then the pipeline's settings, then the
environment's, all as text, as the API wants them.
"""

from __future__ import annotations

from typing import Any

from include.loop.aws.containers import check_limits, check_machines
from include.loop.config import Stage
from include.loop.core.errors import Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import Champion
from include.loop.workspace import Workspace

# SageMaker's default label_width; it must hold five numbers per box of the fullest image, and two more.
MIN_LABEL_WIDTH = 350
NUMBERS_PER_BOX = 5
DEFAULT_LEARNING_RATE = 0.001  # that of SageMaker's object detection


def make_hyperparameters(workspace: Workspace, dataset: Dataset, parent: Champion | None) -> dict[str, str]:
    """All of them. A model that is trained further takes the first model's settings, gentler, and then its
    own. Incompatible when its parent cannot be trained further with them.
    """
    settings = workspace.pipeline.training
    values: dict[str, Any] = {
        "num_classes": len(workspace.pipeline.classes),
        "base_network": settings.base_network,
        "image_shape": settings.image_shape,
        "num_training_samples": dataset.train,
        "label_width": max(MIN_LABEL_WIDTH, NUMBERS_PER_BOX * dataset.max_boxes + 2),
    }
    values |= _settings(workspace, "initial")
    if parent:
        values |= _gentler(values, parent) | _settings(workspace, "incremental")
        values["use_pretrained_model"] = 0  # the parent's weights take the place of SageMaker's
        _check_parent(parent, values)
    # "The number of input images must be bigger or equal to the mini_batch_size": so a small dataset trains
    # too.
    values["mini_batch_size"] = min(int(values.get("mini_batch_size", 32)), dataset.train)
    texts = {name: str(value) for name, value in sorted(values.items())}
    if workspace.environment.algorithm == "sagemaker":
        check_limits(texts)
        check_machines(workspace.environment)
    return texts


def _settings(workspace: Workspace, stage: Stage) -> dict[str, Any]:
    pipeline, place = workspace.pipeline.training, workspace.environment.training
    chosen = pipeline.initial if stage == "initial" else pipeline.incremental
    return chosen.hyperparameters | (place.hyperparameters.get(stage) or {})


def _gentler(first: dict[str, Any], parent: Champion) -> dict[str, Any]:
    """What changes when a model is trained further and nothing is said: SageMaker's example for retraining
    with A2I keeps all settings of the first training but its learning rate, a tenth, so that what the model
    knows is refined and not overwritten. The image size is the parent's.
    """
    rate = float(first.get("learning_rate", DEFAULT_LEARNING_RATE))
    return {"learning_rate": f"{rate / 10:g}", "image_shape": parent.hyperparameters["image_shape"]}


def _check_parent(parent: Champion, values: dict[str, Any]) -> None:
    """SageMaker's rule for incremental training: the same network and the same number of classes."""
    for name in ("base_network", "num_classes"):
        ours, theirs = str(values[name]), parent.hyperparameters[name]
        if ours != theirs:
            raise Incompatible(
                f"{name} is {ours}, but the champion {parent.training_job} has {theirs}: a model cannot be "
                f"trained further with another {name}. Give the new model a pipeline of its own."
            )
