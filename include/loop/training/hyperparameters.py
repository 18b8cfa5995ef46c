"""The hyperparameters of a training job.

Takes a dataset and its parent model; gives what is counted, then the pipeline's settings, then the
environment's, all as text, as the API wants them.
"""

from __future__ import annotations

from typing import Any

from include.loop.config import Stage
from include.loop.core.errors import Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.tasks.algorithm import Algorithm
from include.loop.training.parents import Parent
from include.loop.workspace import Workspace


def make_hyperparameters(workspace: Workspace, dataset: Dataset, parent: Parent | None) -> dict[str, str]:
    """All of them. A model that is trained further takes the first model's settings, gentler, and then its
    own. Incompatible when its parent cannot be trained further with them.
    """
    pipeline, algorithm = workspace.pipeline, workspace.task.algorithm
    values = algorithm.computed(pipeline.training, len(pipeline.classes), dataset.train, dataset.max_boxes)
    values |= _settings(workspace, "initial")
    if parent:
        values |= _gentler(algorithm, values, parent) | _settings(workspace, "incremental")
        values["use_pretrained_model"] = 0  # the parent's weights take the place of SageMaker's
        _check_parent(algorithm, parent, values)
    # "The number of input images must be bigger or equal to the mini_batch_size": so a small dataset trains
    # too.
    values["mini_batch_size"] = min(
        int(values.get("mini_batch_size", algorithm.mini_batch_size)), dataset.train
    )
    texts = {name: str(value) for name, value in sorted(values.items())}
    if workspace.environment.algorithm == "sagemaker":
        algorithm.check_limits(texts)
        algorithm.check_machines(workspace.environment)
    return texts


def _settings(workspace: Workspace, stage: Stage) -> dict[str, Any]:
    pipeline, place = workspace.pipeline.training, workspace.environment.training
    chosen = pipeline.initial if stage == "initial" else pipeline.incremental
    of_task = place.task_hyperparameters.get(workspace.pipeline.task) or {}
    return chosen.hyperparameters | place.hyperparameters.get(stage, {}) | of_task.get(stage, {})


def _gentler(algorithm: Algorithm, first: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """What changes when a model is trained further and nothing is said: SageMaker's example for retraining
    with A2I keeps all settings of the first training but its learning rate, a tenth, so that what the model
    knows is refined and not overwritten. The size of its images stays.
    """
    rate = float(first.get("learning_rate", algorithm.learning_rate))
    inherited = {name: parent.hyperparameters[name] for name in algorithm.inherited}
    return inherited | {"learning_rate": f"{rate / 10:g}"}


def _check_parent(algorithm: Algorithm, parent: Parent, values: dict[str, Any]) -> None:
    """SageMaker's rule for incremental training: the same network and the same number of classes."""
    for name in algorithm.shared:
        ours, theirs = str(values[name]), parent.hyperparameters[name]
        if ours != theirs:
            raise Incompatible(
                f"{name} is {ours}, but the champion {parent.training_job} has {theirs}: a model cannot be "
                f"trained further with another {name}. Give the new model a pipeline of its own."
            )
